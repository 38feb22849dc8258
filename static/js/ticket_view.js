// One ticket: its text, its conversation, its fields; in step with the live stream.
import * as api from "./api.js";
import { note, note_error, say } from "./announce.js";
import { name_in_text, name_of, person_badge } from "./badges.js";
import { assign_to_me, change, set_field } from "./change.js";
import { ago } from "./clock.js";
import { CommentFeed } from "./comment_feed.js";
import { composer } from "./composer.js";
import { conversation } from "./conversation.js";
import { fill, h } from "./dom.js";
import { isolated } from "./direction.js";
import { edit_form, has_edit_draft } from "./edit_form.js";
import { entry_said, meet_assignees, meet_people } from "./entry_text.js";
import { icon } from "./icons.js";
import { use_keys } from "./keys.js";
import { on_happening, on_join, on_state, settled } from "./live.js";
import { offer_commands } from "./palette.js";
import { waiting_letters } from "./letters.js";
import { arrived, go, LATE, set_title } from "./router.js";
import { outbox } from "./sending.js";
import { is_staff, user } from "./session.js";
import { text_body } from "./text_body.js";
import { ticket_fields } from "./ticket_fields.js";
import { people } from "./conflict.js";

// An own reply's event may come before the answer to the POST: so long is waited before it is fetched.
const FETCH_DELAY_MS = 400;
// As many comments and entries as come with a ticket, and as a list gives at once.
const PAGE = 100;

