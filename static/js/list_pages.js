// The pages of a list that changes while it is read. Offsets count what the server has now, so tickets
// that left the list, or moved in it, shift the rest: each page is joined to what was read before it.

const RANKS = ["low", "medium", "high", "urgent"];
// So many known tickets are read again with each page, to see that nothing stands between.
const OVERLAP = 10;

/** What a sort orders by; relevance follows the title. @param {string} sort @param {any} ticket */
export function sort_key(sort, ticket) {
  const field = sort.replace("-", "");
  if (field === "priority") return RANKS.indexOf(ticket.priority);
  return field === "relevance" ? ticket.title : ticket[field || "created_at"];
}

/**
 * Whether `a` stands before `b`, as the server sorts; null where only the server knows.
 * @param {string} sort "" is the newest first @param {any} a @param {any} b
 */
export function stands_before(sort, a, b) {
  if (sort.endsWith("relevance")) return null;
  const [x, y] = [sort_key(sort, a), sort_key(sort, b)];
  const is_less = x === y ? a.id < b.id : x < y;
  return (sort || "-").startsWith("-") ? !is_less : is_less;
}

export class ListPages {
  /** @type {any[]} In the order they were read. */ items = [];
  /** Null at the end of the list. @type {number|null} */ next_offset = 0;
  /** Tickets whose place in the server's list is not where they stand here. @type {Set<number>} */
  #moved = new Set();
  #read;
  #size;

  /**
   * @param {(offset: number) => Promise<{items: any[], next_offset: number|null}>} read
   * @param {number} size of a page
   */
  constructor(read, size) {
    this.#read = read;
    this.#size = size;
  }

  /** Read the first page again, at the next `more`. What is there stays until then. */
  restart() {
    this.next_offset = 0;
  }

  /** Read on until there is a ticket that was not known, or the end. */
  async more() {
    if (this.next_offset === 0) {
      const page = await this.#read(0);
      this.items = page.items;
      this.#moved.clear();
      this.next_offset = page.next_offset;
      return;
    }
    let offset = this.#join_at();
    /** The last of the page before: what follows it is joined to what stands here. */
    let chained = 0;
    for (;;) {
      const page = await this.#read(offset);
      if (offset > 0 && page.items[0]?.id !== chained && !this.#joins(page.items)) {
        offset = Math.max(0, offset - this.#size);
        continue;
      }
      const known = new Set(this.items.map((ticket) => ticket.id));
      const fresh = page.items.filter((ticket) => !known.has(ticket.id));
      this.items.push(...fresh);
      this.next_offset = page.next_offset;
      if (fresh.length || page.next_offset === null) return;
      chained = page.items[page.items.length - 1].id;
      offset = page.next_offset - 1;
    }
  }

  /** Put tickets on top that came meanwhile. @param {any[]} tickets */
  add_on_top(tickets) {
    this.items.unshift(...tickets);
  }

  /**
   * Put a ticket as it is now in the place where it stands.
   * @param {any} ticket @param {boolean} has_moved in the server's list, or has left it
   */
  replace(ticket, has_moved) {
    const at = this.items.findIndex((other) => other.id === ticket.id);
    this.items[at] = ticket;
    if (has_moved) this.#moved.add(ticket.id);
  }

  /**
   * Whether a ticket that is not here stands where all was read already, so that no page will bring it.
   * @param {string} sort @param {any} ticket
   */
  is_passed(sort, ticket) {
    const standing = this.items.filter((other) => !this.#moved.has(other.id));
    return standing.some((other) => stands_before(sort, ticket, other) === true);
  }

  #join_at() {
    const standing = this.items.filter((ticket) => !this.#moved.has(ticket.id)).length;
    return Math.max(0, standing - OVERLAP);
  }

  /** Whether a page begins with what stands here, so that nothing lies between. @param {any[]} page */
  #joins(page) {
    const first = page[0]?.id;
    return this.items.some((ticket) => ticket.id === first && !this.#moved.has(first));
  }
}
