// A timeline entry as a sentence.
import { agents } from "./agents.js";
import { name_of, PRIORITY_NAMES, STATUS_NAMES } from "./badges.js";
import { people } from "./conflict.js";
import { h } from "./dom.js";
import { is_staff } from "./session.js";
import { minutes_said } from "./time.js";

/** Remember the people of a ticket: entries name assignees by id only. @param {any} ticket */
export function meet_people(ticket) {
  const all = [ticket.creator, ticket.assignee, ...(ticket.comments ?? []).map((c) => c.author), ...(ticket.timeline ?? []).map((e) => e.actor)];
  for (const person of all) if (person) people.set(person.id, name_of(person));
}

/** @param {any} entry @returns {any[]} what follows the actor's name */
export function entry_words(entry) {
  if (entry.action === "created") return ["opened the ticket"];
  if (entry.action === "commented") return ["wrote ", h("a", { href: `#comment-${entry.data.comment_id}` }, "a reply")];
  if (entry.action === "sla_breached") return ["the time to resolve ran out"];
  const changes = Object.entries(entry.data.changes ?? {});
  if (!changes.length) return [entry.action.replaceAll("_", " ")];
  return changes.flatMap(([field, [was, is]], i) => [i > 0 && ", ", ...change_words(field, was, is, entry.actor)]);
}

/** The same, as plain text for announcements. @param {any} entry */
export function entry_said(entry) {
  const words = entry_words(entry).map((w) => (w instanceof Node ? w.textContent : w || "")).join("");
  return entry.actor ? `${name_of(entry.actor)} ${words}` : words[0].toUpperCase() + words.slice(1);
}

/** @param {string} field @param {any} was @param {any} is @param {any} actor */
function change_words(field, was, is, actor) {
  const b = (text) => h("strong", h("bdi", String(text)));
  if (field === "status") return ["set the status to ", b(STATUS_NAMES[is]), ` (was ${STATUS_NAMES[was]?.toLowerCase()})`];
  if (field === "priority") return ["set the priority to ", b(PRIORITY_NAMES[is]), ` (was ${PRIORITY_NAMES[was]?.toLowerCase()})`];
  if (field === "assignee_id") return assignee_words(was, is, actor?.id, b);
  if (field === "tags") return tag_words(was, is, b);
  if (field === "sla_minutes") return ["set the time to resolve to ", b(minutes_said(is))];
  if (field === "title") return ["changed the title to ", b(is)];
  return [`changed the ${field.replaceAll("_", " ")}`];
}

/** Nobody reads their own name twice. @param {number|null} was @param {number|null} is @param {number|undefined} by @param {(t: any) => any} b */
function assignee_words(was, is, by, b) {
  if (is === null) return was === by ? ["gave it back"] : ["took ", b(person(was)), " off"];
  if (is !== by) return ["assigned it to ", b(person(is))];
  return was === null ? ["took it"] : ["took it from ", b(person(was))];
}

/** @param {string[]} was @param {string[]} is @param {(t: any) => any} b */
function tag_words(was, is, b) {
  const added = is.filter((t) => !was.includes(t));
  const gone = was.filter((t) => !is.includes(t));
  return [added.length > 0 && ["tagged it ", b(added.join(", "))], added.length > 0 && gone.length > 0 && " and ", gone.length > 0 && ["took off the tag ", b(gone.join(", "))]].flat();
}

const person = (id) => people.get(id) ?? "someone at the desk";

/** Entries name assignees by id; staff can look the unknown ones up. @param {any[]} timeline */
export async function meet_assignees(timeline) {
  const ids = timeline.flatMap((e) => e.data.changes?.assignee_id ?? []).filter((v) => v !== null && !people.has(v));
  if (ids.length && is_staff()) for (const p of await agents().catch(() => [])) people.set(p.id, name_of(p));
}
