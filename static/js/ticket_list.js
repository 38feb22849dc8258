// The tickets of one query: pages as they were read, kept in step by the live stream. No elements here.
import * as api from "./api.js";
import { on_happening, on_join, settled } from "./live.js";
import { matches, write_query } from "./query.js";
import { user } from "./session.js";

const PAGE = 50;

/** @typedef {{kind: "loaded"|"changed"|"news"|"failed", ticket?: any, error?: any}} Change */

export class TicketList {
  items = [];
  next_offset = 0;
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
      const { items, next_offset } = await this.#read(this.next_offset);
      if (this.next_offset === 0) { this.items = []; this.news.clear(); }
      // New tickets push older ones down a page: those come again and are known already.
      const known = new Set(this.items.map((t) => t.id));
      this.items.push(...items.filter((t) => !known.has(t.id)));
      this.next_offset = next_offset;
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
    this.next_offset = 0;
    await this.more();
  }

  /** Put what came meanwhile on top, where a reload would have it or near. */
  show_news() {
    this.items.unshift(...[...this.news.values()].reverse());
    this.news.clear();
    this.#tell({ kind: "loaded" });
  }

  /** A ticket as it is now, from the stream or from an answer to an edit. @param {any} ticket */
  apply(ticket) {
    const at = this.items.findIndex((t) => t.id === ticket.id);
    if (at < 0 || this.items[at].version > ticket.version) return;
    const { comments, timeline, ...listed } = ticket;
    this.items[at] = { ...listed, left: !matches(this.query, ticket, user()) && !this.query.q };
    this.#tell({ kind: "changed", ticket: this.items[at] });
  }

  #happened(ticket) {
    if (this.items.some((t) => t.id === ticket.id)) return this.apply(ticket);
    if (!this.loaded) return undefined;
    const belongs = matches(this.query, ticket, user());
    // A ticket on a page that was not read yet is not news.
    const is_new = this.next_offset === null || ticket.version === 1 || this.news.has(ticket.id);
    if (belongs && is_new) this.news.set(ticket.id, ticket);
    else if (!this.news.delete(ticket.id)) return undefined;
    this.#tell({ kind: "news" });
    return undefined;
  }

  async #read(offset) {
    const query = write_query({ ...this.query, sort: this.query.sort || (this.query.q ? "relevance" : "") });
    const page = `limit=${PAGE}&offset=${offset}`;
    return (await api.get(`/api/tickets${query ? `${query}&` : "?"}${page}`, { signal: this.#abort.signal })).body;
  }

  #tell(change) { for (const listener of [...this.#listeners]) listener(change); }
}
