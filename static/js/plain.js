// The plain pages' one script, and they work without it: what is typed stays in this tab until it is stored.
// The pages are `no-store`, so that Firefox forgets a half-written form on Back.
import { h } from "./dom.js";
import { tab as tab_store } from "./storage.js";

/** @typedef {Record<string, string|boolean>} Values the fields of a form by their names */

const STEM = "helpdesk.plain.";
const IS_BACK = "What you wrote here before is back. ";
const main = document.getElementById("main");
const person = main?.dataset.person ?? "";

/** What a form keeps: all but passwords, its token, and the word that it may be sent twice. */
const fields_of = (form) =>
  [...form.elements].filter((f) => f.name && !["_xsrf", "again"].includes(f.name) && !["password", "submit"].includes(f.type));

/** @returns {Values} */
const read = (form) =>
  Object.fromEntries(fields_of(form).map((field) => [field.name, field.type === "checkbox" ? field.checked : field.value]));

/** @param {Values} values */
function write(form, values) {
  for (const field of fields_of(form)) {
    const value = values[field.name];
    if (value === undefined) continue;
    if (field.type === "checkbox") field.checked = value === true;
    else field.value = String(value);
    if (field.type === "select-one" && field.selectedIndex < 0) field.selectedIndex = 0;
  }
}

/** An answer to one comment never becomes an answer to all: notes would get public. */
const place_of = (form) => `${STEM}${person}.${new URL(form.action).pathname}#${form.elements.parent?.value ?? ""}`;

/** @returns {Values|null} */
function kept_at(place) {
  try {
    return JSON.parse(tab_store.get(place) ?? "null");
  } catch {
    return null;
  }
}

/** The keys of the forms that were stored, as the server names them in a cookie. */
function stored_keys() {
  const cookie = document.cookie.split("; ").find((part) => part.startsWith("helpdesk_plain_stored="));
  return cookie?.split("=")[1]?.split(".") ?? [];
}

function drop_what_is_stored() {
  const stored = stored_keys();
  for (const place of tab_store.keys(STEM)) {
    if (stored.includes(String(kept_at(place)?.form_key))) tab_store.remove(place);
  }
}

/** Say that the words came back, and let them be taken away and put back. */
function offer_both(form, fresh, kept, keep) {
  const button = /** @type {HTMLButtonElement} */ (h("button", { type: "button" }, "Take it away"));
  button.onclick = () => {
    const is_back = button.textContent === "Take it away";
    if (is_back) kept = read(form);
    write(form, is_back ? fresh : kept);
    if (is_back) tab_store.remove(place_of(form));
    else keep();
    button.textContent = is_back ? "Put it back" : "Take it away";
  };
  form.prepend(h("p", { class: "told", role: "status" }, IS_BACK, button));
}

function watch(form) {
  const place = place_of(form);
  const keep = () => tab_store.set(place, JSON.stringify(read(form)));
  const kept = kept_at(place);
  if (form.dataset.given !== undefined) {
    if (!form.elements.again) keep(); // the server gave back what was typed; twice the same is worth no keeping
  } else if (kept) {
    const fresh = read(form);
    write(form, kept);
    const typed = fields_of(form).filter((field) => field.type !== "hidden");
    if (typed.some((field) => field.name in kept && fresh[field.name] !== kept[field.name])) offer_both(form, fresh, kept, keep);
  }
  form.addEventListener("input", keep);
  form.addEventListener("change", keep);
}

const forget_all = () => tab_store.keys(STEM).forEach((place) => tab_store.remove(place));

drop_what_is_stored();
addEventListener("pageshow", drop_what_is_stored);
document.querySelector("form[action='/plain/logout']")?.addEventListener("submit", forget_all);
if (person) {
  for (const form of document.querySelectorAll("form.sheet[method=post]")) {
    if (/** @type {HTMLFormElement} */ (form).elements.namedItem("form_key")) watch(form);
  }
}
