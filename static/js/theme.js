// Light, dark, or as the system has it. The style sheet's tokens do the rest.
import { local } from "./storage.js";

const KEY = "helpdesk.theme";
const ROUND = /** @type {const} */ (["system", "light", "dark"]);

export const theme = () => local.get(KEY) ?? "system";

/** Dress the page in the kept theme. */
export function wear_theme() {
  const kept = theme();
  if (kept === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = kept;
}

/** @returns {string} the next theme, now worn */
export function turn_theme() {
  const next = ROUND[(ROUND.indexOf(/** @type {any} */ (theme())) + 1) % ROUND.length];
  local.set(KEY, next);
  wear_theme();
  return next;
}
