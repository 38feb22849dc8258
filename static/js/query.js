// The filters of a list: the address bar's parameters are the API's own. Pure.
import { has_all, terms_of } from "./marks.js";

/** @typedef {{q: string, status: string[], priority: string[], assignee_id: string, creator_id: string, tag: string, breached: string, sort: string}} Query */

export const OPEN = ["open", "in_progress", "pending"];
const KEYS = ["q", "status", "priority", "assignee_id", "creator_id", "tag", "breached", "sort"];

/** @param {string} search the address bar's `?...` @returns {Query} */
export function read_query(search) {
  const params = new URLSearchParams(search);
  const many = (key) => params.getAll(key).flatMap((v) => v.split(",")).filter(Boolean);
  const one = (key) => params.get(key) ?? "";
  return {
    q: one("q"), status: many("status"), priority: many("priority"), assignee_id: one("assignee_id"),
    creator_id: one("creator_id"), tag: one("tag"), breached: one("breached"), sort: one("sort"),
  };
}

/** The shortest `?...` for a query; empty for none. @param {Partial<Query>} query */
export function write_query(query) {
  const parts = [];
  for (const key of KEYS) {
    const value = /** @type {any} */ (query)[key];
    const said = Array.isArray(value) ? value.join(",") : value;
    if (said) parts.push(`${key}=${encodeURIComponent(said).replaceAll("%2C", ",").replaceAll("%20", "+")}`);
  }
  return parts.length ? `?${parts.join("&")}` : "";
}

/** @param {Query} query */
export function is_plain(query) {
  return !write_query({ ...query, sort: "" });
}

/**
 * Whether a ticket that came over the live stream belongs in a list. With `q` it is a guess from title
 * and description: comments are not in the event.
 * @param {Query} query @param {any} ticket @param {{id: number}} me
 */
export function matches(query, ticket, me) {
  const person = (wanted, who) =>
    wanted === "none" ? who === null : who !== null && String(who.id) === (wanted === "me" ? String(me.id) : wanted);
  if (query.status.length && !query.status.includes(ticket.status)) return false;
  if (query.priority.length && !query.priority.includes(ticket.priority)) return false;
  if (query.assignee_id && !person(query.assignee_id, ticket.assignee)) return false;
  if (query.creator_id && !person(query.creator_id, ticket.creator)) return false;
  if (query.tag && !ticket.tags.includes(query.tag.toLowerCase())) return false;
  if (query.breached && String(ticket.breached) !== query.breached) return false;
  const terms = terms_of(query.q);
  if (query.q.trim() === `#${ticket.id}`) return true;
  return has_all([ticket.title, ticket.description, ...ticket.tags].join("\n"), terms);
}
