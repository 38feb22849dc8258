// Sign in and register.
import * as api from "./api.js";
import { fill, h } from "./dom.js";
import { show_password } from "./passwords.js";
import { desk, sign_in } from "./session.js";
import { ROLE_NAMES } from "./badges.js";
import { logo } from "./shell.js";

/**
 * @param {import("./router.js").Context} context
 * @param {{register: boolean, entered: () => void}} how
 * @returns {import("./router.js").View}
 */
export function login_view(context, { register, entered }) {
  let key = api.new_key();
  let busy = false;
  const title = register ? "Create an account" : "Sign in";
  const field = (label, props, hint = "") => {
    const id = `login-${props.name}`;
    const input = h("input.input", { id, required: true, "aria-describedby": hint ? `${id}-hint` : null, oninput: () => { key = api.new_key(); }, ...props });
    return { input, element: h("div.field", h("label.field__label", { for: id }, label), input, hint && h("p.field__hint", { id: `${id}-hint` }, hint)) };
  };
  const name = field("Name", { name: "name", autocomplete: "name", required: null, dir: "auto" });
  const username = field("Username", { name: "username", autocomplete: "username", autocapitalize: "none", spellcheck: "false", autofocus: true }, register ? "Letters, digits and . _ - @ +" : "");
  const password = field("Password", { name: "password", type: "password", autocomplete: register ? "new-password" : "current-password", minlength: register ? 8 : null }, register ? "At least 8 characters; a sentence is good." : "");
  password.element.append(show_password(password.input));
  const keep = h("input", { type: "checkbox", name: "keep" });
  const error = h("p.form-error", { role: "alert" });
  const submit = h("button.button.button--primary.button--wide", { type: "submit" }, register ? "Create account" : "Sign in");
  const demo = h("div.login__demo");

  /** @param {Record<string, any>} body */
  async function send(body) {
    if (busy) return;
    busy = true;
    submit.setAttribute("aria-disabled", "true");
    fill(error);
    try {
      await sign_in(register ? "/api/auth/register" : "/api/auth/login", body, key, keep.checked);
      entered();
    } catch (problem) {
      const wait = problem.status === 429 ? " Wait a while, then try again." : "";
      fill(error, `${problem.message}${wait}`);
      (problem.field === "password" || problem.code === "INVALID_CREDENTIALS" ? password : username).input.focus();
    } finally {
      busy = false;
      submit.removeAttribute("aria-disabled");
      key = api.new_key();
    }
  }

  const form = h("form.login__form", { method: "post", onsubmit: (e) => {
    e.preventDefault();
    send({ username: username.input.value.trim(), password: password.input.value, ...(register && name.input.value.trim() && { name: name.input.value.trim() }) });
  } },
    register && name.element, username.element, password.element,
    h("label.check", keep, "Keep me signed in on this device"), error, submit);

  const other = register ? "/login" : "/register";
  const element = h("section.login",
    h("div.login__card",
      h("div.login__brand", logo(), h("span", desk()?.name ?? "HelpDesk Mini")),
      h("h1.login__title", title), form, demo,
      h("p.login__other.muted", register ? "Have an account? " : "New here? ", h("a", { href: other + context.search }, register ? "Sign in" : "Create an account"))));

  if (!register && desk()?.mode === "demo") {
    api.get("/.well-known/hackathon.json", { quick: true }).then(({ body }) => fill(demo,
      h("p.login__demo-title", "This is a demo. Walk in as:"),
      h("div.login__accounts", (body?.demo_accounts ?? []).map((a) =>
        h("button.button", { onclick: () => { key = api.new_key(); send({ username: a.username, password: a.password }); } },
          h("strong", ROLE_NAMES[a.role] ?? a.role), h("span.muted", a.username)))))).catch(() => {});
  }
  return { element, title, close: () => {} };
}
