// The list of tickets: filters in the address bar, rows in step with the live stream, choosing many.
import { note, say } from "./announce.js";
import { assign_to_me, change } from "./change.js";
import { isolated } from "./direction.js";
import { fill, h } from "./dom.js";
import { filter_bar } from "./filters.js";
import { icon } from "./icons.js";
import { use_keys } from "./keys.js";
import { terms_of } from "./marks.js";
import { is_plain, read_query, write_query } from "./query.js";
import { go, set_title } from "./router.js";
import { is_staff } from "./session.js";
import { TicketList } from "./ticket_list.js";
import { renew_row, ticket_row } from "./ticket_row.js";
import { standing_views } from "./views.js";

/** The last list, kept in step while a ticket is open, so that going back is instant and in place. @type {{search: string, list: TicketList}|null} */
let kept = null;

/** Signed out: nothing of one person's list is kept for the next. */
export function forget_list() { kept?.list.close(); kept = null; }

/** @param {import("./router.js").Context} context @returns {import("./router.js").View} */
export function list_view(context) {
  let query = read_query(context.search);
  let search = write_query(query);
  /** @type {TicketList} */ let list;
  let stop_list = () => {};
  /** @type {Set<number>} */ const selected = new Set();
  let last_selected = 0;
  /** Whether what was found has been announced. */ let is_said = false;

  const heading = h("h1.page__title", { tabindex: "-1" });
  const count = h("p.page__count.muted");
  const rows = h("ol.tickets", { "aria-label": "Tickets" });
  const news = h("button.news", { hidden: true, onclick: () => { list.show_news(); focus_row(0); } });
  const tail = h("div.tickets__tail");
  const filters = filter_bar((next, { typing }) => go(`/tickets${write_query(next)}`, { replace: typing, keep_focus: true }), () => known_tags());
  const known_tags = () => [...new Set(list.items.flatMap((t) => t.tags))].sort();
  const bulk_place = h("div.bulk__place");
  /** @type {Promise<any>|null} */ let bulk = null;
  /** The bar for many, fetched with the first selection. */
  function with_bulk() {
    bulk ??= import("./bulk.js").catch((error) => {
      bulk = null; // the next selection tries again
      note("The bar for several tickets has not come: the network is away. Select again to retry.", { tone: "bad" });
      throw error;
    }).then(({ bulk_bar }) => {
      const bar = bulk_bar({ chosen: () => list.items.filter((t) => selected.has(t.id)), apply: (t) => list.apply(t), clear: () => { selected.clear(); paint(); }, known_tags });
      bulk_place.replaceWith(bar.element);
      return bar;
    });
    return bulk;
  }
  const element = h("section.page.page--list",
    h("header.page__header", heading, count,
      h("a.button.button--primary.page__new", { href: "/tickets/new" }, icon("plus"), "New ticket")),
    filters.element, news,
    h("div.tickets__head", { "aria-hidden": "true" }, ["", "No.", "Title", "Status", "Priority", "Assignee", "Time left"].map((t) => h("span", t))),
    rows, tail, bulk_place);
  element.classList.toggle("page--staff", is_staff());

  const watcher = new IntersectionObserver((seen) => { if (seen.some((s) => s.isIntersecting)) list.more(); }, { rootMargin: "600px" });

  /** @param {boolean} reuse */
  function open(reuse) {
    stop_list();
    if (!(reuse && kept?.search === search)) {
      kept?.list.close();
      kept = { search, list: new TicketList(query) };
    }
    list = kept.list;
    selected.clear();
    stop_list = list.listen(heard);
    const standing = standing_views().find((v) => v.search === search);
    fill(heading, query.q ? ["Search: ", h("bdi", query.q)] : standing?.name ?? "Tickets");
    set_title(title_said());
    is_said = false;
    filters.show(query);
    if (list.loaded) paint();
    else { fill(rows, skeletons()); fill(tail); count.textContent = ""; list.more(); }
  }

  const title_said = () => (query.q ? `Search: ${isolated(query.q)}` : heading.textContent ?? "");

  /** @param {import("./ticket_list.js").Change} change */
  function heard(change) {
    if (change.kind === "failed") return paint_failure(change.error);
    if (change.kind === "news") return paint_news();
    if (change.kind === "loaded") return paint();
    const old = rows.querySelector(`[data-id="${change.ticket.id}"]`);
    if (old) renew_row(old, row_of(change.ticket));
    return undefined;
  }

  function row_of(ticket) {
    return ticket_row(ticket, {
      selected: selected.has(ticket.id), terms: terms_of(query.q),
      on_select: (on, range) => select(ticket.id, on, range),
      on_change: (field, anchor) => change(list.items.find((t) => t.id === ticket.id), field, anchor, (t) => list.apply(t), ticket.tags),
    });
  }

  function paint() {
    const have = new Map([...rows.children].map((row) => [Number(/** @type {HTMLElement} */ (row).dataset.id), row]));
    const fresh_start = list.items.length === 0 || !have.has(list.items[0].id) || rows.querySelector(".row--skeleton");
    // A further page is only added; rows that stand are left alone, so that nothing jumps.
    if (fresh_start || rows.children.length > list.items.length) fill(rows, list.items.map(row_of));
    else rows.append(...list.items.filter((t) => !have.has(t.id)).map(row_of));
    for (const [id, row] of have) row.classList.toggle("row--selected", selected.has(id));
    for (const box of /** @type {NodeListOf<any>} */ (rows.querySelectorAll(".row__check input"))) box.checked = selected.has(Number(box.closest("li").dataset.id));
    const n = list.items.length;
    count.textContent = n ? `${n}${list.next_offset === null ? "" : "+"} ${n === 1 ? "ticket" : "tickets"}` : "";
    if (!is_said) { is_said = true; say(`${title_said()}: ${count.textContent || (is_plain(query) ? "no tickets yet" : "nothing matches")}`); }
    paint_news();
    if (bulk || selected.size) with_bulk().then((bar) => bar.show(selected.size), () => {});
    watcher.disconnect();
    if (!n) return paint_empty();
    if (list.next_offset === null) return fill(tail, n > 20 && h("p.muted", "That is all."));
    const more = h("button.button", { onclick: () => { focus_row(rows.children.length - 1); list.more(); } }, "Load more");
    fill(tail, more);
    watcher.observe(more);
    return undefined;
  }

  function paint_news() {
    const n = list.news.size;
    news.hidden = n === 0;
    const said = `${n} new ${n === 1 ? "ticket" : "tickets"}`;
    if (n && news.textContent !== `${said}. Show`) { fill(news, icon("refresh"), `${said}. Show`); say(said); }
  }

  function paint_empty() {
    const plain = is_plain(query);
    fill(tail, h("div.empty", icon("inbox", "huge"),
      h("h2", plain ? "No tickets yet" : "Nothing matches"),
      h("p", plain ? "When something breaks, it starts here." : query.q ? "Each word must begin a word of the title, the text or a reply." : "Nothing here at the moment. A quiet desk is a good desk."),
      plain ? h("a.button.button--primary", { href: "/tickets/new" }, "New ticket")
        : h("a.button", { href: "/tickets" }, "Show all tickets")));
  }

  function paint_failure(error) {
    if (!list.loaded) fill(rows);
    fill(tail, h("div.empty", { role: "alert" }, icon("alert", "huge"), h("h2", "The list could not be read"), h("p", error.message),
      h("button.button", { onclick: () => { heading.focus(); fill(tail); list.more(); } }, "Try again")));
  }

  /** @param {number} id @param {boolean} on @param {boolean} range */
  function select(id, on, range) {
    const order = list.items.map((t) => t.id);
    const [a, b] = [order.indexOf(range && last_selected ? last_selected : id), order.indexOf(id)].sort((x, y) => x - y);
    for (const each of order.slice(a, b + 1)) if (on) selected.add(each); else selected.delete(each);
    last_selected = id;
    paint();
  }

  const titles = () => /** @type {HTMLElement[]} */ ([...rows.querySelectorAll(".row__title")]);
  const row_at = () => document.activeElement?.closest(".row");
  /** @param {number} index */
  function focus_row(index) {
    const all = titles();
    const target = all[Math.max(0, Math.min(index, all.length - 1))];
    target?.focus({ preventScroll: true });
    target?.closest(".row")?.scrollIntoView({ block: "nearest" });
  }
  const step = (by) => { const row = row_at(); focus_row(row ? [...rows.children].indexOf(row) + by : 0); };
  /** @param {(ticket: any, row: Element) => void} run */
  const on_row = (run) => () => {
    const row = row_at() ?? rows.firstElementChild;
    const ticket = list.items.find((t) => t.id === Number(/** @type {HTMLElement|null} */ (row)?.dataset.id));
    if (ticket && row) run(ticket, row);
  };
  const group = "List";
  const field_key = (keys, label, field, part) => ({
    keys, label, group, run: on_row((t, row) => (selected.size ? with_bulk().then((bar) => bar.pick(field), () => {}) : change(t, field, row.querySelector(part) ?? row, (after) => list.apply(after), t.tags))),
  });
  const stop_keys = use_keys([
    { keys: "j", label: "Next ticket", group, run: () => step(1) },
    { keys: "k", label: "Previous ticket", group, run: () => step(-1) },
    { keys: "o", label: "Open the ticket", group, run: on_row((t) => go(`/tickets/${t.id}`)) },
    { keys: "/", label: "Search", group, run: () => filters.focus() },
    ...(!is_staff() ? [] : [
      { keys: "x", label: "Select", group, run: on_row((t) => select(t.id, !selected.has(t.id), false)) },
      { keys: "X", label: "Clear the selection", group, run: () => { selected.clear(); paint(); } },
      { keys: "a", label: "Assign to me", group, run: on_row((t) => (selected.size ? with_bulk().then((bar) => bar.assign_to_me(), () => {}) : assign_to_me(t, (after) => list.apply(after)))) },
      field_key("s", "Change status", "status", ".row__status"),
      field_key("p", "Change priority", "priority", ".row__priority"),
      field_key("A", "Choose assignee", "assignee_id", ".row__assignee"),
      field_key("l", "Change tags", "tags", ".row__main"),
    ]),
  ]);

  open(context.state?.scroll !== undefined);
  return {
    element, title: title_said(),
    close: () => { stop_list(); stop_keys(); filters.close(); watcher.disconnect(); bulk?.then((bar) => bar.close(), () => {}); },
    update: (next) => {
      query = read_query(next.search);
      const changed = write_query(query) !== search;
      search = write_query(query);
      if (changed) open(false);
      return true;
    },
  };
}

function skeletons() {
  return Array.from({ length: 12 }, () => h("li.row.row--skeleton", { "aria-hidden": "true" }, h("span.row__main", h("span.bone"))));
}

