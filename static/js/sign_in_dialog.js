// Signing in again over the page, when the token has ended: nothing on the page is lost.
import { keep_escape } from "./dialog.js";
import { h } from "./dom.js";
import { show_password } from "./passwords.js";
import { renew_token, user } from "./session.js";

// Keys that were meant for the page must not land in a field: the password gets the focus when none came.
const QUIET_MS = 800;

/** @type {{close: (again: boolean) => void}|null} */
let open = null;

/** Another tab has signed in again, or everybody out. @param {boolean} again */
export function close_sign_in(again) { open?.close(again); }

/**
 * Ask for the password; resolves true when the person is signed in again, false when they want to leave.
 * @returns {Promise<boolean>}
 */
export function sign_in_again() {
  return new Promise((resolve) => {
    const me = user();
    const title = h("h2", { id: "again-title", class: "dialog__title", tabindex: "-1" }, "Sign in again");
    const password = h("input.input", { id: "again-password", name: "password", type: "password", autocomplete: "current-password", required: true });
    const error = h("p.form-error", { role: "alert" });
    const submit = h("button.button.button--primary", { type: "submit" }, "Sign in");
    const box = h("dialog.dialog", { "aria-labelledby": "again-title" },
      h("header.dialog__header", title),
      h("div.dialog__body", h("form", { method: "post", onsubmit: send },
        h("p", "Your session has ended. What you wrote is still on the page."),
        h("div.field", h("label.field__label", { for: "again-username" }, "Username"),
          h("input.input", { id: "again-username", name: "username", autocomplete: "username", value: me.username, readonly: true })),
        h("div.field", h("label.field__label", { for: "again-password" }, "Password"), password, show_password(password)),
        error,
        h("div.dialog__actions", h("button.button", { onclick: () => close(false) }, "Sign in as someone else"), submit))));

    let timer = 0;
    const quiet = () => {
      clearTimeout(timer);
      timer = setTimeout(() => { if (document.activeElement === title) password.focus(); }, QUIET_MS);
    };
    function close(again) {
      clearTimeout(timer);
      open = null;
      box.close(); // gives the focus back
      box.remove();
      resolve(again);
    }
    async function send(event) {
      event.preventDefault();
      if (submit.hasAttribute("aria-disabled")) return;
      submit.setAttribute("aria-disabled", "true");
      error.textContent = "";
      try {
        await renew_token(password.value);
        close(true);
      } catch (problem) {
        error.textContent = problem.message;
        password.focus();
      } finally {
        submit.removeAttribute("aria-disabled");
      }
    }

    keep_escape(box, () => true);
    box.addEventListener("close", () => { if (box.isConnected) box.showModal(); }); // closed by nobody's answer
    box.addEventListener("keydown", quiet);
    document.body.append(box);
    box.showModal();
    title.focus();
    quiet();
    open = { close };
  });
}
