// Written text as nodes: paragraphs as typed, quoted lines set apart, web addresses and ticket numbers as links.
import { h } from "./dom.js";

const LINKS = /(https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]])|(?<![\w/#&])#(\d{1,9})\b/gu;

/** @param {string} text */
export function text_body(text) {
  const body = h("div.prose", { dir: "auto" });
  for (const { quoted, lines } of blocks(text)) {
    body.append(h(quoted ? "blockquote" : "p", {}, linked(lines.join("\n"))));
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

function linked(text) {
  const out = [];
  let done = 0;
  for (const match of text.matchAll(LINKS)) {
    out.push(text.slice(done, match.index));
    out.push(match[1] ? h("a", { href: match[1], rel: "noopener noreferrer nofollow", target: "_blank" }, match[1]) : h("a", { href: `/tickets/${match[2]}` }, match[0]));
    done = match.index + match[0].length;
  }
  return [...out, text.slice(done)];
}
