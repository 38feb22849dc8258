import assert from "node:assert/strict";
import { test } from "node:test";
import { LEASE_MS, Outbox } from "../../../static/js/outbox.js";
import { store_over } from "../../../static/js/storage.js";

/** A store that several tabs share. */
function shared_store() {
  const values = new Map();
  return store_over(() => ({
    get length() { return values.size; },
    key: (n) => [...values.keys()][n] ?? null,
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => values.set(key, value),
    removeItem: (key) => values.delete(key),
  }));
}

/** A server that answers when a test says so, and does each key once. */
function server() {
  const done = new Map();
  const waiting = [];
  const deliver = (letter) => new Promise((resolve, reject) => {
    waiting.push({ letter, reject: (message, is_final) => reject(Object.assign(new Error(message), { is_final })), answer: () => { done.set(letter.key, letter.body); resolve(); } });
  });
  return { deliver, waiting, done };
}

const settled = () => new Promise((resolve) => { setTimeout(resolve, 0); });
const reply = (body, more = {}) => ({ ticket_id: 1, body, parent: null, internal: false, then: "", key: `key-${body}`, ...more });
function tab(store, name, at, now = { ms: 1000 }) {
  const box = new Outbox({ store, tab: name, deliver: at.deliver, clock: () => now.ms });
  const heard = [];
  box.listen((event) => heard.push(`${event.kind} ${event.letter.body}`));
  box.open(7);
  return { box, heard };
}

test("a reply stays in the outbox until it is answered", async () => {
  const at = server();
  const { box, heard } = tab(shared_store(), "a", at);
  box.add(reply("one"));
  assert.deepEqual(box.letters().map((l) => l.body), ["one"]);
  at.waiting[0].answer();
  await settled();
  assert.deepEqual([box.letters(), heard], [[], ["changed one", "sent one"]]);
});

test("after a reload the same key is sent again", async () => {
  const [store, first, second] = [shared_store(), server(), server()];
  const before = tab(store, "a", first);
  before.box.add(reply("one"));
  before.box.release();
  tab(store, "b", second);
  assert.deepEqual(second.waiting.map((w) => w.letter.key), ["key-one"]);
  second.waiting[0].answer();
  await settled();
  assert.deepEqual(before.box.letters(), []);
});

test("a tab leaves alone what another one sends, and takes over when that one is gone", async () => {
  const [store, now, first, second] = [shared_store(), { ms: 1000 }, server(), server()];
  tab(store, "a", first, now).box.add(reply("one"));
  const other = tab(store, "b", second, now);
  assert.equal(second.waiting.length, 0);
  now.ms += LEASE_MS + 1;
  other.box.resume();
  assert.equal(second.waiting.length, 1);
});

test("the replies to one ticket go out in their order, those to others beside them", async () => {
  const at = server();
  const { box } = tab(shared_store(), "a", at);
  box.add(reply("one"));
  box.add(reply("two"));
  box.add(reply("elsewhere", { ticket_id: 2 }));
  assert.deepEqual(at.waiting.map((w) => w.letter.body), ["one", "elsewhere"]);
  at.waiting[0].answer();
  await settled();
  assert.deepEqual(at.waiting.map((w) => w.letter.body), ["one", "elsewhere", "two"]);
});

test("one that is refused for good says so, and is kept until the person decides", async () => {
  const at = server();
  const { box, heard } = tab(shared_store(), "a", at);
  const { id } = box.add(reply("one"));
  box.add(reply("two"));
  at.waiting[0].reject("The ticket is closed.", true);
  await settled();
  assert.deepEqual(heard, ["changed one", "changed two", "failed one"]);
  assert.deepEqual(box.letters().map((l) => [l.body, l.problem]), [["one", "The ticket is closed."], ["two", undefined]]);
  assert.equal(at.waiting.at(-1).letter.body, "two");
  box.retry(id);
  assert.equal(at.waiting.length, 2, "behind the one that is under way");
  at.waiting[1].answer();
  await settled();
  assert.deepEqual(at.waiting.map((w) => w.letter.key), ["key-one", "key-two", "key-one"]);
  assert.equal(box.take_back(id).body, "one");
  assert.deepEqual(box.letters(), []);
});

test("one that could not be sent now waits for the next occasion", async () => {
  const at = server();
  const { box } = tab(shared_store(), "a", at);
  box.add(reply("one"));
  at.waiting[0].reject("The server cannot be reached.", false);
  await settled();
  box.resume();
  assert.deepEqual(at.waiting.map((w) => w.letter.key), ["key-one", "key-one"]);
});

test("signed out, nothing is sent; the next person does not see it; its writer finds it again", async () => {
  const [store, at] = [shared_store(), server()];
  const { box } = tab(store, "a", at);
  box.add(reply("one"));
  box.open(null);
  at.waiting[0].reject("Sign in first", false);
  await settled();
  box.open(8);
  assert.deepEqual(box.letters(), []);
  box.open(7);
  assert.deepEqual(box.letters().map((l) => l.body), ["one"]);
});

test("without a browser's store the outbox works as long as the page is open", async () => {
  const at = server();
  for (const open of [() => null, () => { throw new Error("blocked"); }, () => ({ length: 0, key: () => null, getItem: () => null, setItem: () => { throw new Error("full"); }, removeItem: () => {} })]) {
    const { box } = tab(store_over(open), "a", at);
    box.add(reply("one"));
    assert.deepEqual(box.letters().map((l) => l.body), ["one"]);
    at.waiting.at(-1).answer();
    await settled();
    assert.deepEqual(box.letters(), []);
  }
});
