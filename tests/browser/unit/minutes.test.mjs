import assert from "node:assert/strict";
import { test } from "node:test";
import { read_minutes } from "../../../static/js/time.js";

const READ = { 90: 90, " 90 ": 90, "4h": 240, "4 H": 240, "1.5h": 90, "1,5 h": 90, "90 min": 90, "1h30": 90, "1h 30m": 90, "1d 4h": 1680, "2 days": 2880, "1w": 10080 };
for (const [typed, minutes] of Object.entries(READ)) test(`"${typed}" is ${minutes} minutes`, () => assert.equal(read_minutes(typed), minutes));

for (const typed of ["", " ", "soon", "4x", "h4", "4h 2d", "1h 1h", "4:30", "-5", "1e3", "4h!"]) test(`"${typed}" is refused`, () => assert.equal(read_minutes(typed), null));
