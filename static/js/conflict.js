// Saves an edit with the version it began from. When the ticket moved on meanwhile: fields that nobody
// else touched go onto the new version; fields that both touched are shown side by side, and a person chooses.
import * as api from "./api.js";
import { note } from "./announce.js";
import { name_in_text, name_of, PRIORITY_NAMES, STATUS_NAMES } from "./badges.js";
import { open_dialog } from "./dialog.js";
import { h, one_line } from "./dom.js";
import { too_long } from "./lengths.js";
import { desk, user } from "./session.js";
import { last_hand, sort_edit } from "./merge.js";

/**
 * @typedef {{ticket: any, outcome: "saved"|"merged"|"chosen"|"kept_theirs"|"undecided", hand?: any, typed?: Record<string, string>}} Saved
 * @typedef {{key?: string, by?: number|null, ask?: (current: any, clashes: any[], hand: any) => Promise<any>}} SaveOptions
 * `ask` gives null to keep theirs without asking; `by` is the person for whom it is saved
 *
 * `hand` is the person who had changed it meanwhile, null where the timeline does not name one.
 * "undecided": the person left the choice, with the texts as they were typed there; nothing was sent
 */

const OWN_MAX = 50; // tickets whose own edits are remembered
const FIELD_NAMES = /** @type {Record<string, string>} */ ({ title: "Title", description: "Description", status: "Status", priority: "Priority", tags: "Tags", assignee_id: "Assignee", sla_minutes: "SLA minutes" });

/**
 * @param {any} base the ticket that the edit began from
 * @param {Record<string, any>} edits under PATCH's names
 * @param {SaveOptions} [options]
 * @returns {Promise<Saved>}
 */
export function save(base, edits, options = {}) {
  // One after the other: a second edit begins from what the first one made.
  const before = queues.get(base.id) ?? Promise.resolve();
  const given = { by: api.sender(), ...options };
  const saving = before.then(() => save_now(own_version(base), edits, given));
  const settled = saving.then(() => {}, () => {});
  queues.set(base.id, settled);
  settled.then(() => { if (queues.get(base.id) === settled) queues.delete(base.id); });
  return saving;
}
/** The edits of each ticket that are under way. @type {Map<number, Promise<void>>} */
const queues = new Map();
/** The newest result of own edits, and the version from which on nobody else changed the ticket. @type {Map<number, {since: number, ticket: any}>} */
const own = new Map();

/** The ticket as own edits left it, where nothing but those happened since `base`. @param {any} base */
function own_version(base) {
  const last = own.get(base.id);
  return last && last.since <= base.version && base.version < last.ticket.version ? last.ticket : base;
}
/** @param {any} before @param {any} after */
function remember(before, after) {
  const last = own.get(after.id);
  const since = last && last.ticket.version === before.version ? last.since : before.version;
  own.delete(after.id);
  own.set(after.id, { since, ticket: after });
  if (own.size > OWN_MAX) own.delete([...own.keys()][0]);
}

/** @param {any} base @param {Record<string, any>} edits @param {SaveOptions} options @returns {Promise<Saved>} */
async function save_now(base, edits, { key = api.new_key(), ask = choose, by }) {
  let from = base;
  let to_send = edits;
  /** @type {any} */ let hand = null;
  /** @type {"saved"|"merged"|"chosen"} */
  let outcome = "saved";
  for (;;) {
    try {
      const answer = await api.patch(`/api/tickets/${base.id}`, { version: from.version, ...to_send }, { key, by });
      remember(from, answer.body);
      return { ticket: answer.body, outcome, hand };
    } catch (error) {
      if (error.code !== "VERSION_MISMATCH") throw error;
      const { current, changed } = error.body;
      hand = last_hand(current, changed);
      const { send, clashes } = sort_edit(from, current, changed, to_send);
      if (clashes.length) {
        const choice = await ask(current, clashes, hand);
        if (choice?.typed) return { ticket: current, outcome: "undecided", typed: choice.typed };
        if (!choice) return { ticket: current, outcome: "kept_theirs", hand };
        Object.assign(send, choice.values);
        outcome = "chosen";
      } else if (outcome === "saved") outcome = "merged";
      if (!Object.keys(send).length) return { ticket: current, outcome: clashes.length ? "kept_theirs" : "merged", hand };
      from = current;
      to_send = send;
      key = api.new_key(); // another request: the old key belongs to the old body
    }
  }
}

