// Modal dialogs on the platform's <dialog>, which traps focus and gives it back.
import { h, uid } from "./dom.js";
import { icon } from "./icons.js";
import { is_composing } from "./typing.js";

/**
 * Show a dialog; resolves with what `close` was given, undefined when it was dismissed.
 * @param {{title: any, body: (close: (value?: any) => void) => any, wide?: boolean, class?: string}} options
 * @returns {Promise<any>}
 */
export function open_dialog({ title, body, wide = false, class: extra = "" }) {
  return new Promise((resolve) => {
    /** @type {any} */
    let result;
    const id = uid("dialog");
    const close = (value) => { result = value; box.close(); };
    const box = h("dialog", { class: `dialog${wide ? " dialog--wide" : ""} ${extra}`, "aria-labelledby": id },
      h("header.dialog__header", h("h2", { id, class: "dialog__title" }, title),
        h("button.icon-button", { "aria-label": "Close", onclick: () => close() }, icon("close"))),
      h("div.dialog__body", body(close)));
    box.addEventListener("close", () => { box.remove(); resolve(result); });
    // What holds a form holds something chosen or typed: only its own buttons and Esc leave it.
    close_outside(box, () => box.querySelector("form") !== null);
    document.body.append(box);
    box.showModal();
    box.querySelector("[autofocus]")?.focus();
  });
}

/**
 * Close a modal by a press outside it. A press that began inside, as when one marks text, is none; nor is
 * one while the modal holds what a person chose or typed.
 * @param {HTMLDialogElement} box @param {() => boolean} [holds]
 */
export function close_outside(box, holds = () => false) {
  let began_outside = false;
  const is_outside = (event) => {
    const { left, right, top, bottom } = box.getBoundingClientRect();
    return event.target === box && (event.clientX < left || event.clientX > right || event.clientY < top || event.clientY > bottom);
  };
  box.addEventListener("pointerdown", (event) => { began_outside = is_outside(event); });
  box.addEventListener("click", (event) => { if (began_outside && is_outside(event) && !holds()) box.close(); });
}

/**
 * Let a modal keep Esc for itself. Its `cancel` event alone cannot: browsers close a modal at the second Esc in a
 * row, whatever was said to the first.
 * @param {HTMLDialogElement} box @param {() => boolean} keeps whether the modal is to stay, asked at each Esc
 */
export function keep_escape(box, keeps) {
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !is_composing(event) && keeps()) event.preventDefault();
  });
  // What else asks a modal to close, such as the back gesture of a phone.
  box.addEventListener("cancel", (event) => { if (keeps()) event.preventDefault(); });
}

/** Ask yes or no. @param {any} title @param {string} text @param {string} yes the button's words @returns {Promise<boolean>} */
export async function confirmed(title, text, yes) {
  const answer = await open_dialog({
    title,
    body: (close) => [h("p", text), h("div.dialog__actions",
      h("button.button", { onclick: () => close(false) }, "Cancel"),
      h("button.button.button--primary", { autofocus: true, onclick: () => close(true) }, yes))],
  });
  return answer === true;
}

/** Whether a modal dialog is open: single keys belong to it then. */
export const dialog_is_open = () => document.querySelector("dialog[open]") !== null;
