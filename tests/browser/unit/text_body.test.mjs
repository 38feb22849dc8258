import assert from "node:assert/strict";
import { test } from "node:test";
import { blocks, quotation } from "../../../static/js/text_body.js";

test("quoted lines stand apart from what is said to them", () => {
  assert.deepEqual(blocks("Hello\n> you said\n> this\nyes\r\n\r\nno"), [
    { quoted: false, lines: ["Hello"] }, { quoted: true, lines: ["you said", "this"] },
    { quoted: false, lines: ["yes"] }, { quoted: false, lines: ["no"] },
  ]);
});

test("a quotation of a quotation reads back as one", () => {
  const [said, quoted] = blocks(quotation("a\n> b", "Ann"));
  assert.deepEqual([said.lines, quoted.lines], [["Ann wrote:"], ["a", "> b"]]);
});
