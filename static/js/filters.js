// The bar above the list: search and filters. It speaks in queries; the address bar is written elsewhere.
import { agents, assignee_options } from "./agents.js";
import { note_error } from "./announce.js";
import { name_of, PRIORITY_NAMES, priority_badge, status_badge, STATUS_NAMES } from "./badges.js";
import { people } from "./conflict.js";
import { fill, h, hidden, uid } from "./dom.js";
import { icon } from "./icons.js";
import { same } from "./merge.js";
import { pick } from "./picker.js";
import { is_plain, OPEN } from "./query.js";
import { is_staff } from "./session.js";
import { normal_tag } from "./tags.js";
import { when_typed } from "./typing.js";

const TYPING_MS = 320;
const SORTS = [["", "Newest first"], ["created_at", "Oldest first"], ["-updated_at", "Last changed"], ["sla_deadline", "Due first"], ["-priority", "Priority"]];

/**
 * @param {(query: import("./query.js").Query, how: {typing: boolean}) => void} on_query
 * @param {() => string[]} known_tags
 */
export function filter_bar(on_query, known_tags) {
  /** @type {import("./query.js").Query} */
  let query;
  const search_id = uid("search");
  const search = h("input.input.filters__search", { id: search_id, type: "search", placeholder: "Search title, text and replies", autocomplete: "off", "aria-keyshortcuts": "/",
  });
  const typed = () => { forget(); if (search.value.trim() !== query.q) { typing = true; on_query({ ...query, q: search.value.trim(), sort: query.sort === "relevance" ? "" : query.sort }, { typing: true }); } };
  let typing = false;
  const forget = when_typed(search, TYPING_MS, typed);
  const chips = h("div.filters__chips");
  const sort = h("select.input.input--select.filters__sort", { "aria-label": "Sort by", onchange: () => on_query({ ...query, sort: sort.value }, { typing: false }) });
  const form = h("form.filters", { role: "search", onsubmit: (e) => { e.preventDefault(); typed(); } },
    h("label.filters__label", { for: search_id }, hidden("Search tickets"), icon("search")), search, chips, sort);

  const set = (part) => on_query({ ...query, ...part }, { typing: false });
  const chip = (label, value, click) =>
    h("button", { class: `chip${value ? " chip--on" : ""}`, "aria-haspopup": "dialog", onclick: async (e) => { try { await click(e.currentTarget); } catch (error) { note_error(error); } } },
      h("span", label), value && hidden(": "), value && h("bdi.chip__value", value), icon("chevron", "small"));

  function paint_chips() {
    const list = (names, sign) => Object.keys(names).map((v) => ({ value: v, label: names[v], sign: sign(v) }));
    fill(chips,
      chip("Status", status_said(query.status), async (a) => {
        const value = await pick({ title: "Status", multiple: true, value: query.status, anchor: a, options: list(STATUS_NAMES, status_badge) });
        if (value) set({ status: value });
      }),
      chip("Priority", query.priority.map((p) => PRIORITY_NAMES[p] ?? p).join(", "), async (a) => {
        const value = await pick({ title: "Priority", multiple: true, value: query.priority, anchor: a, options: list(PRIORITY_NAMES, priority_badge) });
        if (value) set({ priority: value });
      }),
      is_staff() && chip("Assignee", assignee_said(query.assignee_id), async (a) => {
        const people = (await assignee_options()).filter((o) => o.value !== null).map((o, i) => ({ ...o, value: i === 0 ? "me" : String(o.value) }));
        const value = await pick({ title: "Assignee", value: query.assignee_id, anchor: a, options: [{ value: "", label: "Anyone" }, { value: "none", label: "Nobody" }, ...people] });
        if (value !== undefined) set({ assignee_id: value });
      }),
      chip("Tag", query.tag, async (a) => {
        const value = await pick({ title: "Tag", value: query.tag, anchor: a, options: [{ value: "", label: "Any tag" }, ...known_tags().map((t) => ({ value: t, label: t }))], fresh: (t) => ({ value: normal_tag(t), label: normal_tag(t) }) });
        if (value !== undefined) set({ tag: value });
      }),
      h("button", { class: `chip${query.breached === "true" ? " chip--on" : ""}`, "aria-pressed": String(query.breached === "true"), onclick: () => set({ breached: query.breached === "true" ? "" : "true" }) }, "Breached"),
      !is_plain(query) && h("button.chip.chip--clear", { onclick: () => set({ q: "", status: [], priority: [], assignee_id: "", creator_id: "", tag: "", breached: "" }) }, icon("close", "small"), "Clear", hidden(" the filters")));
  }

  return {
    element: form,
    focus: () => { search.focus(); search.select(); },
    close: forget,
    /** @param {import("./query.js").Query} next */
    show(next) {
      const held = chips.contains(document.activeElement) ? [...chips.children].indexOf(/** @type {any} */ (document.activeElement)) : -1;
      query = next;
      // What one is typing is newer than the address; what Back brought is not.
      if (!typing || document.activeElement !== search) search.value = next.q;
      typing = false;
      if (is_staff() && /^\d+$/.test(next.assignee_id) && !people.has(Number(next.assignee_id))) {
        agents().then((all) => { for (const p of all) people.set(p.id, name_of(p)); paint_chips(); }, () => {});
      }
      const options = next.q ? [["", "Best match"], ["-created_at", "Newest first"], ...SORTS.slice(1)] : SORTS;
      const known = options.some(([v]) => v === next.sort);
      fill(sort, options.map(([v, label]) => h("option", { value: v }, label)), !known && h("option", { value: next.sort }, next.sort.replaceAll("_", " ")));
      sort.value = next.sort;
      paint_chips();
      if (held >= 0) /** @type {HTMLElement} */ (chips.children[Math.min(held, chips.children.length - 1)]).focus();
    },
  };
}

/** @param {string} id */
function assignee_said(id) {
  if (id === "me") return "me";
  return id === "none" ? "nobody" : id && (people.get(Number(id)) ?? `person ${id}`);
}

/** @param {string[]} status */
function status_said(status) {
  return same(status, OPEN) ? "unfinished" : status.map((s) => STATUS_NAMES[s] ?? s).join(", ");
}
