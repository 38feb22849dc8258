import assert from "node:assert/strict";
import { test } from "node:test";
import { ListPages, sort_key, stands_before } from "../../../static/js/list_pages.js";

const PAGE = 50;
const SORTS = ["", "created_at", "-created_at", "updated_at", "-updated_at", "sla_deadline", "-sla_deadline", "priority", "-priority"];
const PRIORITIES = ["low", "medium", "high", "urgent"];

/** A small generator with a seed, so that a failure can be repeated. */
function random(seed) {
  let state = seed;
  return (below) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * below);
  };
}

/** A server with so many tickets, all in the list. */
function desk(count, sort, rnd) {
  const tickets = Array.from({ length: count }, (_, n) => ({
    id: n + 1, title: `t${n}`, is_listed: true, version: 1,
    created_at: 1000 + n, updated_at: 1000 + n, sla_deadline: 5000 + rnd(200), priority: PRIORITIES[rnd(4)],
  }));
  const listed = () => tickets.filter((t) => t.is_listed).sort((a, b) => (stands_before(sort, a, b) ? -1 : 1));
  const read = async (offset) => {
    const all = listed();
    const items = all.slice(offset, offset + PAGE).map((t) => ({ ...t }));
    return { items, next_offset: offset + PAGE < all.length ? offset + PAGE : null };
  };
  return { tickets, listed, read };
}

/** Change a ticket, and tell the reader as the live stream would. */
function happen(ticket, change, pages, sort, news) {
  const before = { ...ticket };
  Object.assign(ticket, change, { version: ticket.version + 1 });
  const known = pages.items.find((t) => t.id === ticket.id);
  if (known) {
    pages.replace({ ...ticket }, !ticket.is_listed || sort_key(sort, before) !== sort_key(sort, ticket));
    return;
  }
  if (ticket.is_listed && pages.is_passed(sort, ticket)) news.add(ticket.id);
}

test("seventy tickets, ten of the first page resolved: all others are read", async () => {
  const { tickets, read, listed } = desk(70, "", random(1));
  const pages = new ListPages(read, PAGE);
  await pages.more();
  for (const { id } of pages.items.slice(0, 10)) happen(tickets[id - 1], { is_listed: false }, pages, "", new Set());
  while (pages.next_offset !== null) await pages.more();
  const seen = new Set(pages.items.map((t) => t.id));
  for (const { id } of listed()) assert.ok(seen.has(id), `ticket ${id}`);
});

for (const sort of SORTS) {
  test(`nothing is skipped while others work, sorted by ${sort || "the default"}`, async () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const rnd = random(seed);
      const { tickets, read, listed } = desk(60 + rnd(300), sort, rnd);
      const pages = new ListPages(read, PAGE);
      const news = new Set();
      let now = 9000;
      for (let reads = 0; pages.next_offset !== null; reads += 1) {
        await pages.more();
        assert.ok(reads < 100, "it comes to an end");
        for (let n = rnd(30); n > 0 && reads < 12; n -= 1) {
          now += 1;
          const change = [{ is_listed: false }, { updated_at: now }, { priority: PRIORITIES[rnd(4)], updated_at: now }, { sla_deadline: 5000 + rnd(200), updated_at: now }][rnd(4)];
          happen(tickets[rnd(tickets.length)], change, pages, sort, news);
        }
      }
      const seen = new Set([...news, ...pages.items.map((t) => t.id)]);
      const skipped = listed().filter((t) => !seen.has(t.id)).map((t) => t.id);
      assert.deepEqual(skipped, [], `seed ${seed}`);
      assert.equal(new Set(pages.items.map((t) => t.id)).size, pages.items.length, "no ticket twice");
    }
  });
}

test("a page that was lost to a fault is read again", async () => {
  const { read } = desk(120, "", random(3));
  let is_away = false;
  const pages = new ListPages(async (offset) => { if (is_away) throw new Error("away"); return read(offset); }, PAGE);
  await pages.more();
  is_away = true;
  await assert.rejects(pages.more());
  is_away = false;
  while (pages.next_offset !== null) await pages.more();
  assert.equal(pages.items.length, 120);
});
