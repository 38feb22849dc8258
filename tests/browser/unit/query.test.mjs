import assert from "node:assert/strict";
import { test } from "node:test";
import { matches, read_query, write_query } from "../../../static/js/query.js";

const me = { id: 2 };
const ticket = { title: "VPN drops", description: "every hour", status: "open", priority: "high", tags: ["network"], assignee: { id: 2 }, creator: { id: 3 }, breached: false };

test("a query read from an address writes the same address", () => {
  for (const search of ["", "?q=a+b&status=open,pending&priority=high&assignee_id=me&tag=x&breached=true&sort=-priority", "?q=a%26b%3Dc"]) {
    assert.equal(write_query(read_query(search)), search);
  }
});

test("a repeated parameter is a list as well", () => {
  assert.deepEqual(read_query("?status=open&status=closed").status, ["open", "closed"]);
});

test("a live ticket is held against each filter", () => {
  const fits = ["", "?status=open", "?priority=high,low", "?assignee_id=me", "?assignee_id=2", "?creator_id=3", "?tag=NETWORK", "?breached=false", "?q=hour+vpn"];
  const fails = ["?status=closed", "?priority=low", "?assignee_id=none", "?assignee_id=3", "?creator_id=me", "?tag=net", "?breached=true", "?q=printer"];
  for (const search of fits) assert.ok(matches(read_query(search), ticket, me), search);
  for (const search of fails) assert.ok(!matches(read_query(search), ticket, me), search);
});
