// Finds search terms in text the way the server's search does: beginnings of words, without regard to
// case or diacritics: the twin of helpdesk/domain/words.py. Pure: gives segments, not nodes.
import { clusters } from "./folding.js";

// Scripts written without blanks, in which each character is a word of its own, and their marks.
const ALONE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u312f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua9e0-\ua9ff\uaa60-\uaa7f\uf900-\ufaff\u{1aff0}-\u{1b16f}\u{20000}-\u{3ffff}";
const ITS_MARKS = "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u102b-\u103e\u1056-\u1059\u105e-\u1060\u1062-\u1064\u1067-\u106d\u1071-\u1074\u1082-\u108d\u108f\u109a-\u109d\u17b4-\u17d3\u17dd\u3099\u309a\ua9e5\uaa7b-\uaa7d";
const LETTERS = `[^ \\-${ALONE}]+`;
const WORD = new RegExp(`[${ALONE}][${ITS_MARKS}]*|${LETTERS}`, "gu");
// Only from the beginning of a word: tried from each of its letters, a long word would cost its square.
const HYPHENATED = new RegExp(`(?<![^ \\-${ALONE}])${LETTERS}(?:-${LETTERS})+`, "gu");
const PARTS_MAX = 8; // of a hyphenated word that is found joined

/** @typedef {{text: string, starts: number[], ends: number[]}} Word folded; of each of its units, where in the text it comes from */

/**
 * The words of a text, and its hyphenated words joined, from each of their parts on.
 * @param {string} text
 * @returns {{words: Word[], joined: Word[]}}
 */
function words_in(text) {
  let folded = "";
  /** @type {number[]} */
  const starts = [];
  /** @type {number[]} */
  const ends = [];
  for (const cluster of clusters(text)) {
    for (let i = 0; i < cluster.folded.length; i += 1) { starts.push(cluster.start); ends.push(cluster.end); }
    folded += cluster.folded;
  }
  const cut = (from, to) => ({ text: folded.slice(from, to), starts: starts.slice(from, to), ends: ends.slice(from, to) });
  const words = [...folded.matchAll(WORD)].map((m) => cut(m.index, m.index + m[0].length));
  const joined = [];
  for (const match of folded.matchAll(HYPHENATED)) {
    const parts = [...match[0].matchAll(/[^-]+/gu)].map((m) => cut(match.index + m.index, match.index + m.index + m[0].length));
    if (parts.length > PARTS_MAX) continue;
    for (let first = 0; first < parts.length - 1; first += 1) joined.push(join(parts.slice(first)));
  }
  return { words, joined };
}

/** @param {Word[]} parts @returns {Word} */
function join(parts) {
  return { text: parts.map((p) => p.text).join(""), starts: parts.flatMap((p) => p.starts), ends: parts.flatMap((p) => p.ends) };
}

/** The terms of a query, folded, each once. @param {string} q @returns {string[]} */
export function terms_of(q) {
  return [...new Set(words_in(q ?? "").words.map((word) => word.text))];
}

/** All words of a text as the server's index has them, each once. @param {string} text @returns {string[]} */
export function index_words(text) {
  const { words, joined } = words_in(text);
  return [...new Set([...words, ...joined].map((word) => word.text))];
}

/** The terms that a word begins with, at a cost that does not grow with their number. @param {string[]} terms */
function beginnings(terms) {
  const known = new Set(terms);
  const lengths = [...new Set(terms.map((term) => term.length))].sort((a, b) => b - a);
  /** @param {string} word @returns {string[]} the longest first */
  return (word) => lengths.map((n) => (n <= word.length ? word.slice(0, n) : "")).filter((part) => known.has(part));
}

/**
 * Cut text into segments; `hit` is true where a term begins a word.
 * @param {string} text
 * @param {string[]} terms from `terms_of`
 * @returns {{text: string, hit: boolean}[]}
 */
export function segments(text, terms) {
  if (!terms.length || !text) return [{ text, hit: false }];
  const begun = beginnings(terms);
  const { words, joined } = words_in(text);
  /** @type {[number, number][]} */
  const hits = [];
  for (const word of [...words, ...joined]) {
    const [longest] = begun(word.text);
    if (longest) hits.push([word.starts[0], word.ends[longest.length - 1]]);
  }
  hits.sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  /** @type {{text: string, hit: boolean}[]} */
  const out = [];
  let done = 0;
  for (const [start, end] of hits) {
    if (end <= done) continue;
    const from = Math.max(start, done);
    if (from > done) out.push({ text: text.slice(done, from), hit: false });
    if (from === done && start < done && out.length) out[out.length - 1].text += text.slice(from, end);
    else out.push({ text: text.slice(from, end), hit: true });
    done = end;
  }
  if (done < text.length) out.push({ text: text.slice(done), hit: false });
  return out;
}

/** True where every term begins a word of the text. @param {string} text @param {string[]} terms */
export function has_all(text, terms) {
  if (!terms.length) return true;
  const begun = beginnings(terms);
  const missing = new Set(terms);
  for (const word of index_words(text)) for (const term of begun(word)) missing.delete(term);
  return missing.size === 0;
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
