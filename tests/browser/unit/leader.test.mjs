import assert from "node:assert/strict";
import { test } from "node:test";
import { lead_by_words } from "../../../static/js/leader.js";

const times = { ask_every_ms: 30, answer_ms: 10 };
const until = async (condition) => { for (let n = 0; n < 400 && !condition(); n += 1) await new Promise((resolve) => { setTimeout(resolve, 5); }); assert.ok(condition()); };

/** Tabs by number, and which of them work now. */
function tabs(name) {
  const working = new Set();
  let most = 0;
  const open = (id) => {
    const own = new AbortController();
    const channel = new BroadcastChannel(name);
    lead_by_words(channel, own.signal, (signal) => new Promise((resolve) => {
      working.add(id);
      most = Math.max(most, working.size);
      signal.addEventListener("abort", () => { working.delete(id); resolve(undefined); });
    }), { ...times, id: String(id) });
    return { close: () => own.abort(), channel };
  };
  return { open, working, most: () => most };
}

test("one of many tabs works, and another one when that is closed", async () => {
  const { open, working } = tabs("one-of-many");
  const all = new Map([1, 2, 3, 4, 5, 6].map((id) => [id, open(id)]));
  while (all.size) {
    await until(() => working.size === 1);
    const [leader] = working;
    all.get(leader).close();
    all.delete(leader);
    assert.equal(working.size, 0);
  }
});

test("tabs that open at the same moment settle on one", async () => {
  const { open, working } = tabs("same-moment");
  const all = Array.from({ length: 12 }, (_, n) => open(n));
  await until(() => working.size === 1);
  await new Promise((resolve) => { setTimeout(resolve, 200); });
  assert.equal(working.size, 1);
  for (const tab of all) tab.close();
});

test("a tab that dies without a word is followed by another", async () => {
  const { open, working } = tabs("dies");
  const first = open(1);
  await until(() => working.has(1));
  const second = open(2);
  first.channel.onmessage = null; // it answers nobody any more
  await until(() => working.has(2));
  first.close();
  second.close();
});
