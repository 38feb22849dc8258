// A new ticket. Its Idempotency-Key is made with the form and kept in the draft, so neither a double click,
// a retry nor a reload makes two.
import * as api from "./api.js";
import { note } from "./announce.js";
import { marked, PRIORITY_NAMES, status_badge } from "./badges.js";
import { assignee_options } from "./agents.js";
import { drop_draft, keep_draft, read_draft } from "./drafts.js";
import { fill, h, hidden, uid } from "./dom.js";
import { terms_of } from "./marks.js";
import { go } from "./router.js";
import { desk, is_staff, user } from "./session.js";
import { OPEN } from "./query.js";
import { minutes_said } from "./time.js";

const TYPING_MS = 450;

/** @param {import("./router.js").Context} context @returns {import("./router.js").View} */
export function new_view(context) {
  void context;
  const me = user();
  const draft = read_draft(me.id, "new");
  let key = draft?.key ?? api.new_key();
  let busy = false;
  const abort = new AbortController();
  const priorities = desk().priorities;

  const field = (label, input, hint = null) => {
    input.id ||= uid("field");
    return h("div.field", h("label.field__label", { for: input.id }, label), input, hint);
  };
  const title = h("input.input", { name: "title", required: true, maxlength: 200, autofocus: true, autocomplete: "off", value: draft?.title ?? "" });
  const description = h("textarea.input", { name: "description", required: true, maxlength: 20000, rows: 9, value: draft?.description ?? "" });
  const priority = h("select.input.input--select", { name: "priority" }, Object.keys(PRIORITY_NAMES).map((p) => h("option", { value: p, selected: p === (draft?.priority ?? "medium") }, `${PRIORITY_NAMES[p]} (${minutes_said(priorities[p])} to resolve)`)));
  const tags = h("input.input", { name: "tags", autocomplete: "off", value: draft?.tags ?? "", placeholder: "network, printer" });
  const assignee = h("select.input.input--select", { name: "assignee" }, h("option", { value: "" }, "Nobody yet"));
  const error = h("p.form-error", { role: "alert" });
  const submit = h("button.button.button--primary", { type: "submit" }, "Create ticket");
  const similar = h("aside.similar", { "aria-label": "Similar tickets", "aria-live": "polite" });
  const recovered = h("p.recovered", { hidden: !draft }, "Your unsent text was kept. ", h("button.link-button", { onclick: start_over }, "Start over"));

  const read = () => ({ title: title.value, description: description.value, priority: priority.value, tags: tags.value, key });
  const changed = () => (title.value || description.value || tags.value ? keep_draft(me.id, "new", read()) : drop_draft(me.id, "new"));
  function start_over() {
    drop_draft(me.id, "new");
    key = api.new_key();
    form.reset();
    for (const input of [title, description, tags]) input.value = "";
    priority.value = "medium";
    recovered.hidden = true;
    fill(similar);
    title.focus();
  }

  async function send() {
    if (busy) return;
    busy = true;
    submit.disabled = true;
    submit.textContent = "Creating…";
    fill(error);
    const body = { title: title.value, description: description.value, priority: priority.value, tags: tags.value.split(/[,\s]+/).filter(Boolean), ...(assignee.value && { assignee_id: Number(assignee.value) }) };
    try {
      const { body: ticket } = await api.post("/api/tickets", body, { key, signal: abort.signal });
      drop_draft(me.id, "new");
      note(`Ticket ${ticket.id} is open.`, { tone: "good" });
      go(`/tickets/${ticket.id}`);
    } catch (problem) {
      refused(problem);
    } finally {
      busy = false;
      submit.disabled = false;
      submit.textContent = "Create ticket";
    }
  }
  function refused(problem) {
    if (problem.name === "AbortError") return;
    if (problem.code === "IDEMPOTENCY_KEY_REUSED") {
      key = api.new_key();
      changed();
      fill(error, "An earlier version of this text was created already. ", h("a", { href: "/tickets" }, "Look at your tickets"), " before you create another one.");
    } else fill(error, problem.message);
    const named = form.querySelector(`[name="${problem.field}"]`);
    if (named instanceof HTMLElement) { named.setAttribute("aria-invalid", "true"); named.focus(); }
  }

  let timer = 0;
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
      h("a", { href: `/tickets/${t.id}`, dir: "auto" }, h("span.muted", hidden("Ticket "), `${t.id} `), marked(t.title, words)), status_badge(t.status)))));
  }

  title.addEventListener("input", () => { clearTimeout(timer); timer = window.setTimeout(look, TYPING_MS); });
  const form = h("form.new__form", { onsubmit: (e) => { e.preventDefault(); send(); }, oninput: (e) => { e.target.removeAttribute("aria-invalid"); changed(); }, onkeydown: (e) => { if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); form.requestSubmit(); } } },
    recovered, field("Title", title, h("p.field__hint", "What is wrong, in a line.")), similar,
    field("Description", description, h("p.field__hint", "What happened, since when, for whom.")),
    h("div.new__row", field("Priority", priority), field("Tags", tags), is_staff() && field("Assignee", assignee)),
    error, h("div.form-actions", h("a.button", { href: "/tickets" }, "Cancel"), submit));
  if (is_staff()) assignee_options().then((list) => assignee.append(...list.filter((o) => o.value !== null).map((o) => h("option", { value: o.value }, o.label + (o.hint === "me" ? " (me)" : ""))))).catch(() => {});
  if (draft?.title) look();

  return {
    element: h("section.page.page--narrow", h("header.page__header", h("h1.page__title", "New ticket")), form),
    title: "New ticket",
    close: () => { clearTimeout(timer); asking.abort(); abort.abort(); },
  };
}
