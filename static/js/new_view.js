// A new ticket. The key of what was sent is kept in the draft, so neither a double click, a retry nor a
// reload makes two.
import * as api from "./api.js";
import { note } from "./announce.js";
import { marked, PRIORITY_NAMES, status_badge } from "./badges.js";
import { assignee_options } from "./agents.js";
import { isolated } from "./direction.js";
import { Draft } from "./drafts.js";
import { fill, h, hidden, uid } from "./dom.js";
import { terms_of } from "./marks.js";
import { go } from "./router.js";
import { desk, is_staff, user } from "./session.js";
import { length_line } from "./lengths.js";
import { same } from "./merge.js";
import { OPEN } from "./query.js";
import { tags_in } from "./tags.js";
import { minutes_said } from "./time.js";
import { is_composing, when_typed } from "./typing.js";

const TYPING_MS = 450;

/** @param {import("./router.js").Context} context @returns {import("./router.js").View} */
export function new_view(context) {
  void context;
  const me = user();
  const draft = new Draft(me.id, "new");
  const kept = draft.value;
  /** The request that was sent last, with its key: the same again, even after a reload, is done once. */
  let intent = kept?.intent ?? null;
  let busy = false;
  const priorities = desk().priorities;

  /** @param {string} label @param {any} input @param {any} [hint] */
  const field = (label, input, hint = null) => {
    input.id ||= uid("field");
    return h("div.field", h("label.field__label", { for: input.id }, label), input, hint);
  };
  const title = h("input.input", { name: "title", required: true, autofocus: true, autocomplete: "off", dir: "auto", value: kept?.title ?? "" });
  const title_length = length_line(title, desk().limits.title_characters);
  const description = h("textarea.input", { name: "description", required: true, rows: 9, dir: "auto", value: kept?.description ?? "" });
  const description_length = length_line(description, desk().limits.description_characters);
  const priority = h("select.input.input--select", { name: "priority" }, Object.keys(PRIORITY_NAMES).map((p) => h("option", { value: p, selected: p === (kept?.priority ?? "medium") }, `${PRIORITY_NAMES[p]} (${minutes_said(priorities[p])} to resolve)`)));
  const tags = h("input.input", { name: "tags", autocomplete: "off", dir: "auto", value: kept?.tags ?? "", placeholder: "network, printer" });
  const assignee = h("select.input.input--select", { name: "assignee", onchange: () => { chosen_assignee = assignee.value; changed(); } }, h("option", { value: "" }, "Nobody yet"));
  const error = h("p.form-error", { role: "alert" });
  const submit = h("button.button.button--primary", { type: "submit" }, "Create ticket");
  const similar = h("aside.similar", { "aria-label": "Similar tickets", "aria-live": "polite" });
  const recovered = h("p.recovered", { hidden: !kept }, "Your unsent text was kept. ", h("button.link-button", { onclick: start_over }, "Start over"));

  const read = () => ({ title: title.value, description: description.value, priority: priority.value, tags: tags.value, assignee: chosen_assignee, intent });
  const changed = () => (title.value || description.value || tags.value ? draft.keep(read()) : draft.drop());
  /** Until the list of agents has come. */
  let chosen_assignee = kept?.assignee ?? "";
  function start_over() {
    draft.drop();
    intent = null;
    chosen_assignee = "";
    form.reset();
    for (const input of [title, description, tags]) input.value = "";
    priority.value = "medium";
    recovered.hidden = true;
    fill(similar);
    title.focus();
  }

  async function send() {
    if (busy) return;
    if (title_length.check()) { title.focus(); return; }
    if (description_length.check()) { description.focus(); return; }
    busy = true;
    submit.setAttribute("aria-disabled", "true");
    submit.textContent = "Creating…";
    fill(error);
    const body = { title: title.value, description: description.value, priority: priority.value, tags: tags_in(tags.value), ...(chosen_assignee && { assignee_id: Number(chosen_assignee) }) };
    if (!intent || !same(intent.body, body)) intent = { key: api.new_key(), body };
    changed();
    draft.write();
    try {
      // Not ended with the page: what was sent is finished, and said.
      const { body: ticket } = await api.post("/api/tickets", body, { key: intent.key });
      draft.drop();
      note(`Ticket ${ticket.id} is open.`, { tone: "good", ...(!form.isConnected && { action: { label: "Show", run: () => go(`/tickets/${ticket.id}`) } }) });
      if (form.isConnected) go(`/tickets/${ticket.id}`);
    } catch (problem) {
      refused(problem);
    } finally {
      busy = false;
      submit.removeAttribute("aria-disabled");
      submit.textContent = "Create ticket";
    }
  }
  function refused(problem) {
    if (!form.isConnected) { note(`The new ticket was not created: ${problem.message} What you wrote is kept under New ticket.`, { tone: "bad", stay: true }); return; }
    fill(error, problem.message);
    const named = form.querySelector(`[name="${problem.field}"]`);
    if (named instanceof HTMLElement) { named.setAttribute("aria-invalid", "true"); named.focus(); }
  }

  let asking = new AbortController();
  async function look() {
    asking.abort();
    asking = new AbortController();
    const terms = terms_of(title.value).filter((t) => t.length > 2).slice(0, 6);
    if (!terms.length) { fill(similar); return; }
    // Every word must occur: where the whole title finds nothing, its longest word may.
    const longest = [...terms].sort((a, b) => b.length - a.length)[0];
    for (const words of terms.length > 1 ? [terms, [longest]] : [terms]) {
      const answer = await api.get(`/api/tickets?q=${encodeURIComponent(words.join(" "))}&status=${OPEN.join(",")}&limit=5`, { signal: asking.signal, quick: true }).catch(() => null);
      if (!answer) return;
      if (answer.body.items.length) { paint_similar(answer.body.items, words); return; }
    }
    fill(similar);
  }
  function paint_similar(items, words) {
    fill(similar, h("h2.similar__title", "Is it one of these?"), h("ul.similar__list", items.map((t) => h("li",
      h("a", { href: `/tickets/${t.id}` }, h("span.muted", hidden("Ticket "), `${t.id} `), h("bdi", marked(t.title, words))), status_badge(t.status)))));
  }

  const forget_look = when_typed(title, TYPING_MS, look);
  const form = h("form.new__form", { onsubmit: (e) => { e.preventDefault(); send(); }, oninput: (e) => { e.target.removeAttribute("aria-invalid"); changed(); }, onkeydown: (e) => { if (!is_composing(e) && e.key === "Enter" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); form.requestSubmit(); } } },
    recovered, field("Title", title, [title_length.element, h("p.field__hint", "What is wrong, in a line.")]), similar,
    field("Description", description, [description_length.element, h("p.field__hint", "What happened, since when, for whom.")]),
    h("div.new__row", field("Priority", priority), field("Tags", tags), is_staff() && field("Assignee", assignee)),
    error, h("div.form-actions", h("a.button", { href: "/tickets" }, "Cancel"), submit));
  if (is_staff()) assignee_options().then((list) => assignee.append(...list.filter((o) => o.value !== null).map((o) => h("option", { value: o.value, selected: String(o.value) === chosen_assignee }, isolated(o.label) + (o.hint === "me" ? " (me)" : ""))))).catch(() => {});
  if (kept?.title) look();

  return {
    element: h("section.page.page--narrow", h("header.page__header", h("h1.page__title", "New ticket")), form),
    title: "New ticket",
    close: () => { forget_look(); asking.abort(); },
  };
}
