// What the desk says aside: short notes in a corner, spoken politely to screen readers.
import { fill, h } from "./dom.js";
import { icon } from "./icons.js";

const STAY_MS = 6000;
const voice = h("div.visually-hidden", { "aria-live": "polite", role: "status" });
const corner = h("div.toasts", { role: "region", "aria-label": "Notices" });
const wait_bar = h("div.wait", { role: "status", hidden: true });

/** Put the places for notices into the page, once. */
export function mount_notices() { document.body.append(voice, corner, wait_bar); }

/** Speak only. @param {string|null} text */
export function say(text) {
  // Emptied first: the same words twice would be silent the second time.
  voice.textContent = "";
  setTimeout(() => { voice.textContent = text; }, 50);
}

/**
 * Show a note for some seconds, and speak it.
 * @param {any} text names in it are nodes of their own (`name_in_text`)
 * @param {{tone?: "plain"|"good"|"bad", action?: {label: string, run: () => void}, stay?: boolean}} [options]
 */
export function note(text, { tone = "plain", action, stay = false } = {}) {
  /** What had the focus before the note. @type {any} */ let before = null;
  const gone = () => {
    clearTimeout(timer);
    const had_focus = box.contains(document.activeElement);
    box.remove();
    if (had_focus) before?.focus({ preventScroll: true });
  };
  const words = h("p.toast__text", text);
  const box = h("div", { class: `toast toast--${tone}` }, words,
    action && h("button.button.button--quiet", { onclick: () => { gone(); action.run(); } }, action.label),
    h("button.icon-button", { "aria-label": "Dismiss", onclick: gone }, icon("close")));
  let timer = 0;
  const arm = () => { clearTimeout(timer); if (!stay) timer = window.setTimeout(gone, STAY_MS); };
  // A note that is being read stays.
  box.addEventListener("pointerenter", () => clearTimeout(timer));
  box.addEventListener("pointerleave", arm);
  box.addEventListener("focusin", (event) => { clearTimeout(timer); if (!box.contains(/** @type {any} */ (event.relatedTarget))) before = event.relatedTarget; });
  box.addEventListener("focusout", arm);
  corner.append(box);
  while (corner.children.length > 4) [...corner.children].find((old) => !old.contains(document.activeElement))?.remove();
  arm();
  say(words.textContent);
  return gone;
}

/** An error in words for a person. @param {any} error */
export function note_error(error) {
  if (error?.name === "AbortError") return;
  if (error?.status === 401) return;
  const id = error?.request_id ? ` (request ${error.request_id})` : "";
  note(error?.status >= 500 ? `${error.message}${id}` : error?.message ?? "Something went wrong.", { tone: "bad" });
}

let tick = 0;
/** The countdown while a request waits for the server. @param {{until: number, why: "busy"|"lost", retry: () => void, cancel: () => void}|null} wait */
export function show_wait(wait) {
  clearInterval(tick);
  wait_bar.hidden = wait === null;
  if (!wait) { fill(wait_bar); return; }
  const words = wait.why === "busy" ? "The server asks for a pause." : "The server cannot be reached.";
  const count = h("span.wait__count", { "aria-hidden": "true" });
  const paint = () => { count.textContent = `Trying again in ${Math.max(0, Math.ceil((wait.until - Date.now()) / 1000))} s`; };
  paint();
  tick = window.setInterval(paint, 500);
  fill(wait_bar, icon(wait.why === "busy" ? "clock" : "alert"), h("span", words), count,
    wait.why === "lost" && h("button.button.button--quiet", { onclick: wait.retry }, "Try now"),
    h("button.button.button--quiet", { onclick: wait.cancel }, "Give up"));
}
