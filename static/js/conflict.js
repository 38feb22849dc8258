// Saves an edit with the version it began from. When the ticket moved on meanwhile: fields that nobody
// else touched go onto the new version; fields that both touched are shown side by side, and a person chooses.
import * as api from "./api.js";
import { note } from "./announce.js";
import { name_of, PRIORITY_NAMES, STATUS_NAMES } from "./badges.js";
import { open_dialog } from "./dialog.js";
import { h } from "./dom.js";
import { sort_edit } from "./merge.js";

const FIELD_NAMES = /** @type {Record<string, string>} */ ({ title: "Title", description: "Description", status: "Status", priority: "Priority", tags: "Tags", assignee_id: "Assignee", sla_minutes: "SLA minutes" });

/**
 * @param {any} base the ticket that the edit began from
 * @param {Record<string, any>} edits under PATCH's names
 * @param {{key?: string, signal?: AbortSignal, ask?: typeof choose}} [options] `ask` null-like: report instead of asking
 * @returns {Promise<{ticket: any, outcome: "saved"|"merged"|"chosen"|"kept_theirs"}>}
 */
export async function save(base, edits, { key = api.new_key(), signal, ask = choose } = {}) {
  let version = base.version;
  let from = base;
  let to_send = edits;
  /** @type {"saved"|"merged"|"chosen"} */
  let outcome = "saved";
  for (;;) {
    try {
      const answer = await api.patch(`/api/tickets/${base.id}`, { version, ...to_send }, { key, signal });
      return { ticket: answer.body, outcome };
    } catch (error) {
      if (error.code !== "VERSION_MISMATCH") throw error;
      const { current, changed } = error.body;
      const { send, clashes } = sort_edit(from, current, changed, to_send);
      if (clashes.length) {
        const choice = await ask(current, clashes);
        if (!choice) return { ticket: current, outcome: "kept_theirs" };
        Object.assign(send, choice);
        outcome = "chosen";
      } else if (outcome === "saved") outcome = "merged";
      if (!Object.keys(send).length) return { ticket: current, outcome: clashes.length ? "kept_theirs" : "merged" };
      from = current;
      version = current.version;
      to_send = send;
      key = api.new_key(); // another request: the old key belongs to the old body
    }
  }
}

/** Say how a save went, where it did not simply go. @param {string} outcome */
export function note_outcome(outcome) {
  if (outcome === "merged") note("Someone else changed this ticket meanwhile. Your change did not touch theirs, so both are kept.", { tone: "good" });
  if (outcome === "chosen") note("Saved as you chose.", { tone: "good" });
  if (outcome === "kept_theirs") note("Their version stays. Nothing of it was changed.");
}

/** A value in words. @param {string} field @param {any} value @param {any} ticket */
function said(field, value, ticket) {
  if (field === "status") return STATUS_NAMES[value];
  if (field === "priority") return PRIORITY_NAMES[value];
  if (field === "assignee_id") return value === null ? "Nobody" : ticket.assignee?.id === value ? name_of(ticket.assignee) : people.get(value) ?? `Person ${value}`;
  if (Array.isArray(value)) return value.join(", ") || "none";
  return String(value);
}
/** Names by id, as pickers and tickets showed them. @type {Map<number, string>} */
export const people = new Map();

/**
 * Show both values of each field; resolves with the values to send, null to keep theirs.
 * @param {any} current @param {{field: string, theirs: any, mine: any}[]} clashes
 * @returns {Promise<Record<string, any>|null>}
 */
export async function choose(current, clashes) {
  const answer = await open_dialog({
    title: `Ticket ${current.id} changed while you were editing`,
    wide: true,
    class: "conflict",
    body: (close) => {
      const parts = clashes.map((clash) => field_choice(clash, current));
      const send = () => close(Object.assign({}, ...parts.map((p) => p.read())));
      return h("form", { method: "dialog", onsubmit: (e) => { e.preventDefault(); send(); } },
        h("p.muted", "You and someone else changed the same thing. Choose what the ticket should say; nothing is lost until you do."),
        parts.map((p) => p.element),
        h("div.dialog__actions",
          h("button.button", { onclick: () => close(null) }, "Keep all of theirs"),
          h("button.button.button--primary", { type: "submit" }, "Save my choice")));
    },
  });
  return answer ?? null;
}

/** @param {{field: string, theirs: any, mine: any}} clash @param {any} current */
function field_choice({ field, theirs, mine }, current) {
  const is_text = field === "title" || field === "description";
  const side = (value, label, shown) =>
    h("label.conflict__side",
      h("span.conflict__label", h("input", { type: "radio", name: `choice-${field}`, value, checked: value === "mine" }), label), shown);
  const own = is_text
    ? h("textarea.input", { rows: field === "title" ? 2 : 8, value: mine, "aria-label": `Your ${field}`, oninput: () => { element.querySelector("input[value=mine]").checked = true; } })
    : h("div.conflict__value", said(field, mine, current));
  const element = h("fieldset.conflict__field", h("legend", FIELD_NAMES[field] ?? field),
    h("div.conflict__sides",
      side("theirs", "Theirs, as it is now", h("div.conflict__value", said(field, theirs, current))),
      side("mine", "Yours", own)));
  const read = () => (element.querySelector("input[value=mine]").checked ? { [field]: is_text ? own.value : mine } : {});
  return { element, read };
}
