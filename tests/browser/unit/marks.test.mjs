import assert from "node:assert/strict";
import { test } from "node:test";
import { readFileSync } from "node:fs";
import { folded } from "../../../static/js/folding.js";
import { has_all, index_words, segments, snippet, terms_of } from "../../../static/js/marks.js";

const TABLE = JSON.parse(readFileSync(new URL("../../search_table.json", import.meta.url), "utf8"));

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

test("every query of the shared table finds what the server's search finds", () => {
  for (const { text, finds, misses } of TABLE) {
    for (const q of finds) assert.ok(has_all(text, terms_of(q)), `${q} in ${text}`);
    for (const q of misses) assert.ok(!has_all(text, terms_of(q)), `${q} not in ${text}`);
  }
});

test("what is found is marked, and what is not is not", () => {
  for (const { text, finds, misses } of TABLE) {
    for (const q of finds) for (const term of terms_of(q)) assert.ok(hits(text, term).length, `${term} in ${text}`);
    for (const q of misses) {
      const unmarked = terms_of(q).filter((term) => !segments(text, [term]).some((s) => s.hit));
      assert.ok(unmarked.length, `${q} not in ${text}`);
    }
    for (const q of [...finds, ...misses]) assert.equal(segments(text, terms_of(q)).map((s) => s.text).join(""), text);
  }
});

test("a mark covers whole letters and joined words", () => {
  assert.deepEqual(hits("Wi-Fi router, wifi", "wifi"), ["Wi-Fi", "wifi"]);
  assert.deepEqual(hits("Wi-Fi", "wi fi"), ["Wi", "Fi"]);
  assert.deepEqual(hits("Straße", "stras"), ["Straß"]);
  assert.deepEqual(hits("invis\u00adible", "invisi"), ["invis\u00adi"]);
  assert.deepEqual(hits("ﾌﾟﾘﾝﾀ", "プリ"), ["ﾌﾟ", "ﾘ"]);
  assert.deepEqual(hits("İstanbul", "ista"), ["İsta"]);
});

test("only letters, digits and symbols are words, and a hyphenated word is one too", () => {
  assert.deepEqual(index_words("Non-Wi-Fi — (a_b) 5€"), ["non", "wi", "fi", "a", "b", "5", "€", "nonwifi", "wifi"]);
});

/** CPU milliseconds of the quickest of three runs, and never less than what can be told from noise. */
function cpu_ms(run) {
  let best = Infinity;
  for (let i = 0; i < 9; i += 1) {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1000);
  }
  return Math.max(best, 5);
}

test("marking costs as much as the text is long, whatever it holds", () => {
  const texts = {
    "runs of marks": (n) => `a${"\u0301".repeat(n / 2)}${"\u0327".repeat(n / 2)}`,
    "kept marks": (n) => `a${"\u3099".repeat(n / 2)}${"\u093c".repeat(n / 2)}`,
    "hidden marks": (n) => `a${"\u0301\uff9e\u200b\u0327\u3099".repeat(n / 5)}`,
    "hyphens": (n) => "ab-".repeat(n / 3),
    "words": (n) => "ab cd-ef ".repeat(n / 9),
    "jamo": (n) => "ㅋ".repeat(n),
    "one word": (n) => `é${"a".repeat(n)}`,
  };
  const terms = terms_of(Array.from({ length: 250 }, (_, i) => `a${i}`).join(" "));
  for (const [name, text_of] of Object.entries(texts)) {
    const [small, large] = [text_of(9_000), text_of(36_000)];
    for (const run of [(t) => segments(t, terms), (t) => has_all(t, terms), (t) => terms_of(t)]) {
      assert.ok(cpu_ms(() => run(large)) < 10 * cpu_ms(() => run(small)), name);
    }
  }
});

test("lists are narrowed by folded text", () => {
  assert.ok(folded("Assign to İsmail Yılmaz").includes(folded("ismail yil")));
  assert.ok(folded("ana.maria (Ana-María)").includes(folded("ANA-MARIA")));
  assert.ok(folded("Łukasz").includes(folded("łuk")));
  assert.equal(folded("  "), "");
});
