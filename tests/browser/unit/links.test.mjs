import assert from "node:assert/strict";
import { test } from "node:test";
import { pieces } from "../../../static/js/links.js";

const addresses = (text) => pieces(text).filter((piece) => piece.href).map((piece) => piece.href);

// What stands in a text, and the addresses in it.
const CASES = [
  ["https://en.wikipedia.org/wiki/Port_(networking)", ["https://en.wikipedia.org/wiki/Port_(networking)"]],
  ["(see https://en.wikipedia.org/wiki/Port_(networking)).", ["https://en.wikipedia.org/wiki/Port_(networking)"]],
  ["(https://example.org/ports)", ["https://example.org/ports"]],
  ["[https://example.org/a]: so", ["https://example.org/a"]],
  ["https://example.org/?a[]=1&b={2}", ["https://example.org/?a[]=1&b={2}"]],
  ["手順は https://example.org/door。次に", ["https://example.org/door"]],
  ["「https://example.org/a」、https://example.org/b）", ["https://example.org/a", "https://example.org/b"]],
  ["全角，https://example.org/c！", ["https://example.org/c"]],
  ["https://ja.wikipedia.org/wiki/日本語", ["https://ja.wikipedia.org/wiki/日本語"]],
  ["انظر https://example.org/a، ثم https://example.org/b؟", ["https://example.org/a", "https://example.org/b"]],
  ["देखें https://example.org/a।", ["https://example.org/a"]],
  ["“https://example.org/a”, «https://example.org/b» and https://example.org/c…", ["https://example.org/a", "https://example.org/b", "https://example.org/c"]],
  ["Is it https://example.org/a? Or https://example.org/b/!", ["https://example.org/a", "https://example.org/b/"]],
  ["HTTPS://EXAMPLE.ORG/A", ["HTTPS://EXAMPLE.ORG/A"]],
  ["http://[2001:db8::7]:8080/x", ["http://[2001:db8::7]:8080/x"]],
  ["https://, https://( and https:/", []],
  ["#12 and #13, but not a#14, /#15 or &#16;", ["/tickets/12", "/tickets/13"]],
  ["https://example.org/a#12", ["https://example.org/a#12"]],
];

for (const [text, wanted] of CASES) {
  test(`the addresses in: ${text}`, () => {
    assert.deepEqual(addresses(text), wanted);
    assert.equal(pieces(text).map((piece) => piece.text).join(""), text);
  });
}

test("a long run of brackets costs no more than its length allows", () => {
  assert.deepEqual(addresses(`https://example.org/${")".repeat(20_000)}`), ["https://example.org/"]);
});
