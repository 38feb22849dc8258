// The tickets of one query: pages as they were read, kept in step by the live stream. No elements here.
import * as api from "./api.js";
import { ListPages, sort_key } from "./list_pages.js";
import { on_happening, on_join, settled } from "./live.js";
import { matches, write_query } from "./query.js";
import { user } from "./session.js";

const PAGE = 50;

/** @typedef {{kind: "loaded"|"changed"|"news"|"failed", ticket?: any, error?: any}} Change */

export class TicketList {
  #pages = new ListPages((offset) => this.#read(offset), PAGE);
  /** Tickets that came while one was reading; shown when asked for, so that nothing jumps. @type {Map<number, any>} */ news = new Map();
  loading = false;
  loaded = false;
  #stale = false;
  #abort = new AbortController();
  /** @type {Set<(change: Change) => void>} */ #listeners = new Set();
  /** @type {(() => void)[]} */ #stops;

  /** @param {import("./query.js").Query} query */
  constructor(query) {
    this.query = query;
    this.#stops = [on_happening((h) => this.#happened(h.ticket)), on_join(() => { if (this.loaded) this.reload(); })];
  }

  get items() { return this.#pages.items; }
  /** Null when all have been read. */
  get next_offset() { return this.#pages.next_offset; }

  /** @param {(change: Change) => void} listener @returns {() => void} stop */
  listen(listener) { this.#listeners.add(listener); return () => this.#listeners.delete(listener); }

  close() {
    this.#abort.abort();
    for (const stop of this.#stops) stop();
  }

  /** Read the next page. */
  async more() {
    if (this.loading || this.next_offset === null) return;
    this.loading = true;
    try {
      await settled();
      const is_start = this.next_offset === 0;
      await this.#pages.more();
      if (is_start) this.news.clear();
      for (const ticket of this.items) this.news.delete(ticket.id);
      this.loaded = true;
      this.#tell({ kind: "loaded" });
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#tell({ kind: "failed", error });
    } finally {
      this.loading = false;
      if (this.#stale) this.reload();
    }
  }

  /** Read the first page again and start from it. */
  async reload() {
    this.#stale = this.loading;
    if (this.loading) return;
    this.#pages.restart();
    await this.more();
  }

  /** Put what came meanwhile on top, where a reload would have it or near. */
  show_news() {
    this.#pages.add_on_top([...this.news.values()].reverse());
    this.news.clear();
    this.#tell({ kind: "loaded" });
  }

  /** A ticket as it is now, from the stream or from an answer to an edit. @param {any} ticket */
  apply(ticket) {
    const before = this.items.find((t) => t.id === ticket.id);
    if (!before || before.version > ticket.version) return;
    const { comments, timeline, ...listed } = ticket;
    const fits = matches(this.query, ticket, user());
    const after = { ...listed, left: !fits && !this.query.q };
    const sort = this.#sort();
    this.#pages.replace(after, !fits || sort_key(sort, before) !== sort_key(sort, after));
    this.#tell({ kind: "changed", ticket: after });
  }

  #happened(ticket) {
    if (this.items.some((t) => t.id === ticket.id)) return this.apply(ticket);
    if (!this.loaded) return undefined;
    const belongs = matches(this.query, ticket, user());
    // A ticket on a page that was not read yet is not news; one that moved to where it was read is.
    const is_passed = this.#pages.is_passed(this.#sort(), ticket);
    const is_new = this.next_offset === null || ticket.version === 1 || this.news.has(ticket.id) || is_passed;
    if (belongs && is_new) this.news.set(ticket.id, ticket);
    else if (!this.news.delete(ticket.id)) return undefined;
    this.#tell({ kind: "news" });
    return undefined;
  }

  #sort() { return this.query.sort || (this.query.q ? "relevance" : ""); }

  async #read(offset) {
    const query = write_query({ ...this.query, sort: this.#sort() });
    const page = `limit=${PAGE}&offset=${offset}`;
    return (await api.get(`/api/tickets${query ? `${query}&` : "?"}${page}`, { signal: this.#abort.signal })).body;
  }

  #tell(change) { for (const listener of [...this.#listeners]) listener(change); }
}
