// Replies to one ticket that are under way, or could not be sent.
import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { outbox } from "./sending.js";
import { text_body } from "./text_body.js";

/**
 * @param {number} ticket_id
 * @param {{take_back: (letter: import("./outbox.js").Letter) => void}} acts
 * @returns {{element: HTMLElement, focus: (id: string) => void, close: () => void}}
 */
export function waiting_letters(ticket_id, { take_back }) {
  const list = h("ol.letters", { "aria-label": "Not sent yet" });

  /** @param {import("./outbox.js").Letter} letter */
  function letter_item(letter) {
    const edit = () => {
      const taken = outbox.take_back(letter.id);
      if (taken) take_back(taken);
    };
    const acts = letter.comment
      ? [h("button.button", { onclick: () => outbox.retry(letter.id) }, "Try again"), h("button.button.button--quiet", { onclick: () => outbox.take_back(letter.id) }, "Leave the status")]
      : [h("button.button", { onclick: () => outbox.retry(letter.id) }, "Try again"), h("button.button.button--quiet", { onclick: edit }, "Edit")];
    return h("li", { class: `letter${letter.internal ? " letter--internal" : ""}${letter.problem ? " letter--failed" : ""}`, tabindex: "-1", dataset: { letter: letter.id } },
      h("p.letter__state", { role: letter.problem ? "alert" : "status" }, icon(letter.problem ? "alert" : "clock", "small"), letter.problem || (letter.comment ? "Setting the status…" : "Sending…")),
      !letter.comment && text_body(letter.body),
      letter.problem && h("div.letter__acts", acts));
  }

  function paint() {
    const focused = /** @type {HTMLElement|null} */ (document.activeElement?.closest("[data-letter]"))?.dataset.letter;
    const letters = outbox.letters(ticket_id);
    list.hidden = !letters.length;
    fill(list, letters.map(letter_item));
    if (focused) focus(focused);
  }

  /** @param {string} id */
  function focus(id) {
    const item = /** @type {HTMLElement|null} */ (list.querySelector(`[data-letter="${CSS.escape(id)}"]`));
    item?.focus({ preventScroll: true });
    item?.scrollIntoView({ block: "nearest" });
  }

  const stop = outbox.listen(paint);
  paint();
  return { element: list, focus, close: stop };
}