/** @param {import("./router.js").Context} context @returns {import("./router.js").View} */
export function ticket_view(context) {
  const id = Number(context.params[0]);
  /** @type {any} */ let ticket = null;
  let etag = "";
  let has_past = false;
  const feed = new CommentFeed((offset, limit) => api.get(`/api/tickets/${id}/comments?offset=${offset}&limit=${limit}`, { signal: abort.signal }).then((answer) => answer.body));
  let is_behind = false;
  /** Ids of the comments on the page. @type {Set<number>} */ const shown = new Set();
  /** @type {ReturnType<typeof edit_form>|null} */ let editing = null;
  let fetch_timer = 0;
  const abort = new AbortController();

  const heading = h("h1.ticket__title", { dir: "auto", tabindex: "-1" }, `Ticket ${id}`);
  const byline = h("p.ticket__byline.muted");
  const text = h("div.ticket__text");
  const edit_place = h("div");
  const edit_button = h("button.icon-button", { "aria-label": "Edit title and description", title: "Edit (e)", hidden: true, onclick: edit }, icon("edit"));
  const talk = conversation({ reply: (c) => write.answer(c, false), quote: (c) => write.answer(c, true), copy_link: (c) => copy(`#comment-${c.id}`), earlier });
  const letters = waiting_letters(id, { take_back: (letter) => write.take_back(letter) });
  const write = composer(id, { queued: (letter) => letters.focus(letter.id), find: (cid) => feed.comments.find((c) => c.id === cid), leave: () => focus_conversation() });
  const fields = ticket_fields({ change: (field, anchor) => change(ticket, field, anchor, apply), set: (edits) => set_field(ticket, edits, apply).catch(note_error), assign_to_me: () => assign_to_me(ticket, apply) });
  const page = h("div.ticket", { hidden: true },
    h("header.ticket__header", h("div.ticket__crumbs", h("a", { href: "/tickets", onclick: back }, "Tickets"), h("span", { "aria-hidden": "true" }, "/"), h("span.ticket__number", String(id)),
      h("button.icon-button", { "aria-label": "Copy a link to this ticket", title: "Copy link", onclick: () => copy("") }, icon("link", "small"))),
      h("div.ticket__heading", heading, edit_button), byline, edit_place),
    fields.element, h("div.ticket__main", text, talk.element, letters.element, write.element));
  const state = h("div.ticket__loading", { "aria-busy": "true" }, h("span.bone.bone--title"), h("span.bone"), h("span.bone"));
  const element = h("section.page.page--ticket", state, page);

  async function load() {
    try {
      await settled();
      const answer = await api.get(`/api/tickets/${id}`, { signal: abort.signal, headers: etag ? { "If-None-Match": etag } : {} });
      if (answer.status === 304) return;
      const is_again = ticket !== null;
      etag = answer.headers.get("ETag") ?? "";
      ticket = answer.body;
      meet_people(ticket);
      feed.begin(ticket);
      await meet_assignees(ticket.timeline);
      fill(state);
      state.remove();
      page.hidden = false;
      paint();
      has_past = ticket.timeline.length === PAGE;
      show_talk();
      write.paint();
      arrived(`${id} ${isolated(ticket.title)}`);
      if (has_edit_draft(ticket) && !editing) edit();
      follow_hash();
      if (is_again) await catch_up();
    } catch (error) { failed(error); }
  }
  function failed(error) {
    if (abort.signal.aborted || error.status === 401) return;
    if (ticket) { note_error(error); return; }
    const missing = error.status === 404;
    heading.textContent = missing ? "No such ticket" : "The ticket could not be read";
    fill(element, h("div.empty", { role: "alert" }, icon(missing ? "search" : "alert", "huge"), h("h1", heading.textContent),
      h("p", missing ? `There is no ticket ${id} here, or you may not see it.` : error.message),
      missing ? h("a.button", { href: "/tickets" }, "All tickets") : h("button.button", { onclick: () => { fill(element, state, page); load(); } }, "Try again")));
    arrived(heading.textContent ?? "");
  }

  function paint() {
    set_title(`${id} ${isolated(ticket.title)}`);
    heading.textContent = ticket.title;
    fill(byline, person_badge(ticket.creator), " opened this ", ago(ticket.created_at));
    fill(text, text_body(ticket.description));
    fields.show(ticket);
    edit_button.hidden = editing !== null || !(is_staff() || ticket.creator.id === user().id);
    write.element.hidden = !is_staff() && ticket.status === "closed";
  }

  /** The ticket as an answer or an event has it; comments and timeline have their own ways. @param {any} after */
  function apply(after) {
    if (!after || after.id !== id || after.version < ticket.version) return;
    const { comments: read, timeline, ...rest } = after;
    ticket = { ...ticket, ...rest };
    meet_people({ ...rest, comments: [] });
    paint();
    for (const entry of timeline ?? []) add_entry(entry);
  }
  function add_entry(entry) {
    if (ticket.timeline.some((e) => e.id === entry.id)) return;
    ticket.timeline.push(entry);
    talk.add_entry(entry);
  }
  /** Show the comments that are known and not on the page. @returns {any[]} those */
  function show_fresh() {
    const fresh = feed.comments.filter((c) => !shown.has(c.id));
    if (fresh.length && fresh[0].id < Math.max(0, ...shown)) show_talk(); // one of others before an own one
    else for (const comment of fresh) talk.add_comment(comment);
    for (const comment of fresh) shown.add(comment.id);
    return fresh;
  }
  /** Read and show what came since the last comment that was read. */
  async function catch_up() {
    // After a fault the next event tries again, or the connection when it is back.
    is_behind = await feed.catch_up().then(() => false, (error) => { failed(error); return true; });
    const theirs = show_fresh().filter((c) => c.author.id !== user().id);
    const newest = theirs.at(-1);
    if (!newest) return;
    const words = theirs.length > 1 ? `${theirs.length} new replies.` : [name_in_text(newest.author), newest.internal ? " left an internal note." : " replied."];
    note(words, { action: { label: "Show", run: () => talk.reveal(theirs[0].id) } });
  }

  /** @param {import("./live.js").Happening} happening */
  function happened({ entry, ticket: after }) {
    if (!ticket || entry.ticket_id !== id) return;
    const mine = entry.actor?.id === user().id;
    if (entry.actor) people.set(entry.actor.id, name_of(entry.actor));
    apply(after);
    add_entry(entry);
    if (entry.action === "commented") {
      clearTimeout(fetch_timer);
      fetch_timer = window.setTimeout(catch_up, FETCH_DELAY_MS);
    } else if (!mine) say(entry_said(entry));
    editing?.moved_on(after, entry.actor ? name_of(entry.actor) : "Someone");
  }
  /** A reply of the outbox has its answer. @param {{kind: string, letter: import("./outbox.js").Letter}} event */
  function sent({ kind, letter: { ticket_id, comment } }) {
    if (kind !== "sent" || ticket_id !== id || !ticket || !comment) return;
    const is_lost = document.activeElement === document.body; // the focus was on the letter, which is gone
    feed.add(comment);
    show_fresh();
    say(comment.internal ? "Internal note added" : "Reply sent");
    const article = document.getElementById(`comment-${comment.id}`);
    if (is_lost) article?.focus({ preventScroll: true });
    article?.scrollIntoView({ block: "nearest" });
  }
  /** Out of the composer, to where single keys work. */
  function focus_conversation() { if (!talk.step(0)) heading.focus(); }

  async function earlier() {
    if (feed.hidden_before === 0) return earlier_entries();
    await feed.earlier().catch(failed);
    show_talk();
    return undefined;
  }
  /** The timeline is read from its beginning until it meets what is known. */
  async function earlier_entries() {
    const known = new Set(ticket.timeline.map((e) => e.id));
    const past = [];
    for (let offset = 0; has_past; offset += PAGE) {
      const answer = await api.get(`/api/tickets/${id}/timeline?offset=${offset}&limit=${PAGE}`, { signal: abort.signal }).catch(failed);
      if (!answer) return;
      const fresh = answer.body.items.filter((e) => !known.has(e.id));
      past.push(...fresh);
      has_past = fresh.length === PAGE;
    }
    ticket.timeline.unshift(...past);
    await meet_assignees(past);
    show_talk();
  }
  function show_talk() {
    for (const comment of feed.comments) shown.add(comment.id);
    talk.show(feed.comments, ticket.timeline, feed.hidden_before, has_past);
  }
  async function follow_hash() {
    const wanted = Number(/^#comment-(\d+)$/.exec(location.hash)?.[1]);
    // A link to a comment older than those that came with the ticket: read on until it is there.
    for (let n = 0; wanted && !talk.reveal(wanted) && feed.hidden_before > 0 && n < 20; n += 1) await earlier();
  }

  function edit() {
    if (editing) return;
    editing = edit_form(ticket, (after) => {
      editing?.close();
      editing = null;
      fill(edit_place);
      text.hidden = false;
      if (after) apply(after);
      paint();
      edit_button.focus();
    });
    editing.moved_on(ticket, "Someone");
    fill(edit_place, editing.element);
    text.hidden = true;
    edit_button.hidden = true;
    /** @type {any} */ (editing.element.querySelector("input")).focus();
  }
  async function copy(hash) {
    const link = `${location.origin}/tickets/${id}${hash}`;
    try { await navigator.clipboard.writeText(link); note("Link copied."); } catch { note(link, { stay: true }); }
  }
  /** Back to the list that one came from, in place. @param {Event} event */
  function back(event) {
    if (!history.state?.from_list) return;
    event.preventDefault();
    history.back();
  }

  const group = "Ticket";
  const field_key = (keys, label, field) => ({ keys, label, group, run: () => { if (ticket) change(ticket, field, fields.element.querySelector(`[data-part=${field}]`), apply); } });
  const staff_keys = [
    { keys: "i", label: "Internal note", group, run: () => write.focus(true) },
    { keys: "a", label: "Assign to me", group, run: () => { if (ticket) assign_to_me(ticket, apply); } },
    field_key("s", "Change status", "status"), field_key("p", "Change priority", "priority"), field_key("A", "Choose assignee", "assignee_id"), field_key("l", "Change tags", "tags"),
  ];
  const all_keys = [
    { keys: "j", label: "Next reply", group, run: () => { talk.step(1); } }, { keys: "k", label: "Previous reply", group, run: () => { talk.step(-1); } },
    { keys: "r", label: "Reply", group, run: () => { const at = talk.current(); if (at) write.answer(at, false); else write.focus(false); } },
    { keys: "q", label: "Quote the reply", group, run: () => { const at = talk.current(); if (at) write.answer(at, true); } },
    { keys: "e", label: "Edit title and description", group, run: () => { if (!edit_button.hidden) edit(); } },
    { keys: "v", label: "Together or apart", group, run: () => talk.next_mode() },
    { keys: "u", label: "Back to the list", group, run: () => (history.state?.from_list ? history.back() : go("/tickets")) },
    ...(is_staff() ? staff_keys : []),
  ];
  const stops = [on_happening(happened), on_join(() => { if (ticket) load(); }), on_state((now) => { if (now === "live" && is_behind) catch_up(); }), use_keys(all_keys), outbox.listen(sent),
    offer_commands(() => (ticket ? all_keys.filter((k) => !"jk".includes(k.keys)).map((k) => ({ label: k.label, hint: k.keys, run: () => k.run() })) : []))];
  set_title(`Ticket ${id}`);
  load();
  return {
    element, title: LATE,
    close: () => { stops.forEach((stop) => stop()); clearTimeout(fetch_timer); abort.abort(); letters.close(); write.close(); editing?.close(); },
    update: (next) => { if (Number(/\/tickets\/(\d+)/.exec(location.pathname)?.[1]) !== id) return false; if (next.hash && ticket) follow_hash(); return true; },
  };
}
