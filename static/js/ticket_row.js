// One ticket in the list.
import { ago, sla_clock } from "./clock.js";
import { marked, name_in_text, person_badge, priority_badge, status_badge, tag_list } from "./badges.js";
import { h, hidden, refill } from "./dom.js";
import { snippet } from "./marks.js";
import { is_staff } from "./session.js";

/**
 * @typedef {{selected: boolean, terms: string[], on_select: (on: boolean, range: boolean) => void, on_change: (field: import("./change.js").Field, anchor: Element) => void}} RowOptions
 */

/** @param {any} ticket @param {RowOptions} options @returns {HTMLLIElement} */
export function ticket_row(ticket, options) {
  const staff = is_staff();
  const cell = (name, content, field) => {
    if (!staff) return h("span", { class: `row__${name}` }, content);
    return h("button", { class: `row__${name} row__button`, dataset: { part: name }, "aria-haspopup": "dialog",
      onclick: (e) => options.on_change(field, e.currentTarget) }, content);
  };
  return h("li", { class: `row${staff ? " row--staff" : ""}${ticket.left ? " row--left" : ""}${options.selected ? " row--selected" : ""}`, dataset: { id: ticket.id } },
    staff && h("label.row__check", hidden(`Select ticket ${ticket.id}`),
      h("input", { type: "checkbox", checked: options.selected, dataset: { part: "check" }, onclick: (e) => options.on_select(e.target.checked, e.shiftKey) })),
    h("div.row__main",
      h("a.row__title", { href: `/tickets/${ticket.id}`, dataset: { part: "title" }, dir: "auto" }, marked(ticket.title, options.terms)),
      options.terms.length > 0 && h("p.row__snippet", { dir: "auto" }, marked(snippet(ticket.description, options.terms), options.terms)),
      h("span.row__extra",
        ticket.left && h("span.row__left-note", "no longer in this view"),
        h("span.row__creator", hidden("Requester: "), name_in_text(ticket.creator)), ago(ticket.created_at), tag_list(ticket.tags),
        ticket.comment_count > 0 && `${ticket.comment_count} ${ticket.comment_count === 1 ? "reply" : "replies"}`)),
    h("span.row__number", hidden("Ticket "), String(ticket.id)),
    cell("status", status_badge(ticket.status), "status"),
    cell("priority", priority_badge(ticket.priority), "priority"),
    cell("assignee", person_badge(ticket.assignee, { role: "Assignee" }), "assignee_id"),
    h("span.row__clock", sla_clock(ticket)));
}

/** Bring a row that stands up to date. @param {Element} old @param {HTMLElement} fresh */
export function renew_row(old, fresh) {
  refill(old, fresh);
  old.className = fresh.className;
  old.getBoundingClientRect(); // so that the flash begins anew
  old.classList.add("row--changed");
}
