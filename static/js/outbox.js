// What was sent and has no answer yet. It belongs to the app, not to a page: it goes on while one looks at
// something else, survives a reload, keeps its Idempotency-Key, and says when it finally cannot be sent.
// No elements, and no request of its own here: `deliver` makes it.

/**
 * @typedef {{id: string, ticket_id: number, body: string, parent: number|null, internal: boolean, then: string,
 *   key: string, created_at: number, comment?: any, problem?: string, lease?: {tab: string, until: number}}} Letter
 * `then` is a status to set after it, or ""; `comment` is the server's answer once there is one; `problem`
 * says why it cannot be sent; `lease` which tab is sending it
 */

const STEM = "helpdesk.outbox.";
// A tab that sends renews its lease; one that is gone without a word is followed by another after this.
export const LEASE_MS = 20_000;

export class Outbox {
  /** @type {number|null} */ #user_id = null;
  #tab;
  #store;
  #deliver;
  #clock;
  /** @type {Set<string>} */ #sending = new Set();
  /** @type {Set<(event: {kind: "changed"|"sent"|"failed", letter: Letter}) => void>} */ #listeners = new Set();

  /**
   * @param {{store: import("./storage.js").Store, tab: string, clock?: () => number,
   *   deliver: (letter: Letter, progress: (done: Partial<Letter>) => void) => Promise<void>}} parts
   * `deliver` rejects with an error that has `is_final` where trying again cannot help
   */
  constructor({ store, tab, deliver, clock = Date.now }) {
    this.#store = store;
    this.#tab = tab;
    this.#deliver = deliver;
    this.#clock = clock;
  }

  /** @param {(event: {kind: "changed"|"sent"|"failed", letter: Letter}) => void} listener @returns {() => void} stop */
  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Work for this person from now on; null for nobody. What waits is sent. @param {number|null} user_id */
  open(user_id) {
    this.#user_id = user_id;
    this.resume();
  }

  /** What waits or has failed, the oldest first. @param {number} [ticket_id] of one ticket @returns {Letter[]} */
  letters(ticket_id) {
    if (this.#user_id === null) return [];
    return this.#store
      .keys(this.#stem)
      .flatMap((at) => this.#read(at) ?? [])
      .filter((letter) => ticket_id === undefined || letter.ticket_id === ticket_id)
      .sort((a, b) => a.created_at - b.created_at || (a.id < b.id ? -1 : 1));
  }

  /** Put a reply or note in and send it. @param {Omit<Letter, "id"|"created_at">} content @returns {Letter} */
  add(content) {
    const created_at = this.#clock();
    const letter = { ...content, id: `${created_at.toString(36)}-${content.key}`, created_at };
    this.#write(letter);
    this.#tell("changed", letter);
    this.#send(letter.id);
    return letter;
  }

  /** Try one that failed again, with its key. @param {string} id */
  retry(id) {
    const letter = this.#find(id);
    if (!letter) return;
    this.#write({ ...letter, problem: undefined });
    this.#send(id);
  }

  /** Take one out, unsent. @param {string} id @returns {Letter|null} */
  take_back(id) {
    const letter = this.#find(id);
    if (letter) this.#remove(letter, "changed");
    return letter;
  }

  /** Send what nobody sends: after a start, a sign-in, or when another tab is gone. */
  resume() {
    for (const letter of this.letters()) if (!letter.problem) this.#send(letter.id);
  }

  /** Another tab has put something in, sent it, or failed. @param {string} key @param {string|null} text the letter as it is, or last was */
  heard(key, text) {
    if (this.#user_id === null || !key.startsWith(this.#stem) || !text) return;
    this.#tell("changed", JSON.parse(text));
  }

  /** The page goes away: what is under way here may be sent by the next one at once. */
  release() {
    for (const id of this.#sending) {
      const letter = this.#find(id);
      if (letter) this.#write({ ...letter, lease: undefined });
    }
  }

  /** Keep what is being sent here to this tab. */
  renew() {
    for (const id of this.#sending) {
      const letter = this.#find(id);
      if (letter) this.#write({ ...letter, lease: { tab: this.#tab, until: this.#clock() + LEASE_MS } });
    }
  }

  /** @param {string} id */
  async #send(id) {
    const letter = this.#find(id);
    const user_id = this.#user_id;
    if (!letter || this.#sending.has(id)) return;
    const held = letter.lease;
    if (held && held.tab !== this.#tab && held.until > this.#clock()) return;
    // The replies to one ticket go out in the order in which they were written.
    const of_ticket = this.letters(letter.ticket_id);
    if (of_ticket.some((other) => this.#sending.has(other.id)) || of_ticket.find((other) => !other.problem)?.id !== id) return;
    this.#sending.add(id);
    this.renew();
    const progress = (done) => {
      const now = this.#find(id);
      if (now && this.#user_id === user_id) this.#write({ ...now, ...done });
    };
    try {
      await this.#deliver(letter, progress);
      this.#sending.delete(id);
      const sent = this.#find(id);
      if (sent && this.#user_id === user_id) this.#remove(sent, "sent");
    } catch (error) {
      this.#sending.delete(id);
      const now = this.#find(id);
      if (!now || this.#user_id !== user_id) return;
      const kept = { ...now, lease: undefined, ...(error.is_final && { problem: error.message }) };
      this.#write(kept);
      this.#tell(error.is_final ? "failed" : "changed", kept);
      if (!error.is_final) return; // those behind it wait too
    }
    const next = this.letters(letter.ticket_id).find((other) => !other.problem);
    if (next) this.#send(next.id);
  }

  get #stem() {
    return `${STEM}${this.#user_id}.`;
  }

  /** @param {string} id */
  #find(id) {
    return this.#user_id === null ? null : this.#read(`${this.#stem}${id}`);
  }

  /** @param {string} at @returns {Letter|null} */
  #read(at) {
    try {
      return JSON.parse(this.#store.get(at) ?? "null");
    } catch {
      return null;
    }
  }

  /** @param {Letter} letter */
  #write(letter) {
    this.#store.set(`${this.#stem}${letter.id}`, JSON.stringify(letter));
  }

  /** @param {Letter} letter @param {"changed"|"sent"} kind */
  #remove(letter, kind) {
    this.#store.remove(`${this.#stem}${letter.id}`);
    this.#tell(kind, letter);
  }

  /** @param {"changed"|"sent"|"failed"} kind @param {Letter} letter */
  #tell(kind, letter) {
    for (const listener of [...this.#listeners]) listener({ kind, letter });
  }
}