/** @param {any} hand */
export const is_own = (hand) => hand !== null && hand?.id === user().id;

/** Say how a save went, where it did not simply go. @param {string} outcome @param {any} [hand] who had changed the ticket */
export function note_outcome(outcome, hand) {
  if (outcome === "merged" && is_own(hand)) note("You changed this ticket in another window meanwhile. Both changes are kept.", { tone: "good" });
  else if (outcome === "merged") note([name_in_text(hand, "Someone else"), ` changed this ticket meanwhile. Your change did not touch theirs, so both are kept.`], { tone: "good" });
  if (outcome === "chosen") note("Saved as you chose.", { tone: "good" });
  if (outcome === "kept_theirs") note(is_own(hand) ? "What you set in the other window stays." : "Their version stays. Nothing of it was changed.");
  if (outcome === "undecided") note("Nothing was saved: you have not chosen yet.");
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
 * Show both values of each field; resolves with the values to send, null to keep theirs, or, when it is
 * dismissed, with what was typed.
 * @param {any} current @param {{field: string, theirs: any, mine: any}[]} clashes @param {any} hand who changed it
 * @returns {Promise<{values: Record<string, any>, typed?: undefined}|{typed: Record<string, string>}|null>}
 */
export async function choose(current, clashes, hand) {
  const parts = clashes.map((clash) => field_choice(clash, current));
  parts[0].element.querySelector("input[type=radio]").setAttribute("autofocus", "");
  const answer = await open_dialog({
    title: `Ticket ${current.id} changed while you were editing`,
    wide: true,
    class: "conflict",
    body: (close) => {
      const error = h("p.form-error", { role: "alert" });
      function send() {
        const values = Object.assign({}, ...parts.map((p) => p.read()));
        error.textContent = ["title", "description"].map((f) => too_long(values[f] ?? "", desk().limits[`${f}_characters`])).find(Boolean) ?? "";
        if (!error.textContent) close({ values });
      }
      return h("form", { method: "dialog", onsubmit: (e) => { e.preventDefault(); send(); } },
        h("p.muted", is_own(hand) ? "You changed the same thing in another window." : ["You and ", h("bdi", hand ? name_of(hand) : "someone else"), " changed the same thing."], " Choose what the ticket should say; nothing is lost until you do."),
        parts.map((p) => p.element), error,
        h("div.dialog__actions",
          h("button.button", { onclick: () => close(null) }, "Keep all of theirs"),
          h("button.button.button--primary", { type: "submit" }, "Save my choice")));
    },
  });
  return answer === undefined ? { typed: Object.assign({}, ...parts.map((p) => p.typed())) } : answer;
}

/** @param {{field: string, theirs: any, mine: any}} clash @param {any} current */
function field_choice({ field, theirs, mine }, current) {
  const is_text = field === "title" || field === "description";
  const side = (value, label, shown) =>
    h("label.conflict__side",
      h("span.conflict__label", h("input", { type: "radio", name: `choice-${field}`, value, checked: value === "mine" }), label), shown);
  const own = is_text
    ? h("textarea.input", { rows: field === "title" ? 2 : 8, value: mine, "aria-label": `Your ${field}`, oninput: () => { element.querySelector("input[value=mine]").checked = true; } })
    : h("div.conflict__value", { dir: "auto" }, said(field, mine, current));
  const element = h("fieldset.conflict__field", h("legend", FIELD_NAMES[field] ?? field),
    h("div.conflict__sides",
      side("theirs", "Theirs, as it is now", h("div.conflict__value", { dir: "auto" }, said(field, theirs, current))),
      side("mine", "Yours", own)));
  const read = () => (element.querySelector("input[value=mine]").checked ? { [field]: is_text ? own_text() : mine } : {});
  const own_text = () => (field === "title" ? one_line(own.value) : own.value);
  return { element, read, typed: () => (is_text ? { [field]: own_text() } : {}) };
}
