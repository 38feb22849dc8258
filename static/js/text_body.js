// Written text as nodes: paragraphs as typed, quoted lines set apart, web addresses and ticket numbers as links.
import { h } from "./dom.js";
import { pieces } from "./links.js";

/** @param {string} text */
export function text_body(text) {
  const body = h("div.prose");
  for (const { quoted, lines } of blocks(text)) {
    body.append(h(quoted ? "blockquote" : "p", { dir: "auto" }, linked(lines.join("\n"))));
  }
  return body;
}

/** Runs of quoted and plain lines; a blank line parts paragraphs. @param {string} text @returns {{quoted: boolean, lines: string[]}[]} */
export function blocks(text) {
  /** @type {{quoted: boolean, lines: string[]}[]} */
  const out = [];
  /** @type {{quoted: boolean, lines: string[]}|null} */
  let block = null;
  for (const line of text.replace(/\r\n?/g, "\n").split("\n")) {
    const quoted = /^>/.test(line);
    if (!line.trim()) { block = null; continue; }
    if (!block || block.quoted !== quoted) { block = { quoted, lines: [] }; out.push(block); }
    block.lines.push(quoted ? line.replace(/^>\s?/, "") : line);
  }
  return out;
}

/** Text as a quotation, for a reply. @param {string} text @param {string} who */
export function quotation(text, who) {
  return `${who} wrote:\n${text.trim().split(/\r\n?|\n/).map((line) => `> ${line}`).join("\n")}\n\n`;
}

/** @param {string} text */
function linked(text) {
  return pieces(text).map(({ text: words, href, is_ticket }) => {
    if (!href) return words;
    // An address is read from left to right, also in text that is not.
    return is_ticket ? h("a", { href }, words) : h("a", { href, dir: "ltr", rel: "noopener noreferrer nofollow", target: "_blank" }, words);
  });
}
