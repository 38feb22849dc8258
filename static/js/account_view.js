// One's own account: name, address, password.
import * as api from "./api.js";
import { note } from "./announce.js";
import { ROLE_NAMES } from "./badges.js";
import { fill, h } from "./dom.js";
import { show_password } from "./passwords.js";
import { renew, user } from "./session.js";

/** @param {() => void} renamed called when the own name has changed @returns {import("./router.js").View} */
export function account_view(renamed) {
  const me = user();
  const field = (label, props) => {
    const input = h("input.input", { id: `account-${props.name}`, ...props });
    return { input, element: h("div.field", h("label.field__label", { for: input.id }, label), input) };
  };
  const name = field("Name", { name: "name", autocomplete: "name", dir: "auto", value: me.name ?? "" });
  const email = field("Email", { name: "email", type: "text", inputmode: "email", autocomplete: "email", value: me.email ?? "" });
  const old = field("Current password", { name: "current_password", type: "password", autocomplete: "current-password", required: true });
  const fresh = field("New password", { name: "password", type: "password", autocomplete: "new-password", required: true, minlength: 8 });
  old.element.append(show_password(old.input, "current password"));
  fresh.element.append(show_password(fresh.input, "new password"));
  /** Only what was changed; an empty field takes away what was there. @param {Record<string, string>} values */
  function changed_of(values) {
    const before = user();
    return Object.fromEntries(Object.entries(values).filter(([field, value]) => value !== (before[field] ?? "")));
  }
  const form = (label, fields, read, done) => {
    const error = h("p.form-error", { role: "alert" });
    const el = h("form.new__form", { method: "post", onsubmit: async (e) => {
      e.preventDefault();
      fill(error);
      try {
        const changes = read();
        if (Object.keys(changes).length) renew((await api.patch("/api/me", changes)).body);
        if ("name" in changes) renamed();
        note(done, { tone: "good" });
        if (fields[0] === old) el.reset();
      } catch (problem) { fill(error, problem.message); }
    } }, fields.map((f) => f.element), error, h("div.form-actions", h("button.button.button--primary", { type: "submit" }, label)));
    return el;
  };
  const element = h("section.page.page--narrow", h("header.page__header", h("h1.page__title", "Your account"), h("p.muted", `${me.username}, ${ROLE_NAMES[me.role]}`)),
    form("Save", [name, email], () => changed_of({ name: name.input.value.trim(), email: email.input.value.trim() }), "Saved."),
    h("h2.page__part", "Password"), h("p.muted", "A new one signs you out everywhere else."),
    form("Change password", [old, fresh], () => ({ current_password: old.input.value, password: fresh.input.value }), "The password is changed."));
  return { element, title: "Your account", close: () => {} };
}
