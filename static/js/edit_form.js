// Editing a ticket's title and description, on the version that the edit began from, through reloads too.
import * as api from "./api.js";
import { drop_draft, keep_draft, read_draft } from "./drafts.js";
import { fill, h, uid } from "./dom.js";
import { note_outcome, save } from "./conflict.js";
import { user } from "./session.js";

/** @param {any} ticket */
export const has_edit_draft = (ticket) => read_draft(user().id, `edit.${ticket.id}`) !== null;

/**
 * @param {any} ticket @param {(after: any|null) => void} done with the ticket as it is, null when cancelled
 */
export function edit_form(ticket, done) {
  const me = user();
  const name = `edit.${ticket.id}`;
  const kept = read_draft(me.id, name);
  /** What the edit began from: kept with the draft, so that a change made during a reload is still noticed. */
  const base = kept?.base ?? { id: ticket.id, version: ticket.version, title: ticket.title, description: ticket.description };
  const key = kept?.key ?? api.new_key();
  const abort = new AbortController();
  const title = h("input.input", { id: uid("title"), name: "title", required: true, maxlength: 200, value: kept?.title ?? ticket.title, autofocus: true, dir: "auto" });
  const description = h("textarea.input", { id: uid("text"), name: "description", required: true, maxlength: 20000, rows: 10, value: kept?.description ?? ticket.description, dir: "auto" });
  const error = h("p.form-error", { role: "alert" });
  const moved = h("p.edit__moved", { role: "status" });
  const submit = h("button.button.button--primary", { type: "submit" }, "Save");
  const element = h("form.edit", { "aria-label": "Edit the ticket",
    oninput: () => keep_draft(me.id, name, { title: title.value, description: description.value, base, key }),
    onsubmit: (e) => { e.preventDefault(); send(); },
    onkeydown: (e) => { if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); element.requestSubmit(); } },
  },
    h("div.field", h("label.field__label", { for: title.id }, "Title"), title),
    h("div.field", h("label.field__label", { for: description.id }, "Description"), description),
    moved, error,
    h("div.form-actions", h("button.button", { onclick: () => { drop_draft(me.id, name); done(null); } }, "Cancel"), submit));

  async function send() {
    /** @type {Record<string, string>} */
    const edits = {};
    if (title.value.trim() !== base.title) edits.title = title.value;
    if (description.value !== base.description) edits.description = description.value;
    if (!Object.keys(edits).length) { drop_draft(me.id, name); return done(null); }
    submit.disabled = true;
    fill(error);
    try {
      const { ticket: after, outcome } = await save(base, edits, { key, signal: abort.signal });
      drop_draft(me.id, name);
      note_outcome(outcome);
      done(after);
    } catch (problem) {
      if (problem.name !== "AbortError") fill(error, problem.message);
    } finally { submit.disabled = false; }
    return undefined;
  }

  return {
    element,
    close: () => abort.abort(),
    /** The ticket moved on while one edits. @param {any} now @param {string} who */
    moved_on(now, who) {
      const touched = ["title", "description"].filter((f) => now[f] !== base[f]);
      if (touched.length) fill(moved, `${who} changed the ${touched.join(" and the ")} meanwhile. When you save, you see both and choose.`);
    },
  };
}
