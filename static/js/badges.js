// Small standing signs: status, priority, people, tags, marked text.
import { h, hidden, svg } from "./dom.js";
import { isolated } from "./direction.js";
import { segments } from "./marks.js";

export const STATUS_NAMES = /** @type {Record<string, string>} */ ({ open: "Open", in_progress: "In progress", pending: "Pending", resolved: "Resolved", closed: "Closed" });
export const PRIORITY_NAMES = /** @type {Record<string, string>} */ ({ low: "Low", medium: "Medium", high: "High", urgent: "Urgent" });
export const ROLE_NAMES = /** @type {Record<string, string>} */ ({ user: "Requester", agent: "Agent", admin: "Admin" });

// Each status has a shape of its own, so that none is told by colour alone.
/** @type {Record<string, any[]>} */
const GLYPHS = {
  open: [["circle", { cx: 6, cy: 6, r: 4.25, class: "glyph__line" }]],
  in_progress: [["circle", { cx: 6, cy: 6, r: 4.25, class: "glyph__line" }], ["path", { d: "M6 1.75a4.25 4.25 0 0 1 0 8.5z", class: "glyph__fill" }]],
  pending: [["path", { d: "M4 2.5v7M8 2.5v7", class: "glyph__line" }]],
  resolved: [["circle", { cx: 6, cy: 6, r: 5, class: "glyph__fill" }], ["path", { d: "M3.7 6.2 5.3 7.8 8.4 4.5", class: "glyph__cut" }]],
  closed: [["path", { d: "M2.25 2.25h7.5v7.5h-7.5z", class: "glyph__line" }, ], ["path", { d: "M4.2 6h3.6", class: "glyph__line" }]],
};

/** @param {string} status */
export function status_badge(status) {
  const glyph = svg("svg", { viewBox: "0 0 12 12", class: "glyph", "aria-hidden": "true" }, (GLYPHS[status] ?? GLYPHS.open).map(([tag, props]) => svg(tag, props)));
  return h("span", { class: `badge badge--${status}` }, hidden("Status: "), glyph, STATUS_NAMES[status] ?? status);
}

/** Bars as on a signal meter. @param {string} priority */
export function priority_badge(priority) {
  const level = Object.keys(PRIORITY_NAMES).indexOf(priority);
  const bars = [0, 1, 2, 3].map((i) => svg("rect", { x: 1 + i * 2.75, y: 8.5 - i * 2.25, width: 1.75, height: 2.5 + i * 2.25, rx: 0.5, class: i <= level ? "glyph__fill" : "glyph__dim" }));
  return h("span", { class: `badge badge--priority badge--${priority}` }, hidden("Priority: "),
    svg("svg", { viewBox: "0 0 12 12", class: "glyph", "aria-hidden": "true" }, bars), h("span.badge__word", PRIORITY_NAMES[priority] ?? priority));
}

/** What a person is called. @param {any} person @param {string} [none] */
export const name_of = (person, none = "Nobody") => (person ? person.name || person.username : none);

/** The same among other words, whatever direction it is written in. @param {any} person @param {string} [none] */
export const name_in_text = (person, none = "Nobody") => h("bdi", name_of(person, none));

/** Initials in a disc. @param {any} person */
export function avatar(person) {
  const name = name_of(person, "·");
  const initials = name.split(/[\s._@+-]+/).filter(Boolean).slice(0, 2).map((w) => [...w][0].toUpperCase()).join("");
  return h("span", { class: `avatar avatar--${person ? person.id % 6 : "none"}`, "aria-hidden": "true" }, initials || "?");
}

/** @param {any} person @param {{role?: string, none?: string}} [options] `role` is said to screen readers */
export function person_badge(person, { role = "", none = "Unassigned" } = {}) {
  return h("span", { class: `person${person ? "" : " person--none"}`, title: person ? `${isolated(name_of(person))} (${person.username}), ${ROLE_NAMES[person.role] ?? person.role}` : none },
    role && hidden(`${role}: `), avatar(person), h("bdi.person__name", name_of(person, none)));
}

/** @param {string[]} tags */
export function tag_list(tags) {
  return tags.map((tag) => h("bdi.tag", tag));
}

/** Text with its search terms marked. @param {string} text @param {string[]} terms */
export function marked(text, terms) {
  return segments(text, terms).map((s) => (s.hit ? h("mark", s.text) : s.text));
}
