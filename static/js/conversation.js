// Replies in their threads and what happened to the ticket between them, together or apart.
import { avatar, name_in_text, name_of, ROLE_NAMES } from "./badges.js";
import { ago } from "./clock.js";
import { fill, h } from "./dom.js";
import { entry_words } from "./entry_text.js";
import { icon } from "./icons.js";
import { local } from "./storage.js";
import { text_body } from "./text_body.js";

/** @typedef {"together"|"replies"|"timeline"} Mode */
const MODE = "helpdesk.conversation";
const MODES = /** @type {[Mode, string][]} */ ([["together", "Together"], ["replies", "Conversation"], ["timeline", "Timeline"]]);
// Deeper replies stand at this depth and say whom they answer: a phone has no more room.
const DEEPEST = 4;

/**
 * @param {{reply: (comment: any) => void, quote: (comment: any) => void, copy_link: (comment: any) => void, earlier: () => Promise<void>}} acts
 */
export function conversation(acts) {
  let mode = /** @type {Mode} */ (local.get(MODE) ?? "together");
  /** @type {any[]} */ let comments = [];
  /** @type {any[]} */ let entries = [];
  let hidden_before = 0;
  let has_past = false;
  const list = h("ol.talk");
  const earlier = h("button.button.button--quiet.talk__earlier", { hidden: true, onclick: () => acts.earlier() });
  const tabs = h("div.segments", { role: "group", "aria-label": "Show" });
  const element = h("section.conversation", { "aria-label": "Conversation" }, h("div.conversation__bar", h("h2", "Conversation"), tabs), earlier, list);

  function paint() {
    fill(tabs, MODES.map(([value, label]) => h("button.segments__item", { "aria-pressed": String(mode === value), dataset: { part: value }, onclick: () => show_mode(value) }, label)));
    fill(list);
    const roots = comments.filter((c) => c.parent === null || !comments.some((o) => o.id === c.parent));
    const things = [...(mode === "timeline" ? [] : roots.map((c) => ({ at: c.created_at, id: 0, add: () => add_comment(c, true) }))),
      ...(mode === "replies" ? [] : entries.filter(shows).map((e) => ({ at: e.created_at, id: e.id, add: () => add_entry(e) })))];
    things.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.id - b.id));
    for (const thing of things) thing.add();
    earlier.hidden = hidden_before === 0 && !has_past;
    earlier.textContent = hidden_before ? `Show ${hidden_before} earlier ${hidden_before === 1 ? "reply" : "replies"}` : "Show what happened before";
    paint_empty();
  }
  function paint_empty() {
    list.querySelector(".talk__none")?.remove();
    if (!list.children.length) list.append(h("li.talk__none.muted", mode === "replies" ? "No replies yet." : "Nothing has happened yet."));
  }
  const shows = (e) => mode === "timeline" || e.action !== "commented";

  function show_mode(next) {
    mode = next;
    local.set(MODE, mode);
    paint();
    /** @type {any} */ (tabs.querySelector(`[data-part=${mode}]`)).focus();
  }

  /** @param {any} comment @param {boolean} with_replies also those that are known already */
  function add_comment(comment, with_replies) {
    if (mode === "timeline" || list.querySelector(`#comment-${comment.id}`)) return;
    const parent = comment.parent === null ? null : list.querySelector(`#comment-${comment.parent}`)?.closest(".thread");
    const depth = parent ? Math.min(DEEPEST, Number(parent.dataset.depth) + 1) : 0;
    const replies = h("ol.thread__replies");
    const toggle = h("button.thread__toggle.link-button", { hidden: true, "aria-expanded": "true", onclick: () => {
      replies.hidden = !replies.hidden;
      toggle.setAttribute("aria-expanded", String(!replies.hidden));
      count(thread);
    } });
    const thread = h("li.thread", { dataset: { depth } }, comment_article(comment, depth === DEEPEST && comments.find((c) => c.id === comment.parent)), toggle, replies);
    (parent ? parent.querySelector(":scope > .thread__replies") : list).append(thread);
    if (parent) count(parent);
    if (with_replies) for (const reply of comments.filter((c) => c.parent === comment.id)) add_comment(reply, true);
  }
  function count(thread) {
    const replies = thread.querySelector(":scope > .thread__replies");
    const toggle = thread.querySelector(":scope > .thread__toggle");
    const n = replies.querySelectorAll(".thread").length;
    toggle.hidden = n === 0;
    toggle.textContent = `${replies.hidden ? "Show" : "Hide"} ${n} ${n === 1 ? "reply" : "replies"}`;
    const above = thread.parentElement.closest(".thread");
    if (above) count(above);
  }

  /** @param {any} c @param {any} answered */
  function comment_article(c, answered) {
    const act = (sign, label, run) => h("button.icon-button", { "aria-label": `${label} (reply ${c.id})`, title: label, onclick: () => run(c) }, icon(sign));
    return h("article", { class: `comment${c.internal ? " comment--internal" : ""} comment--${c.author.role}`, id: `comment-${c.id}`, tabindex: "-1", "aria-label": `${c.internal ? "Internal note" : "Reply"} by ${name_of(c.author)}` },
      h("header.comment__header", avatar(c.author), h("strong.comment__author", name_in_text(c.author)),
        c.author.role !== "user" && h("span.comment__role", ROLE_NAMES[c.author.role]),
        c.internal && h("span.comment__internal", icon("lock", "small"), "Internal note"),
        h("a.comment__when", { href: `#comment-${c.id}` }, ago(c.created_at)),
        h("span.comment__acts", act("reply", "Reply", acts.reply), act("quote", "Quote", acts.quote), act("link", "Copy link", acts.copy_link))),
      answered && h("p.comment__answers.muted", "Answering ", name_in_text(answered.author)),
      text_body(c.body));
  }

  function add_entry(e) {
    if (mode === "replies" || !shows(e) || list.querySelector(`#entry-${e.id}`)) return;
    list.append(h("li", { class: `entry entry--${e.action}`, id: `entry-${e.id}` }, h("span.entry__sign", icon(e.action === "sla_breached" ? "alert" : e.action === "created" ? "plus" : e.action === "commented" ? "reply" : "edit", "small")),
      h("span.entry__words", e.actor ? h("strong", name_in_text(e.actor)) : h("strong", "Clock"), e.actor ? " " : ": ", entry_words(e), " ", ago(e.created_at))));
  }

  return {
    element,
    next_mode: () => show_mode(MODES[(MODES.findIndex(([m]) => m === mode) + 1) % MODES.length][0]),
    /**
     * @param {any[]} all_comments @param {any[]} all_entries
     * @param {number} before how many older comments were not read @param {boolean} past whether older entries were not
     */
    show(all_comments, all_entries, before, past) {
      has_past = past;
      comments = [...all_comments];
      entries = [...all_entries];
      hidden_before = before;
      paint();
    },
    /** @param {any} comment */
    add_comment(comment) { comments.push(comment); add_comment(comment, false); paint_empty(); },
    /** @param {any} entry */
    add_entry(entry) { entries.push(entry); add_entry(entry); paint_empty(); },
    /** Open whatever hides a comment, go there and light it up. @param {number} id */
    reveal(id) {
      if (mode === "timeline" && comments.some((c) => c.id === id)) show_mode("together");
      const found = list.querySelector(`#comment-${id}`);
      if (!found) return false;
      for (let r = found.closest(".thread__replies"); r; r = r.parentElement?.closest(".thread__replies") ?? null) {
        if (r.hidden) /** @type {any} */ (r.previousElementSibling).click();
      }
      list.querySelector(".comment--lit")?.classList.remove("comment--lit");
      found.classList.add("comment--lit");
      found.scrollIntoView({ block: "center" });
      found.focus({ preventScroll: true });
      return true;
    },
    /** @param {number} by */
    step(by) {
      const all = /** @type {HTMLElement[]} */ ([...list.querySelectorAll(".comment")].filter((c) => c.checkVisibility()));
      const at = all.indexOf(/** @type {any} */ (document.activeElement?.closest(".comment")));
      const target = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, at + by))];
      target?.focus({ preventScroll: true });
      target?.scrollIntoView({ block: "nearest" });
      return comments.find((c) => `comment-${c.id}` === target?.id);
    },
    /** The comment that holds the focus. */
    current: () => comments.find((c) => `comment-${c.id}` === document.activeElement?.closest(".comment")?.id),
  };
}
