import assert from "node:assert/strict";
import { test } from "node:test";
import { CommentFeed } from "../../../static/js/comment_feed.js";

/** A ticket on a server: comments may be added while pages are read. */
function ticket_with(count) {
  const comments = Array.from({ length: count }, (_, n) => ({ id: n + 1 }));
  const add = (more = 1) => { for (let n = 0; n < more; n += 1) comments.push({ id: comments.length + 1 }); return comments.at(-1); };
  const in_full = () => ({ comments: comments.slice(-100), comment_count: comments.length });
  const read = async (offset, limit) => ({ items: comments.slice(offset, offset + limit), next_offset: offset + limit < comments.length ? offset + limit : null });
  return { add, in_full, read, ids: () => comments.map((c) => c.id) };
}
const ids = (feed) => feed.comments.map((c) => c.id);

for (const missed of [1, 20, 30, 99, 100, 101, 350]) {
  test(`${missed} comments that came while the page was away are all read`, async () => {
    const ticket = ticket_with(1);
    const feed = new CommentFeed(ticket.read);
    feed.begin(ticket.in_full());
    ticket.add(missed);
    assert.equal((await feed.catch_up()).length, missed);
    assert.deepEqual(ids(feed), ticket.ids());
  });

  test(`${missed} comments are read after the ticket was read again`, async () => {
    const ticket = ticket_with(3);
    const feed = new CommentFeed(ticket.read);
    feed.begin(ticket.in_full());
    ticket.add(missed);
    feed.begin(ticket.in_full());
    await feed.catch_up();
    assert.deepEqual(ids(feed), ticket.ids());
  });
}

test("one written here between others' leaves no hole", async () => {
  const ticket = ticket_with(2);
  const feed = new CommentFeed(ticket.read);
  feed.begin(ticket.in_full());
  ticket.add(5);
  assert.equal(feed.add(ticket.add()), true);
  assert.equal(feed.add({ id: 8 }), false);
  ticket.add(5);
  await feed.catch_up();
  assert.deepEqual(ids(feed), ticket.ids());
});

test("a comment that comes while pages are read is not left for the next one", async () => {
  const ticket = ticket_with(1);
  let feed = null;
  let late = 3;
  const read = async (offset, limit) => {
    const page = await ticket.read(offset, limit);
    if (late) { late -= 1; ticket.add(7); feed.catch_up(); }
    return page;
  };
  feed = new CommentFeed(read);
  feed.begin(ticket.in_full());
  ticket.add();
  await feed.catch_up();
  assert.deepEqual(ids(feed), ticket.ids());
});

test("after a reading that failed the next one brings all", async () => {
  const ticket = ticket_with(1);
  let is_away = true;
  const feed = new CommentFeed(async (offset, limit) => { if (is_away) throw new Error("away"); return ticket.read(offset, limit); });
  feed.begin(ticket.in_full());
  ticket.add(30);
  await assert.rejects(feed.catch_up());
  is_away = false;
  await feed.catch_up();
  assert.deepEqual(ids(feed), ticket.ids());
});

test("older ones are read page by page, each once", async () => {
  const ticket = ticket_with(250);
  const feed = new CommentFeed(ticket.read);
  feed.begin(ticket.in_full());
  assert.equal(feed.hidden_before, 150);
  await feed.earlier();
  assert.equal(feed.hidden_before, 50);
  await feed.earlier();
  assert.deepEqual([feed.hidden_before, ids(feed)], [0, ticket.ids()]);
});
