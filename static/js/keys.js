// Single-key shortcuts, with their list. They rest while one types, while a dialog is open, and when turned off.
import { open_dialog, dialog_is_open } from "./dialog.js";
import { h } from "./dom.js";
import { local } from "./storage.js";
import { is_composing } from "./typing.js";

/** @typedef {{keys: string, label: string, group: string, run: (event: KeyboardEvent) => void}} Shortcut `keys` such as "j" or "g d" */

const OFF = "helpdesk.keys_off";
const SEQUENCE_MS = 1200;
/** @type {Set<Shortcut[]>} */
const sets = new Set();
let first = "";
let first_at = 0;

/** @param {Shortcut[]} shortcuts @returns {() => void} take them away */
export function use_keys(shortcuts) {
  sets.add(shortcuts);
  return () => sets.delete(shortcuts);
}

/** The newest registered wins, so that a view can take a key over. */
function find(keys) {
  return [...sets].reverse().flat().find((s) => s.keys === keys);
}

function is_typing(target) {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("textarea, select, input:not([type=checkbox]):not([type=radio])"));
}

/** Whether the keyboard's letters are of another script: then its keys are told by where they stand. */
let is_other_script = false;

/**
 * The key as it is named here: the letter of its place on a Latin keyboard, where it types one of another
 * script (Cyrillic, Greek, Hebrew, Arabic) or, on such a keyboard, a sign instead of a letter.
 * @param {KeyboardEvent} event
 */
export function key_of({ key, code, shiftKey }) {
  const place = /^Key([A-Z])$/.exec(code ?? "")?.[1];
  if (place && /^\p{L}\p{M}*$/u.test(key)) is_other_script = !/^\p{Script=Latin}/u.test(key);
  if (/^[a-z]$/i.test(key) || [...key].length > 2) return key; // named keys, such as Enter, are long
  if (place && (is_other_script || !/^[!-~]$/.test(key)) && !/^\p{Script=Latin}/u.test(key) && !find(key)) return shiftKey ? place : place.toLowerCase();
  if (code === "Slash" && !/^[!-~]$/.test(key)) return shiftKey ? "?" : "/";
  return key;
}

/** @param {KeyboardEvent} event */
function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || is_composing(event)) return;
  if (is_typing(event.target) || dialog_is_open() || local.get(OFF)) return;
  const key = key_of(event);
  const together = first && Date.now() - first_at < SEQUENCE_MS ? `${first} ${key}` : key;
  const shortcut = find(together) ?? find(key);
  first = "";
  if (shortcut) {
    event.preventDefault();
    shortcut.run(event);
  } else if ([...sets].flat().some((s) => s.keys.startsWith(`${key} `))) {
    first = key;
    first_at = Date.now();
  }
}

/** Listen from now on. */
export function start_keys() { document.addEventListener("keydown", pressed); }

/** Show every shortcut that works here. */
export function show_keys() {
  const groups = new Map();
  for (const s of [...sets].flat()) groups.set(s.group, [...(groups.get(s.group) ?? []), s]);
  const toggle = h("input", { type: "checkbox", checked: !local.get(OFF), onchange: () => (toggle.checked ? local.remove(OFF) : local.set(OFF, "1")) });
  open_dialog({
    title: "Keyboard shortcuts",
    wide: true,
    body: () => [
      h("div.keys", [...groups].map(([group, list]) => h("section", h("h3.keys__group", group),
        h("dl.keys__list", list.map((s) => h("div.keys__row", h("dt", s.keys.split(" ").map((k) => h("kbd", k))), h("dd", s.label))))))),
      h("p.muted", h("kbd", "Ctrl"), " ", h("kbd", "K"), " opens the command palette; ", h("kbd", "Ctrl"), " ", h("kbd", "Enter"), " sends what you write."),
      h("label.check", toggle, "Single-key shortcuts are on"),
    ],
  });
}
