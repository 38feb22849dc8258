// Typing, with an input method or without.

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
