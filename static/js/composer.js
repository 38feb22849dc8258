// Writing a reply or an internal note. The two look different all over, so that none is taken for the other.
import * as api from "./api.js";
import { name_of } from "./badges.js";
import { drop_draft, keep_draft, read_draft } from "./drafts.js";
import { fill, h, uid } from "./dom.js";
import { icon } from "./icons.js";
import { is_staff, user } from "./session.js";
import { quotation } from "./text_body.js";

/**
 * @param {number} ticket_id
 * @param {{sent: (comment: any, then: string) => void, find: (id: number) => any}} acts `then` is a status to set, or ""
 */
export function composer(ticket_id, acts) {
  const me = user();
  const name = `reply.${ticket_id}`;
  const kept = read_draft(me.id, name);
  let key = kept?.key ?? api.new_key();
  let internal = Boolean(kept?.internal) && is_staff();
  /** @type {number|null} */ let parent = kept?.parent ?? null;
  let locked = false;
  let busy = false;
  const abort = new AbortController();

  const id = uid("composer");
  const text = h("textarea.input.composer__text", { id, rows: 4, maxlength: 20000, value: kept?.body ?? "", dir: "auto",
    oninput: keep, onkeydown: (e) => { if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); send(); } else if (e.key === "Escape") text.blur(); } });
  const label = h("label.visually-hidden", { for: id });
  const kinds = h("div.segments.composer__kinds", { role: "group", "aria-label": "Kind" });
  const answering = h("p.composer__answering", { hidden: true });
  const warning = h("p.composer__warning", { hidden: true }, icon("lock", "small"), "Only the desk sees this. The requester does not.");
  const error = h("p.form-error", { role: "alert" });
  const then = h("select.input.input--select.composer__then", { "aria-label": "After sending" }, [["", "and leave the status"], ["in_progress", "and take up work"], ["pending", "and wait for the requester"], ["resolved", "and resolve"]].map(([v, l]) => h("option", { value: v }, l)));
  const submit = h("button.button.button--primary.composer__send", { type: "submit" });
  const element = h("form.composer", { "aria-label": "Write", onsubmit: (e) => { e.preventDefault(); send(); } },
    is_staff() && kinds, answering, label, text, warning, error,
    h("div.composer__foot", h("span.muted.composer__hint", h("kbd", "Ctrl"), " ", h("kbd", "Enter"), " sends"), is_staff() && then, submit));

  function keep() {
    fill(error);
    if (text.value.trim()) keep_draft(me.id, name, { body: text.value, parent, internal, key });
    else drop_draft(me.id, name);
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
    submit.textContent = busy ? "Sending…" : internal ? "Add internal note" : "Send reply";
    answering.hidden = parent === null;
    fill(answering, `Answering ${answered ? name_of(answered.author) : `reply ${parent}`} `, h("button.icon-button", { "aria-label": "Answer the ticket instead", onclick: () => { parent = null; keep(); paint(); text.focus(); } }, icon("close", "small")));
  }
  function set_internal(value) { internal = value; keep(); paint(); }

  async function send() {
    const body = text.value;
    if (busy || !body.trim()) return text.focus();
    busy = true;
    submit.disabled = true;
    text.readOnly = true;
    paint();
    try {
      const answer = await api.post(`/api/tickets/${ticket_id}/comments`, { body, ...(parent !== null && { parent }), ...(internal && { internal: true }) }, { key, signal: abort.signal });
      drop_draft(me.id, name);
      key = api.new_key();
      text.value = "";
      parent = null;
      internal = false;
      const status = then.value;
      then.value = "";
      acts.sent(answer.body, status);
    } catch (problem) {
      refused(problem);
    } finally {
      busy = false;
      submit.disabled = false;
      text.readOnly = false;
      paint();
    }
    return undefined;
  }
  function refused(problem) {
    if (problem.name === "AbortError") return;
    if (problem.code === "IDEMPOTENCY_KEY_REUSED") {
      key = api.new_key();
      keep();
      fill(error, "An earlier version of this text was sent already; look above before you send this one too.");
    } else fill(error, problem.message);
    text.focus();
  }

  paint();
  return {
    element, paint,
    close: () => abort.abort(),
    /** @param {boolean} [as_note] */
    focus(as_note) {
      if (as_note !== undefined && is_staff() && !(locked && !as_note)) set_internal(as_note);
      text.focus({ preventScroll: true });
      element.scrollIntoView({ block: "nearest" });
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
