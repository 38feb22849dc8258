// A button that shows what is typed into a field of secrets.
import { fill, h } from "./dom.js";

/** @param {HTMLInputElement} field @param {string} [what] as its label says */
export function show_password(field, what = "password") {
  const button = h("button.link-button.password-shown", { "aria-pressed": "false", "aria-controls": field.id, onclick: () => {
    const is_shown = field.type === "text";
    field.type = is_shown ? "password" : "text";
    button.setAttribute("aria-pressed", String(!is_shown));
    fill(button, `${is_shown ? "Show" : "Hide"} ${what}`);
    field.focus();
  } }, `Show ${what}`);
  return button;
}
