// The same change to many tickets, one after the other, with its progress and a report of what did not go.
// It goes on when the page is left, and ends when another person signs in.
import * as api from "./api.js";
import { note, note_error, say } from "./announce.js";
import { pick_value, said_edits } from "./change.js";
import { save } from "./conflict.js";
import { open_dialog } from "./dialog.js";
import { fill, h } from "./dom.js";
import { user } from "./session.js";

/**
 * @param {{chosen: () => any[], apply: (ticket: any) => void, clear: () => void, known_tags: () => string[]}} list
 */
export function bulk_bar({ chosen, apply, clear, known_tags }) {
  const element = h("div.bulk", { role: "region", "aria-label": "Selected tickets", hidden: true });
  let running = false;
  let abort = new AbortController();
  let end_notice = () => {};
  /** The page is left: say that it goes on. */
  function left() {
    if (running) end_notice = note("The change of several tickets goes on.", { stay: true, action: { label: "Stop", run: () => abort.abort() } });
  }

  /** @param {import("./change.js").Field} field @param {Element|null} [anchor] */
  async function pick(field, anchor = element) {
    try {
      const value = await pick_value(field, field === "tags" ? [] : undefined, anchor, known_tags());
      if (value === undefined || (field === "tags" && !value.length)) return;
      // Tags are added to each ticket's own.
      await run(field === "tags" ? (t) => ({ tags: [...new Set([...t.tags, ...value])].sort() }) : () => ({ [field]: value }), field === "tags" ? ["tagged ", h("bdi", value.join(", "))] : said_edits({ [field]: value }, null));
    } catch (error) { note_error(error); }
  }

  /** @param {(ticket: any) => Record<string, any>} edits_of @param {any} what words, and names as nodes */
  async function run(edits_of, what) {
    const tickets = chosen();
    const by = api.sender();
    /** @type {any} */ const report = { done: 0, merged: 0, conflicts: [], failures: [], untried: [] };
    const bar = h("progress.bulk__progress", { max: tickets.length, value: 0, "aria-label": "Progress" });
    const words = h("span", `0 of ${tickets.length}`);
    abort = new AbortController();
    running = true;
    fill(element, bar, words, h("button.button.button--quiet", { onclick: () => abort.abort() }, "Stop"));
    for (const [i, ticket] of tickets.entries()) {
      if (api.sender() !== by) break;
      if (abort.signal.aborted) { report.untried.push(ticket); continue; }
      try {
        // Nobody is asked in the middle: where both touched the field, theirs stays and the report names it.
        const { ticket: after, outcome } = await save(ticket, edits_of(ticket), { by, ask: async () => null });
        apply(after);
        if (outcome === "kept_theirs") report.conflicts.push(after);
        else report.done += 1;
        if (outcome === "merged") report.merged += 1;
      } catch (error) {
        report.failures.push({ ticket, error });
      }
      bar.value = i + 1;
      words.textContent = `${i + 1} of ${tickets.length}`;
    }
    running = false;
    end_notice();
    if (api.sender() !== by) return;
    if (element.isConnected) { clear(); return tell(report, what, tickets.length); }
    // Elsewhere by now, perhaps writing: nothing is opened over it.
    note(`${report.done} of ${tickets.length} ${what}.`, { stay: true, action: { label: "Details", run: () => tell(report, what, tickets.length) } });
    return undefined;
  }

  return {
    element, pick,
    assign_to_me: () => run(() => ({ assignee_id: user().id }), "assigned to me"),
    close: left,
    /** @param {number} n how many are selected */
    show(n) {
      if (running) return;
      const was_hidden = element.hidden;
      element.hidden = n === 0;
      if (!n) { fill(element); return; }
      if (was_hidden) say("Actions for the selected tickets are below the list");
      const button = (label, field) => h("button.button", { "aria-haspopup": "dialog", onclick: (e) => pick(field, e.currentTarget) }, label);
      fill(element, h("strong.bulk__count", `${n} selected`), h("button.button", { onclick: () => run(() => ({ assignee_id: user().id }), "assigned to me") }, "Assign to me"),
        button("Status", "status"), button("Priority", "priority"), button("Assignee", "assignee_id"), button("Add tags", "tags"),
        h("button.button.button--quiet", { onclick: clear }, "Clear"));
    },
  };
}

/** @param {any} report @param {any} what @param {number} total */
function tell(report, what, total) {
  const links = (list, ticket_of, why) => h("ul.bulk__report", list.map((x) => h("li", h("a", { href: `/tickets/${ticket_of(x).id}` }, `${ticket_of(x).id} `, h("bdi", ticket_of(x).title)), " ", h("span.muted", why(x)))));
  open_dialog({
    title: [`${report.done} of ${total} `, what],
    body: (close) => h("div", { onclick: (e) => { if (e.target.closest("a")) close(); } },
      report.merged > 0 && h("p", `${report.merged} had been changed by someone else meanwhile; both changes are kept.`),
      report.conflicts.length > 0 && [h("p", h("strong", `${report.conflicts.length} conflicted.`), " Someone else changed the same field; theirs stays:"), links(report.conflicts, (t) => t, () => "")],
      report.failures.length > 0 && [h("p", h("strong", `${report.failures.length} failed:`)), links(report.failures, (f) => f.ticket, (f) => f.error.message)],
      report.untried.length > 0 && [h("p", h("strong", `${report.untried.length} not tried:`)), links(report.untried, (t) => t, () => "")],
      report.done === total && !report.merged && h("p", "Every one went through."),
      h("div.dialog__actions", h("button.button.button--primary", { autofocus: true, onclick: () => close() }, "Good"))),
  });
}
