// How long a text may be. Nothing is cut: a control's maxlength would drop the end of a paste without a
// word, and counts UTF-16 units where the API counts code points.
import { h } from "./dom.js";

const NEAR = 0.9; // of the limit; from there on the count is shown

/** The length as the API counts it, in code points of NFC. @param {string} text */
export function length_of(text) {
  const composed = text.normalize("NFC");
  let count = composed.length;
  for (let n = 0; n < composed.length; n += 1) if ((composed.codePointAt(n) ?? 0) > 0xffff) count -= 1;
  return count;
}

/** What is wrong with a text's length, for a person; "" for nothing. @param {string} text @param {number} most */
export function too_long(text, most) {
  // Composing lengthens a few texts, threefold at most.
  if (text.length * 3 <= most) return "";
  const over = length_of(text) - most;
  return over > 0 ? `This is ${over.toLocaleString("en")} ${over === 1 ? "character" : "characters"} too long; at most ${most.toLocaleString("en")} can be sent.` : "";
}

/**
 * A line under a text field that says how much of its length is used, from nine tenths on.
 * @param {HTMLInputElement|HTMLTextAreaElement} field @param {number} most
 * @returns {{element: HTMLElement, check: () => string}} `check` shows and returns what is wrong, "" for nothing
 */
export function length_line(field, most) {
  const element = h("p.length", { role: "status", hidden: true });
  // The API trims what is one line before it counts.
  const counted = () => (field instanceof HTMLTextAreaElement ? field.value : field.value.trim());
  function check() {
    const text = counted();
    const wrong = too_long(text, most);
    const is_near = wrong !== "" || text.length > most * NEAR;
    element.hidden = !is_near;
    element.classList.toggle("length--over", wrong !== "");
    element.textContent = is_near ? wrong || `${length_of(text).toLocaleString("en")} of ${most.toLocaleString("en")} characters` : "";
    field.setAttribute("aria-invalid", String(wrong !== ""));
    return wrong;
  }
  field.addEventListener("input", check);
  check();
  return { element, check };
}
