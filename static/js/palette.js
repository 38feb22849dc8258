// The command palette on Ctrl/Cmd-K: go anywhere, do what the page offers, open a ticket by number, search.
import * as api from "./api.js";
import { status_badge } from "./badges.js";
import { close_outside } from "./dialog.js";
import { fill, h, uid } from "./dom.js";
import { folded } from "./folding.js";
import { write_query } from "./query.js";
import { go } from "./router.js";
import { is_admin, is_staff } from "./session.js";
import { show_keys } from "./keys.js";
import { turn_theme } from "./theme.js";
import { is_composing, when_typed } from "./typing.js";
import { standing_views } from "./views.js";

/** @typedef {{label: string, hint?: string, sign?: Node, shown?: any, run: () => void}} Command `shown` is the label with names as nodes */

const TYPING_MS = 320;
/** @type {Set<() => Command[]>} */
const offers = new Set();

/** A view's own commands, while it is open. @param {() => Command[]} offer @returns {() => void} stop */
export function offer_commands(offer) { offers.add(offer); return () => offers.delete(offer); }

/** @returns {Command[]} */
function standing() {
  const places = [["New ticket", "/tickets/new", "n"], ...standing_views().map((v) => [v.name, `/tickets${v.search}`, `g ${v.key}`])];
  if (is_staff()) places.push(["Dashboard", "/dashboard", "g d"]);
  if (is_admin()) places.push(["People", "/people", "g p"]);
  places.push(["API console", "/console", "g c"], ["Your account", "/account", "g i"]);
  return [...places.map(([label, path, hint]) => ({ label, hint, run: () => go(path) })),
    { label: "Keyboard shortcuts", hint: "?", run: show_keys }, { label: "Change the theme", run: () => { turn_theme(); } }];
}

/** Open it; does nothing where another dialog is open. */
export function open_palette() {
  if (document.querySelector("dialog[open]")) return;
  const commands = [...[...offers].flatMap((offer) => offer()), ...standing()];
  /** @type {Command[]} */ let shown = [];
  /** @type {Command[]} */ let found = [];
  let at = 0;
  let asking = new AbortController();
  const list_id = uid("commands");
  const input = h("input.picker__input", { type: "text", role: "combobox", "aria-label": "Command, ticket number or words to search", "aria-expanded": "true", "aria-controls": list_id, "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false", placeholder: "Type a command, a ticket number or words" });
  const list = h("ul.picker__list", { role: "listbox", id: list_id, "aria-label": "Commands" });
  const box = h("dialog.picker.picker--palette", { "aria-label": "Command palette" }, input, list);

  function paint() {
    const typed = input.value.trim();
    const words = folded(typed).split(" ");
    shown = commands.filter((c) => words.every((w) => folded(c.label).includes(w)));
    const number = /^#?(\d{1,12})$/.exec(typed);
    if (number) shown.unshift({ label: `Open ticket ${number[1]}`, run: () => go(`/tickets/${number[1]}`) });
    shown.push(...found);
    if (typed) shown.push({ label: "Search tickets", shown: ["Search tickets for “", h("bdi", typed), "”"], run: () => go(`/tickets${write_query({ q: typed })}`) });
    at = Math.min(at, shown.length - 1);
    fill(list, shown.map((c, i) => h("li", { class: `picker__option${i === at ? " picker__option--at" : ""}`, id: `${list_id}-${i}`, role: "option", "aria-selected": String(i === at), onclick: () => take(c) },
      h("span.picker__label", c.shown ?? c.label), c.sign, c.hint && h("span.picker__hint", c.hint.split(" ").map((k) => h("kbd", k))))));
    input.setAttribute("aria-activedescendant", `${list_id}-${at}`);
    list.children[at]?.scrollIntoView({ block: "nearest" });
  }
  function take(command) { box.close(); command.run(); }

  async function ask() {
    const typed = input.value.trim();
    asking.abort();
    asking = new AbortController();
    found = [];
    if (typed.length > 1) {
      const answer = await api.get(`/api/tickets?q=${encodeURIComponent(typed)}&limit=6`, { signal: asking.signal, quick: true }).catch(() => null);
      found = (answer?.body.items ?? []).map((t) => ({ label: `${t.id} ${t.title}`, sign: status_badge(t.status), run: () => go(`/tickets/${t.id}`), shown: [`${t.id} `, h("bdi", t.title)] }));
    }
    paint();
  }
  input.addEventListener("input", () => { at = 0; paint(); });
  const forget = when_typed(input, TYPING_MS, ask);
  input.addEventListener("keydown", (event) => {
    if (is_composing(event)) return undefined;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") at = (at + (event.key === "ArrowDown" ? 1 : shown.length - 1)) % shown.length;
    else if (event.key === "Enter" && shown[at]) { event.preventDefault(); return take(shown[at]); }
    else return undefined;
    event.preventDefault();
    paint();
    return undefined;
  });
  close_outside(box);
  box.addEventListener("close", () => { forget(); asking.abort(); box.remove(); });
  document.body.append(box);
  paint();
  box.showModal();
  input.focus();
}
