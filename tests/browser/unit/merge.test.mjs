import assert from "node:assert/strict";
import { test } from "node:test";
import { last_hand, merged_tags, sort_edit } from "../../../static/js/merge.js";

const base = { title: "A", status: "open", priority: "low", tags: ["x"], assignee: null };

test("an edit of fields that nobody touched goes onto the new version", () => {
  const { send, clashes } = sort_edit(base, { ...base, priority: "high" }, ["priority"], { status: "pending" });
  assert.deepEqual([send, clashes], [{ status: "pending" }, []]);
});

test("the same field on both sides is a clash with both values", () => {
  const { send, clashes } = sort_edit(base, { ...base, title: "B" }, ["title"], { title: "C", priority: "high" });
  assert.deepEqual(send, { priority: "high" });
  assert.deepEqual(clashes, [{ field: "title", theirs: "B", mine: "C", was: "A" }]);
});

test("the same change on both sides needs nothing", () => {
  assert.deepEqual(sort_edit(base, { ...base, status: "closed" }, ["status"], { status: "closed" }), { send: {}, clashes: [] });
});

test("a field that was changed and changed back is no clash", () => {
  assert.deepEqual(sort_edit(base, base, ["title"], { title: "C" }).clashes, []);
});

test("the assignee is compared by id, under either name", () => {
  const theirs = { ...base, assignee: { id: 7 } };
  for (const name of ["assignee", "assignee_id"]) assert.equal(sort_edit(base, theirs, [name], { assignee_id: 9 }).clashes.length, 1);
});

test("additions and removals of tags on both sides are kept", () => {
  assert.deepEqual(merged_tags(["a", "b", "c"], ["b", "c", "new"], ["a", "b", "mine"]), ["b", "mine", "new"]);
});

test("the last hand is that of the newest entry that touches what changed", () => {
  const entry = (id, changes) => ({ action: "updated", actor: id && { id }, data: { changes } });
  const timeline = [entry(1, { priority: ["low", "high"] }), entry(2, { assignee_id: [null, 2] }), entry(3, { title: ["A", "B"] }), { action: "commented", actor: { id: 4 }, data: { comment_id: 1 } }];
  assert.equal(last_hand({ timeline }, ["priority"]).id, 1);
  assert.equal(last_hand({ timeline }, ["priority", "assignee"]).id, 2);
  assert.equal(last_hand({ timeline }, ["status"]), null);
  assert.equal(last_hand({}, ["status"]), null);
});
