// Who uses the desk: search, roles, who may sign in. For admins.
import * as api from "./api.js";
import { forget_agents } from "./agents.js";
import { note, note_error, say } from "./announce.js";
import { avatar, name_in_text, name_of, ROLE_NAMES } from "./badges.js";
import { confirmed } from "./dialog.js";
import { fill, h, hidden } from "./dom.js";
import { icon } from "./icons.js";
import { OPEN } from "./query.js";
import { user } from "./session.js";
import { when_typed } from "./typing.js";

const PAGE = 50;
const TYPING_MS = 320;

/** @returns {import("./router.js").View} */
export function people_view() {
  let offset = 0;
  let abort = new AbortController();
  const search = h("input.input.filters__search", { type: "search", "aria-label": "Search people", placeholder: "Name or username begins with" });
  const forget = when_typed(search, TYPING_MS, restart);
  const role = h("select.input.input--select", { "aria-label": "Role", onchange: restart }, h("option", { value: "" }, "Every role"), Object.keys(ROLE_NAMES).map((r) => h("option", { value: r }, ROLE_NAMES[r])));
  const active = h("select.input.input--select", { "aria-label": "State", onchange: restart }, [["", "Active or not"], ["true", "Active"], ["false", "Deactivated"]].map(([v, l]) => h("option", { value: v }, l)));
  const rows = h("tbody");
  const tail = h("div.tickets__tail");
  const element = h("section.page",
    h("header.page__header", h("h1.page__title", "People")),
    h("form.filters", { role: "search", onsubmit: (e) => e.preventDefault() }, h("span.filters__label", icon("search")), search, role, active),
    h("div.scroll", { tabindex: "0", role: "group", "aria-label": "People" }, h("table.table.people", h("thead", h("tr", ["Name", "Username", "Email", "Role", "May sign in"].map((c) => h("th", { scope: "col" }, c)))), rows)), tail);

  function restart() { offset = 0; load(); }
  async function load() {
    abort.abort();
    abort = new AbortController();
    const { signal } = abort;
    const params = new URLSearchParams({ limit: String(PAGE), offset: String(offset) });
    for (const [key, input] of [["q", search], ["role", role], ["active", active]]) if (input.value.trim()) params.set(key, input.value.trim());
    try {
      const { body } = await api.get(`/api/users?${params}`, { signal });
      const is_start = offset === 0;
      if (is_start) fill(rows);
      rows.append(...body.items.map(person_row));
      offset = body.next_offset ?? 0;
      const n = rows.children.length;
      if (is_start) say(n ? `${n}${body.next_offset === null ? "" : " or more"} ${n === 1 ? "person" : "people"}` : "Nobody matches");
      fill(tail, !rows.children.length && h("p.muted", "Nobody matches."), body.next_offset !== null && h("button.button", { onclick: load }, "Load more"));
    } catch (error) {
      if (!signal.aborted) fill(tail, h("p.form-error", { role: "alert" }, error.message), h("button.button", { onclick: restart }, "Try again"));
    }
  }

  function person_row(p) {
    const choose = h("select.input.input--select", { "aria-label": `Role of ${name_of(p)}`, onchange: change_role }, Object.keys(ROLE_NAMES).map((r) => h("option", { value: r, selected: r === p.role }, ROLE_NAMES[r])));
    const box = h("input", { type: "checkbox", checked: p.active, onchange: async () => {
      const sure = box.checked || (await confirmed(["Deactivate ", name_in_text(p), "?"], `They are signed out everywhere at once and cannot sign in again. Their tickets stay. ${await open_tickets_said(p)}`, "Deactivate"));
      if (sure) save({ active: box.checked }); else box.checked = true;
    } });
    const row = h("tr", { class: p.active ? null : "people__off" },
      h("th", { scope: "row" }, h("span.person", avatar(p), h("bdi.person__name", name_of(p)), p.id === user().id && h("span.tag", "you"))),
      h("td", p.username), h("td", h("bdi", p.email ?? "")), h("td", choose), h("td", h("label.check", box, hidden(`${name_of(p)} may sign in`), h("span", { "aria-hidden": "true" }, p.active ? "Yes" : "No"))));
    async function change_role() {
      const wanted = choose.value;
      const what = { admin: "They can do everything, manage people included.", agent: "They see and work on all tickets.", user: "They see only the tickets that they opened." }[wanted];
      if (await confirmed(["Make ", name_in_text(p), ` ${ROLE_NAMES[wanted].toLowerCase()}?`], what ?? "", "Change the role")) save({ role: wanted });
      else choose.value = p.role;
    }
    async function save(change) {
      try {
        const { body } = await api.patch(`/api/users/${p.id}`, change);
        forget_agents();
        note([name_in_text(body), `: ${ROLE_NAMES[body.role]}${body.active ? "" : ", deactivated"}.`], { tone: "good" });
        row.replaceWith(person_row(body));
      } catch (error) {
        note_error(error);
        row.replaceWith(person_row(p));
      }
    }
    return row;
  }
  /** @param {any} p @returns {Promise<string>} */
  async function open_tickets_said(p) {
    const answer = await api.get(`/api/tickets?assignee_id=${p.id}&status=${OPEN.join(",")}&limit=100`, { quick: true }).catch(() => null);
    const n = answer?.body.items.length ?? 0;
    if (!n) return "";
    return `${n}${answer?.body.next_offset === null ? "" : " or more"} open ${n === 1 ? "ticket is" : "tickets are"} assigned to them, and will wait until somebody takes them over.`;
  }
  load();
  return { element, title: "People", close: () => { forget(); abort.abort(); } };
}
