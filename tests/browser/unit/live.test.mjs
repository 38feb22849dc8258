import assert from "node:assert/strict";
import { test } from "node:test";

// What of a browser the module touches. Without locks a tab reads the stream by itself.
globalThis.window = globalThis;
Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
globalThis.addEventListener = globalThis.removeEventListener = () => {};
globalThis.localStorage = { getItem: () => null, setItem() {}, removeItem() {} };

const happened = (id) => `id: ${id}\nevent: ticket.updated\ndata: {"entry":{"id":${id}},"ticket":{}}\n\n`;

/** Answers each request for the stream with the next of the texts; the last one stays open. */
function serve(texts) {
  const asked_for = [];
  globalThis.fetch = async (_path, { headers, signal }) => {
    asked_for.push(headers["Last-Event-ID"] ?? "");
    const text = texts.shift() ?? "";
    return new Response(new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(text));
        if (texts.length) controller.close();
        else signal.addEventListener("abort", () => controller.error(signal.reason));
      },
    }));
  };
  return asked_for;
}

async function until(condition) {
  for (let n = 0; n < 500 && !condition(); n += 1) await new Promise((resolve) => { setTimeout(resolve, 5); });
  assert.ok(condition());
}

test("a restored desk is read again, and its entries are heard from its newest on", async () => {
  const { connect, disconnect, on_happening, on_join, retry_now } = await import("../../../static/js/live.js");
  const asked_for = serve([happened(7), `id: 3\nevent: reset\ndata: {}\n\n${happened(4)}`, happened(5)]);
  const heard = [];
  let readings = 0;
  on_happening(({ entry }) => heard.push(entry.id));
  on_join(() => { readings += 1; });
  connect(1);
  await until(() => heard.length === 1);
  assert.equal(readings, 1);
  await until(() => { retry_now(); return heard.length === 2; });
  assert.equal(readings, 2);
  await until(() => { retry_now(); return heard.length === 3; });
  disconnect();
  assert.deepEqual(heard, [7, 4, 5]);
  assert.deepEqual(asked_for, ["", "7", "4"]);
});
