// Typing, with an input method or without.
import { one_line } from "./dom.js";

/**
 * Whether a key belongs to an input method: while text is composed, all keys do. Some browsers report the
 * key that ends the composition only by its code.
 * @param {KeyboardEvent} event
 */
export const is_composing = (event) => event.isComposing || event.keyCode === 229;

/**
 * Run something when a person has stopped typing for a moment; never on half-composed text.
 * @param {HTMLInputElement} input @param {number} pause_ms @param {() => void} run
 * @returns {() => void} forget what waits
 */
export function when_typed(input, pause_ms, run) {
  let timer = 0;
  const forget = () => clearTimeout(timer);
  const soon = () => {
    forget();
    timer = setTimeout(run, pause_ms);
  };
  input.addEventListener("input", (event) => {
    if (!(/** @type {InputEvent} */ (event).isComposing)) soon();
  });
  input.addEventListener("compositionstart", forget);
  input.addEventListener("compositionend", soon);
  return forget;
}

/** @param {any} target */
const is_one_line = (target) => target instanceof HTMLInputElement && target.matches("input:not([type]), input[type=text], input[type=search], input[type=email]");

/** Let tabs and line breaks that are pasted or dropped into a one-line field be spaces: browsers differ, and the API takes none. */
export function start_one_lines() {
  document.addEventListener("paste", (event) => {
    const text = event.clipboardData?.getData("text/plain") ?? "";
    const line = one_line(text);
    if (event.defaultPrevented || line === text || !is_one_line(event.target)) return;
    event.preventDefault();
    document.execCommand("insertText", false, line); // unlike setRangeText, it can be undone
  });
  document.addEventListener("input", (event) => {
    const target = /** @type {HTMLInputElement} */ (event.target);
    if (!is_one_line(target) || target.value === one_line(target.value)) return;
    const { selectionStart, selectionEnd } = target;
    target.value = one_line(target.value);
    target.setSelectionRange(selectionStart, selectionEnd);
  }, true);
}
