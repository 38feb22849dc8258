// Modal dialogs on the platform's <dialog>, which traps focus and gives it back.
import { h, uid } from "./dom.js";
import { icon } from "./icons.js";

/**
 * Show a dialog; resolves with what `close` was given, undefined when it was dismissed.
 * @param {{title: string, body: (close: (value?: any) => void) => any, wide?: boolean, class?: string}} options
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
    box.addEventListener("click", (event) => { if (event.target === box) close(); });
    document.body.append(box);
    box.showModal();
    box.querySelector("[autofocus]")?.focus();
  });
}

/** Ask yes or no. @param {string} title @param {string} text @param {string} yes the button's words @returns {Promise<boolean>} */
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
