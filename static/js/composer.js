// Writing a reply or an internal note. The two look different all over, so that none is taken for the
// other. What is sent goes to the outbox at once; here the next text may be written.
import * as api from "./api.js";
import { name_of } from "./badges.js";
import { Draft, discard, drafts_of, on_drafts } from "./drafts.js";
import { fill, h, uid } from "./dom.js";
import { icon } from "./icons.js";
import { is_composing } from "./typing.js";
import { length_line } from "./lengths.js";
import { outbox } from "./sending.js";
import { desk, is_staff, user } from "./session.js";
import { quotation } from "./text_body.js";

const AFTER = [["", "and leave the status"], ["in_progress", "and take up work"], ["pending", "and wait for the requester"], ["resolved", "and resolve"]];

/**
 * @param {number} ticket_id
 * @param {{queued: (letter: import("./outbox.js").Letter) => void, find: (id: number) => any, leave: () => void}} acts
 * `leave` puts the focus where single keys work
 */
export function composer(ticket_id, acts) {
  const me = user();
  const name = `reply.${ticket_id}`;
  const draft = new Draft(me.id, name);
  let internal = Boolean(draft.value?.internal) && is_staff();
  /** @type {number|null} */ let parent = draft.value?.parent ?? null;
  let locked = false;

  const id = uid("composer");
  const text = h("textarea.input.composer__text", { id, rows: 4, value: draft.value?.body ?? "", dir: "auto", oninput: keep, onkeydown: pressed });
  const length = length_line(text, desk().limits.comment_characters);
  const label = h("label.visually-hidden", { for: id });
  const kinds = h("div.segments.composer__kinds", { role: "group", "aria-label": "Kind" });
  const answering = h("p.composer__answering", { hidden: true });
  const warning = h("p.composer__warning", { hidden: true }, icon("lock", "small"), "Only the desk sees this. The requester does not.");
  const others = h("div.composer__others");
  const then = h("select.input.input--select.composer__then", { "aria-label": "After sending", onchange: keep }, AFTER.map(([v, l]) => h("option", { value: v, selected: v === draft.value?.then }, l)));
  const submit = h("button.button.button--primary.composer__send", { type: "submit" });
  const element = h("form.composer", { "aria-label": "Write", onsubmit: (e) => { e.preventDefault(); send(); } },
    others, is_staff() && kinds, answering, label, text, length.element, warning,
    h("div.composer__foot", h("span.muted.composer__hint", h("kbd", "Ctrl"), " ", h("kbd", "Enter"), " sends"), is_staff() && then, submit));

  /** @param {KeyboardEvent} event */
  function pressed(event) {
    if (is_composing(event)) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); send(); } else if (event.key === "Escape") acts.leave();
  }
  function keep() {
    if (text.value.trim()) draft.keep({ body: text.value, parent, internal, then: then.value });
    else draft.drop();
  }
  function paint() {
    const answered = parent === null ? null : acts.find(parent);
    locked = Boolean(answered?.internal);
    if (locked) internal = true;
    element.classList.toggle("composer--internal", internal);
    const kind = (value, words, sign) => h("button.segments__item", { "aria-pressed": String(internal === value), disabled: locked && !value, onclick: () => { set_internal(value); text.focus(); } }, icon(sign, "small"), words);
    fill(kinds, kind(false, "Reply to requester", "reply"), kind(true, "Internal note", "lock"));
    warning.hidden = !internal;
    label.textContent = internal ? "Internal note" : "Reply";
    text.placeholder = internal ? "A note for the desk" : is_staff() ? "Write to the requester" : "Write a reply";
    submit.textContent = internal ? "Add internal note" : "Send reply";
    answering.hidden = parent === null;
    fill(answering, "Answering ", h("bdi", answered ? name_of(answered.author) : `reply ${parent}`), " ", h("button.icon-button", { "aria-label": "Answer the ticket instead", onclick: () => { parent = null; keep(); paint(); text.focus(); } }, icon("close", "small")));
  }
  function set_internal(value) { internal = value; keep(); paint(); }

  /** Other unsent texts for this ticket, of other tabs or of before. */
  function paint_others() {
    // What this tab shows was sent in another one, unchanged: it is not unsent any more.
    if (draft.is_gone() && text.value === draft.value?.body) clear();
    const kept = drafts_of(me.id, name).filter((other) => other.id !== draft.id && other.value?.body);
    fill(others, kept.map((other) => h("p.composer__other", "Another unsent text: ", h("q", { dir: "auto" }, first_words(other.value.body)), " ",
      h("button.link-button", { onclick: () => show(other) }, "Open it"), " ", h("button.link-button", { onclick: () => discard(other) }, "Discard it"))));
  }
  /** @param {import("./drafts.js").Kept} other */
  function show(other) {
    draft.switch_to(other);
    restore(other.value);
    text.focus();
  }
  function restore(value) {
    text.value = value.body;
    parent = value.parent ?? null;
    internal = Boolean(value.internal) && is_staff();
    then.value = value.then ?? "";
    length.check();
    paint();
    paint_others();
  }
  function clear() {
    draft.drop();
    restore({ body: "" });
  }

  function send() {
    if (!text.value.trim() || length.check()) return text.focus();
    const letter = outbox.add({ ticket_id, body: text.value, parent, internal, then: is_staff() ? then.value : "", key: api.new_key() });
    clear();
    acts.queued(letter);
    return undefined;
  }

  const stop = on_drafts(paint_others);
  paint();
  paint_others();
  return {
    element, paint,
    close: stop,
    /** @param {boolean} [as_note] */
    focus(as_note) {
      if (as_note !== undefined && is_staff() && !(locked && !as_note)) set_internal(as_note);
      text.focus({ preventScroll: true });
      element.scrollIntoView({ block: "nearest" });
    },
    /** Take a text back that was not sent; what stands here stays a draft. @param {import("./outbox.js").Letter} letter */
    take_back(letter) {
      draft.begin_anew();
      restore(letter);
      keep();
      this.focus();
    },
    /** @param {any} comment @param {boolean} quoting */
    answer(comment, quoting) {
      parent = comment.id;
      internal = comment.internal;
      if (quoting) text.value = `${text.value}${text.value && !text.value.endsWith("\n") ? "\n" : ""}${quotation(comment.body, name_of(comment.author))}`;
      keep();
      paint();
      this.focus();
      text.setSelectionRange(text.value.length, text.value.length);
      text.scrollTop = text.scrollHeight;
    },
  };
}

/** @param {string} text */
const first_words = (text) => (text.length > 60 ? `${text.slice(0, 60).trim()}…` : text);
