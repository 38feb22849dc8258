import assert from "node:assert/strict";
import { test } from "node:test";
import { sse_parser } from "../../../static/js/sse.js";

const STREAM = ": hello\n\nid: 5\nevent: ticket.created\ndata: {\"a\":1}\n\nid: 6\r\nevent: ticket.updated\r\ndata: one\r\ndata: two\r\n\r\n";
const WANTED = [{ id: "5", event: "ticket.created", data: '{"a":1}' }, { id: "6", event: "ticket.updated", data: "one\ntwo" }];

test("events come whole, however the stream is cut", () => {
  for (let size = 1; size < STREAM.length; size += 1) {
    const { feed } = sse_parser();
    const got = [];
    for (let at = 0; at < STREAM.length; at += size) got.push(...feed(STREAM.slice(at, at + size)));
    assert.deepEqual(got, WANTED, `pieces of ${size}`);
  }
});

test("comments and events without data give nothing", () => {
  assert.deepEqual(sse_parser().feed(": beat\n\nevent: x\n\n"), []);
});

test("an id without data is known all the same", () => {
  const parser = sse_parser();
  parser.feed("id: 41\n\n");
  assert.equal(parser.last_id(), "41");
});
