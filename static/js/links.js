// Finds web addresses and ticket numbers in written text. Pure: gives pieces, not nodes.

// An address ends at white space and at what never stands in one unescaped: quotation marks, and the
// punctuation of scripts that write no blank after it. Letters of every script may stand in it.
const ENDS = "\\s<>\"'`\u200b\u2018-\u201f\u2026\u00ab\u00bb\u2039\u203a\u060c\u061b\u061f\u06d4\u0964\u0965\u3000-\u3004\u3008-\u301f\ufe10-\ufe19\ufe30-\ufe6b\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65";
const LINKS = new RegExp(`(https?://[^${ENDS}]+)|(?<![\\w/#&])#(\\d{1,9})\\b`, "giu");
const PAIRS = /** @type {Record<string, string>} */ ({ ")": "(", "]": "[", "}": "{" });

/** @typedef {{text: string, href?: string, is_ticket?: boolean}} Piece */

/** @param {string} text @returns {Piece[]} which together are the text */
export function pieces(text) {
  /** @type {Piece[]} */
  const out = [];
  let done = 0;
  for (const match of text.matchAll(LINKS)) {
    const found = match[1] ? without_tail(match[1]) : match[0];
    if (match[1] && !/^https?:\/\/[\p{L}\p{N}[]/iu.test(found)) continue;
    if (match.index > done) out.push({ text: text.slice(done, match.index) });
    out.push(match[1] ? { text: found, href: found } : { text: found, href: `/tickets/${match[2]}`, is_ticket: true });
    done = match.index + found.length;
  }
  if (done < text.length) out.push({ text: text.slice(done) });
  return out;
}

/**
 * An address without the punctuation of the sentence around it. A bracket belongs to it where it closes
 * one that the address opened: `…/Port_(networking)`, but not `(see …/ports)`.
 * @param {string} address
 */
function without_tail(address) {
  /** @type {Record<string, number>} How many of each bracket stand before `end`. */
  const counts = {};
  for (const char of address) if ("()[]{}".includes(char)) counts[char] = (counts[char] ?? 0) + 1;
  let end = address.length;
  for (; end > 0; end -= 1) {
    const last = address[end - 1];
    const is_paired = last in PAIRS && counts[last] <= (counts[PAIRS[last]] ?? 0);
    if (is_paired || !".,;:!?()[]{}".includes(last)) break;
    if (last in counts) counts[last] -= 1;
  }
  return address.slice(0, end);
}
