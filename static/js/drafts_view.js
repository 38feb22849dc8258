// Everything of one's own that is not sent: drafts of every tab, replies under way, and those that failed.
import { say } from "./announce.js";
import { ago } from "./clock.js";
import { confirmed } from "./dialog.js";
import { fill, h } from "./dom.js";
import { discard, drafts_of, go_on_with, on_drafts } from "./drafts.js";
import { icon } from "./icons.js";
import { outbox } from "./sending.js";
import { user } from "./session.js";

const SHOWN = 240; // characters of a text

/** What a draft is of, and where it is written on. @param {import("./drafts.js").Kept} kept */
function place_of({ name }) {
  const [kind, id] = name.split(".");
  if (kind === "new") return { label: "New ticket", href: "/tickets/new" };
  return { label: `${kind === "edit" ? "Edit of" : "Reply to"} ticket ${id}`, href: `/tickets/${id}` };
}

/** @param {any} value */
const text_of = (value) => [value.title, value.body ?? value.description].filter(Boolean).join("\n");

/** @returns {import("./router.js").View} */
export function drafts_view() {
  const list = h("ol.unsent");
  const element = h("section.page.page--narrow", h("header.page__header", h("h1.page__title", "Unsent")), list);

  const item = (label, href, state, text, acts, onclick = () => {}) =>
    h("li.unsent__item", h("h2.unsent__title", h("a", { href, onclick }, label)), h("p.muted", state), h("p.unsent__text", { dir: "auto" }, text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text), h("div.unsent__acts", acts));

  function paint() {
    const letters = outbox.letters().map((letter) =>
      item(`Reply to ticket ${letter.ticket_id}`, `/tickets/${letter.ticket_id}`, letter.problem ?? "Being sent", letter.body, [
        letter.problem && h("button.button", { onclick: () => outbox.retry(letter.id) }, "Try again"),
        letter.problem && h("button.button.button--quiet", { onclick: () => sure(() => outbox.take_back(letter.id)) }, "Discard"),
      ]));
    const drafts = drafts_of(user().id).map((kept) => {
      const { label, href } = place_of(kept);
      const since = kept.saved_at ? ["Written ", ago(new Date(kept.saved_at).toISOString())] : "Written before";
      return item(label, href, since, text_of(kept.value), h("button.button.button--quiet", { onclick: () => sure(() => discard(kept)) }, "Discard"), () => go_on_with(kept));
    });
    fill(list, letters, drafts);
    if (!list.children.length) say("Nothing is unsent");
    if (!list.children.length) fill(list, h("li.empty", icon("inbox", "huge"), h("h2", "Nothing is unsent"), h("p", "What you write and do not send is listed here.")));
  }
  async function sure(act) {
    if (await confirmed("Discard this text?", "It was not sent and is kept nowhere else.", "Discard")) act();
  }

  const stops = [on_drafts(paint), outbox.listen(paint)];
  paint();
  return { element, title: "Unsent", close: () => stops.forEach((stop) => stop()) };
}

