import assert from "node:assert/strict";
import { test } from "node:test";
import { clock_reading, minutes_said, relative, span } from "../../../static/js/time.js";

const NOW = Date.parse("2026-11-23T12:00:00.000Z");
const at = (minutes) => new Date(NOW + minutes * 60_000).toISOString();
const ticket = (more) => ({ status: "open", sla_state: "running", sla_minutes: 100, sla_deadline: at(50), breached: false, ...more });

test("a span has two units at most", () => {
  const said = [[42_000, "42s"], [729_000, "12m 09s"], [3 * 3600_000 + 5 * 60_000, "3h 05m"], [2 * 86400_000 + 4 * 3600_000, "2d 04h"], [-5, "0s"]];
  for (const [ms, words] of said) assert.equal(span(ms), words);
});

test("relative times step from now to dates", () => {
  const said = [[0, "now"], [-5, "5 min ago"], [-180, "3 h ago"], [-2880, "2 d ago"], [30, "in 30 min"]];
  for (const [minutes, words] of said) assert.equal(relative(at(minutes), NOW), words);
  assert.match(relative(at(-60 * 24 * 30), NOW), /Oct|10/);
});

test("minutes are said in the unit that reads best", () => {
  for (const [n, words] of [[60, "60 min"], [240, "4 h"], [1440, "24 h"], [4320, "3 d"], [95.04, "1.6 h"]]) assert.equal(minutes_said(n), words);
});

test("a clock is amber in its last fifth, and not before", () => {
  assert.equal(clock_reading(ticket({ sla_deadline: at(20.01) }), NOW).tone, "running");
  assert.equal(clock_reading(ticket({ sla_deadline: at(20) }), NOW).tone, "soon");
});

test("a clock is red from the deadline on, whatever the server last said", () => {
  const late = clock_reading(ticket({ sla_deadline: at(-1.5) }), NOW);
  assert.deepEqual([late.tone, late.text], ["breached", "−1m 30s"]);
  assert.equal(clock_reading(ticket({ sla_deadline: at(0) }), NOW).tone, "breached");
});

test("a breach stays when the deadline is moved", () => {
  assert.equal(clock_reading(ticket({ breached: true }), NOW).tone, "breached");
});

test("a paused clock stands still", () => {
  const paused = ticket({ status: "pending", sla_state: "paused", sla_deadline: at(-10) });
  assert.equal(clock_reading(paused, NOW).tone, "paused");
  assert.equal(clock_reading(paused, NOW + 1e6).text, clock_reading(paused, NOW).text);
});

test("a finished ticket says how it ended", () => {
  assert.equal(clock_reading(ticket({ status: "resolved" }), NOW).tone, "met");
  assert.equal(clock_reading(ticket({ status: "closed", breached: true }), NOW).text, "Missed");
});
