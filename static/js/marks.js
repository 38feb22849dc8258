// Finds search terms in text the way the server's search does: beginnings of words, without regard to
// case or diacritics. Pure: gives segments, not nodes.

/**
 * Case and marks away; through upper case, which also makes ß two letters. Returns the folded text and, for each of its units, where it came from.
 * @param {string} text
 */
function fold(text) {
  let folded = "";
  /** @type {number[]} */
  const from = [];
  let index = 0;
  for (const char of text) {
    const plain = char.normalize("NFKD").replace(/\p{M}/gu, "").toUpperCase().toLowerCase();
    for (let i = 0; i < plain.length; i += 1) from.push(index);
    folded += plain;
    index += char.length;
  }
  from.push(index);
  return { folded, from };
}

/** The terms of a query, folded; anything but letters and digits separates. @param {string} q @returns {string[]} */
export function terms_of(q) {
  const words = fold(q ?? "").folded.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  return [...new Set(words)];
}

/**
 * Cut text into segments; `hit` is true where a term begins a word.
 * @param {string} text
 * @param {string[]} terms from `terms_of`
 * @returns {{text: string, hit: boolean}[]}
 */
export function segments(text, terms) {
  if (!terms.length || !text) return [{ text, hit: false }];
  const { folded, from } = fold(text);
  const wanted = [...terms].sort((a, b) => b.length - a.length).map(escaped).join("|");
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])(?:${wanted})|(?:${wanted})(?<=[\\u3040-\\u9fff\\uac00-\\ud7af])`, "gu");
  /** @type {{text: string, hit: boolean}[]} */
  const out = [];
  let done = 0;
  for (const match of folded.matchAll(pattern)) {
    const start = from[match.index];
    let end = from[match.index + match[0].length];
    // Marks that follow the last letter belong to it.
    while (end < text.length && /^\p{M}/u.test(text.slice(end))) end += 1;
    if (start < done) continue;
    if (start > done) out.push({ text: text.slice(done, start), hit: false });
    out.push({ text: text.slice(start, end), hit: true });
    done = end;
  }
  if (done < text.length) out.push({ text: text.slice(done), hit: false });
  return out;
}

/** True where every term begins a word of the text. @param {string} text @param {string[]} terms */
export function has_all(text, terms) {
  return terms.every((term) => segments(text, [term]).some((s) => s.hit));
}

/**
 * A short piece of a long text around its first hit.
 * @param {string} text @param {string[]} terms @param {number} [size] characters
 */
export function snippet(text, terms, size = 160) {
  const flat = text.replace(/\s+/g, " ").trim();
  let at = 0;
  for (const s of segments(flat, terms)) {
    if (s.hit) break;
    at += s.text.length;
  }
  if (at >= flat.length || at < 40) return flat.length > size ? `${flat.slice(0, size)}…` : flat;
  const start = at - 24;
  return `…${flat.slice(start, start + size)}${start + size < flat.length ? "…" : ""}`;
}

function escaped(term) {
  return term.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
