// The comments of one ticket that this page knows, without a hole: whatever told of a new one, all that
// came since the last one read is read, until nothing is new. No elements here.

const PAGE = 100;

export class CommentFeed {
  /** @type {any[]} By id. */ comments = [];
  /** How many older ones were not read. */
  hidden_before = 0;
  /** How many of the ticket's comments were read, counted from its first; what follows was not. */
  #read_to = 0;
  #read;
  /** @type {Promise<any[]>|null} */ #catching_up = null;
  #is_stale = false;

  /** @param {(offset: number, limit: number) => Promise<{items: any[], next_offset: number|null}>} read */
  constructor(read) {
    this.#read = read;
  }

  /**
   * Take the newest comments as they came with their ticket.
   * @param {{comments: any[], comment_count: number}} ticket
   */
  begin(ticket) {
    const before = ticket.comment_count - ticket.comments.length;
    const is_first = this.comments.length === 0;
    // More came meanwhile than stand in one answer: what lies between is read by `catch_up`.
    const has_hole = !is_first && before > this.#read_to;
    if (is_first) this.hidden_before = before;
    this.#merge(ticket.comments);
    if (!has_hole) this.#read_to = Math.max(this.#read_to, ticket.comment_count);
  }

  /** Add one that was written here; whether it was not known. @param {any} comment */
  add(comment) {
    return this.#merge([comment]).length > 0;
  }

  /**
   * Read what is newer than what was read, until nothing is new. Calls that come meanwhile share one reading.
   * @returns {Promise<any[]>} those that were not known
   */
  catch_up() {
    this.#is_stale = true;
    this.#catching_up ??= this.#until_nothing_is_new().finally(() => {
      this.#catching_up = null;
    });
    return this.#catching_up;
  }

  async #until_nothing_is_new() {
    const fresh = [];
    while (this.#is_stale) {
      this.#is_stale = false;
      for (let has_more = true; has_more; ) {
        const page = await this.#read(this.#read_to, PAGE);
        this.#read_to += page.items.length;
        fresh.push(...this.#merge(page.items));
        has_more = page.next_offset !== null;
      }
    }
    return fresh;
  }

  /** Read the page before the oldest known one. */
  async earlier() {
    const offset = Math.max(0, this.hidden_before - PAGE);
    const page = await this.#read(offset, this.hidden_before - offset);
    this.#merge(page.items);
    this.hidden_before = offset;
  }

  /** @param {any[]} comments @returns {any[]} those that were not known */
  #merge(comments) {
    const known = new Set(this.comments.map((comment) => comment.id));
    const fresh = comments.filter((comment) => !known.has(comment.id));
    this.comments = [...this.comments, ...fresh].sort((a, b) => a.id - b.id);
    return fresh;
  }
}
