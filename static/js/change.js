// Changing one ticket by picking: status, priority, assignee, tags. The list, the ticket page, the bulk bar
// and the keyboard all come through here.
import { note, note_error } from "./announce.js";
import { assignee_options } from "./agents.js";
import { name_of, PRIORITY_NAMES, priority_badge, status_badge, STATUS_NAMES } from "./badges.js";
import { note_outcome, people, save } from "./conflict.js";
import { h } from "./dom.js";
import { same, value_of } from "./merge.js";
import { pick } from "./picker.js";
import { user } from "./session.js";
import { is_tag, normal_tag } from "./tags.js";

/** @typedef {"status"|"priority"|"assignee_id"|"tags"} Field */

/**
 * Let a person pick a new value; undefined when dismissed.
 * @param {Field} field @param {any} value the present one @param {Element|null} [anchor] @param {string[]} [known_tags]
 */
export async function pick_value(field, value, anchor = null, known_tags = []) {
  if (field === "status") return pick({ title: "Status", value, anchor, options: Object.keys(STATUS_NAMES).map((v) => ({ value: v, label: STATUS_NAMES[v], sign: status_badge(v) })) });
  if (field === "priority") return pick({ title: "Priority", value, anchor, options: Object.keys(PRIORITY_NAMES).map((v) => ({ value: v, label: PRIORITY_NAMES[v], sign: priority_badge(v) })) });
  if (field === "tags") return pick_tags(value, anchor, known_tags);
  const options = await assignee_options();
  for (const o of options) people.set(o.value, o.label);
  return pick({ title: "Assignee", value, anchor, options });
}

/** @param {string[]} value @param {Element|null} anchor @param {string[]} known */
function pick_tags(value, anchor, known) {
  const names = [...new Set([...value, ...known])].sort();
  return pick({
    title: "Tags", value, multiple: true, anchor, options: names.map((tag) => ({ value: tag, label: tag })),
    none: "A tag has letters, digits, - and _, at most 40 of them",
    fresh: (text) => {
      const tag = normal_tag(text);
      return is_tag(tag) ? { value: tag, label: tag, hint: "new tag" } : null;
    },
  });
}

/**
 * Pick and save. `apply` gets the ticket as it is after that.
 * @param {any} ticket @param {Field} field @param {Element|null} anchor @param {(ticket: any) => void} apply
 */
export async function change(ticket, field, anchor, apply, known_tags = []) {
  try {
    const value = await pick_value(field, value_of(ticket, field), anchor, known_tags);
    if (value !== undefined) await set_field(ticket, { [field]: value }, apply);
  } catch (error) { note_error(error); }
}

/** @param {any} ticket @param {(ticket: any) => void} apply */
export async function assign_to_me(ticket, apply) {
  const me = user();
  if (ticket.assignee?.id === me.id) return note(`Ticket ${ticket.id} is yours already.`);
  return set_field(ticket, { assignee_id: me.id }, apply).catch(note_error);
}

/** @param {any} ticket @param {Record<string, any>} edits @param {(ticket: any) => void} apply */
export async function set_field(ticket, edits, apply) {
  if (Object.entries(edits).every(([k, v]) => same(v, value_of(ticket, k)))) return;
  const { ticket: after, outcome, hand } = await save(ticket, edits);
  apply(after);
  if (outcome === "saved") note([`Ticket ${after.id}: `, said_edits(edits, after), "."], { tone: "good" });
  else note_outcome(outcome, hand);
}

/** @param {Record<string, any>} edits @param {any} ticket @returns {any[]} words, and names as nodes */
export function said_edits(edits, ticket) {
  return Object.entries(edits).flatMap(([field, value], i) => [i > 0 && ", ", said_edit(field, value, ticket)]);
}
/** @param {string} field @param {any} value @param {any} ticket */
function said_edit(field, value, ticket) {
  if (field === "status") return STATUS_NAMES[value].toLowerCase();
  if (field === "priority") return `${PRIORITY_NAMES[value].toLowerCase()} priority`;
  if (field === "assignee_id") return value === null ? "unassigned" : ["assigned to ", value === user().id ? "you" : h("bdi", ticket ? name_of(ticket.assignee) : people.get(value) ?? "them")];
  if (field === "tags") return "tags changed";
  return `${field.replace("_", " ")} changed`;
}

