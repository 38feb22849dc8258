// Editing a ticket's title and description, on the version that the edit began from, through reloads too.
import * as api from "./api.js";
import { Draft, drafts_of } from "./drafts.js";
import { fill, h, uid } from "./dom.js";
import { note } from "./announce.js";
import { note_outcome, save } from "./conflict.js";
import { is_composing } from "./typing.js";
import { length_line } from "./lengths.js";
import { same } from "./merge.js";
import { desk, user } from "./session.js";

/** @param {any} ticket */
export const has_edit_draft = (ticket) => drafts_of(user().id, `edit.${ticket.id}`).length > 0;

/**
 * @param {any} ticket @param {(after: any|null) => void} done with the ticket as it is, null when cancelled
 */
export function edit_form(ticket, done) {
  const me = user();
  const draft = new Draft(me.id, `edit.${ticket.id}`);
  const kept = draft.value;
  /** What the edit began from: kept with the draft, so that a change made during a reload is still noticed. */
  const base = kept?.base ?? { id: ticket.id, version: ticket.version, title: ticket.title, description: ticket.description };
  let intent = kept?.intent ?? null;
  const title = h("input.input", { id: uid("title"), name: "title", required: true, value: base.title, autofocus: true, dir: "auto", autocomplete: "off" });
  const description = h("textarea.input", { id: uid("text"), name: "description", required: true, rows: 10, value: base.description, dir: "auto" });
  // A control normalises line ends and more: only what differs from what it made of the value was edited.
  const shown = { title: title.value, description: description.value };
  title.value = kept?.title ?? shown.title;
  description.value = kept?.description ?? shown.description;
  const lines = { title: length_line(title, desk().limits.title_characters), description: length_line(description, desk().limits.description_characters) };
  const error = h("p.form-error", { role: "alert" });
  const moved = h("p.edit__moved", { role: "status" });
  const submit = h("button.button.button--primary", { type: "submit" }, "Save");
  const element = h("form.edit", { "aria-label": "Edit the ticket",
    oninput: keep,
    onsubmit: (e) => { e.preventDefault(); send(); },
    onkeydown: (e) => { if (!is_composing(e) && e.key === "Enter" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); element.requestSubmit(); } },
  },
    h("div.field", h("label.field__label", { for: title.id }, "Title"), title, lines.title.element),
    h("div.field", h("label.field__label", { for: description.id }, "Description"), description, lines.description.element),
    moved, error,
    h("div.form-actions", h("button.button", { onclick: () => { draft.drop(); done(null); } }, "Cancel"), submit));

  function keep() { draft.keep({ title: title.value, description: description.value, base, intent }); }

  function edits_made() {
    /** @type {Record<string, string>} */
    const edits = {};
    if (title.value !== shown.title && title.value.trim() !== base.title) edits.title = title.value;
    if (description.value !== shown.description && description.value !== base.description) edits.description = description.value;
    return edits;
  }

  async function send() {
    if (submit.hasAttribute("aria-disabled")) return undefined;
    const edits = edits_made();
    if (!Object.keys(edits).length) { draft.drop(); return done(null); }
    if (lines.title.check()) return title.focus();
    if (lines.description.check()) return description.focus();
    submit.setAttribute("aria-disabled", "true");
    fill(error);
    // One key for one intent: other texts are another request.
    if (!intent || !same(intent.edits, edits)) intent = { key: api.new_key(), edits };
    keep();
    draft.write();
    try {
      const { ticket: after, outcome, hand, typed } = await save(base, edits, { key: intent.key });
      if (outcome === "undecided") return resume(typed ?? {});
      draft.drop();
      note_outcome(outcome, hand);
      done(after);
    } catch (problem) { refused(problem); } finally { submit.removeAttribute("aria-disabled"); }
    return undefined;
  }
  /** Back from a choice that was not made, with what was typed there. @param {Record<string, string>} typed */
  function resume(typed) {
    title.value = typed.title ?? title.value;
    description.value = typed.description ?? description.value;
    keep();
    note_outcome("undecided");
    submit.focus();
  }
  function refused(problem) {
    if (element.isConnected) fill(error, problem.message);
    else note(`The edit of ticket ${base.id} is not saved: ${problem.message} What you wrote is kept there.`, { tone: "bad", stay: true });
  }

  return {
    element,
    /** What is being saved goes on without the form; the draft stays until it is. */
    close: () => {},
    /** The ticket moved on while one edits. @param {any} now @param {string} who */
    moved_on(now, who) {
      const touched = ["title", "description"].filter((f) => now[f] !== base[f]);
      if (touched.length) fill(moved, h("bdi", who), ` changed the ${touched.join(" and the ")} meanwhile. When you save, you see both and choose.`);
    },
  };
}
