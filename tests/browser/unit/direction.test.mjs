import assert from "node:assert/strict";
import { test } from "node:test";
import { isolated } from "../../../static/js/direction.js";

test("only text of the other direction is isolated, and cannot break out", () => {
  assert.equal(isolated("Ben Lindqvist"), "Ben Lindqvist");
  assert.equal(isolated("Žofia 山田"), "Žofia 山田");
  assert.equal(isolated("נועה"), "\u2068נועה\u2069");
  assert.equal(isolated("ليلى"), "\u2068ليلى\u2069");
  assert.equal(isolated("Eve\u202egpj.exe"), "\u2068Evegpj.exe\u2069");
});
