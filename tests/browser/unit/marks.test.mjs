import assert from "node:assert/strict";
import { test } from "node:test";
import { has_all, segments, snippet, terms_of } from "../../../static/js/marks.js";

const hits = (text, q) => segments(text, terms_of(q)).filter((s) => s.hit).map((s) => s.text);

test("terms are words, folded, without punctuation or doubles", () => {
  assert.deepEqual(terms_of('  Größe "OR" größe* (C:\\)'), ["grosse", "or", "c"]);
});

test("the beginning of a word is marked, its middle is not", () => {
  assert.deepEqual(hits("Printer reprints a print", "print"), ["Print", "print"]);
});

test("case and diacritics do not matter, composed or not", () => {
  assert.deepEqual(hits("Café CAFE\u0301 cafes", "café"), ["Café", "CAFE\u0301", "cafe"]);
  assert.deepEqual(hits("Die Größe", "GROSSE"), ["Größe"]);
});

test("segments add up to the text, whatever it holds", () => {
  for (const text of ["<b>print</b>", "", "ﬁnal ﬁx 🖨️ print", "e\u0301\u0301e", "İstanbul print"]) {
    assert.equal(segments(text, terms_of("print fi e istanbul")).map((s) => s.text).join(""), text);
  }
});

test("characters of search patterns have no meaning", () => {
  assert.deepEqual(hits("a.c abc", "a.c"), ["a", "c", "a"]);
});

test("every term must begin some word", () => {
  assert.ok(has_all("VPN drops every hour", terms_of("hour vpn")));
  assert.ok(!has_all("VPN drops", terms_of("vpn hour")));
});

test("a snippet shows the first hit", () => {
  const text = `${"word ".repeat(100)}needle ${"word ".repeat(100)}`;
  assert.match(snippet(text, ["needle"]), /^….*needle.*…$/);
  assert.ok(snippet(text, ["needle"]).length < 170);
});
