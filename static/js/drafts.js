// Unsent text, kept in this browser for its writer until it is sent or thrown away. Two tabs may write at
// the same thing: each draft has a key of its own in the store, and a tab that finds its draft changed by
// another goes on under a new key rather than overwrite it.
import { local, tab } from "./storage.js";

/** @typedef {{user_id: number, name: string, id: string, saved_at: number, value: any}} Kept */

const STEM = "helpdesk.draft.";
const DELAY_MS = 300;
/** @type {Set<Draft>} */
const waiting = new Set();
/** @type {Set<() => void>} */
const watchers = new Set();

const fresh_id = () => `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}`;
const tell = () => { for (const watcher of [...watchers]) watcher(); };

/** @param {string} at @returns {any} */
function stored(at) {
  try {
    return JSON.parse(local.get(at) ?? "null");
  } catch {
    return null;
  }
}

/** Told when a draft was written or dropped here, or in another tab. @param {() => void} watcher @returns {() => void} stop */
export function on_drafts(watcher) {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** Every draft of a person, the newest first; with `name` those of one thing. @param {number} user_id @param {string} [name] @returns {Kept[]} */
export function drafts_of(user_id, name = "") {
  flush_drafts();
  const stem = `${STEM}${user_id}.`;
  return local
    .keys(stem)
    .map((at) => {
      const [, thing, id] = /^(.*?)(?:\/([^/]*))?$/.exec(at.slice(stem.length)) ?? [];
      const kept = stored(at);
      // Before drafts had keys of their own the value stood there bare.
      const is_kept = kept !== null && typeof kept === "object" && "saved_at" in kept;
      return { user_id, name: thing, id: id ?? "", saved_at: is_kept ? kept.saved_at : 0, value: is_kept ? kept.value : kept };
    })
    .filter((kept) => kept.value && (!name || kept.name === name))
    .sort((a, b) => b.saved_at - a.saved_at);
}

/** One piece of unsent text, as one tab sees it. */
export class Draft {
  /** What was kept, null for nothing. @type {any} */ value = null;
  #stem;
  #id;
  /** The draft as this tab last saw it in the store. @type {string|null} */ #seen = null;
  #timer = 0;

  /** Go on where this tab was, or else with the newest. @param {number} user_id @param {string} name such as "reply.1042" */
  constructor(user_id, name) {
    this.#stem = `${STEM}${user_id}.${name}`;
    const kept = drafts_of(user_id, name);
    const own = tab.get(this.#stem);
    const found = kept.find((draft) => draft.id === own) ?? kept[0];
    this.#id = found?.id ?? fresh_id();
    if (!found) return;
    this.value = found.value;
    this.#seen = local.get(this.#at);
    tab.set(this.#stem, this.#id);
  }

  get #at() {
    return this.#id ? `${this.#stem}/${this.#id}` : this.#stem;
  }

  get id() {
    return this.#id;
  }

  /** Keep a value soon; at once when the page goes away. @param {any} value */
  keep(value) {
    this.value = value;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.write(), DELAY_MS);
    waiting.add(this);
  }

  /** Write what waits. */
  write() {
    clearTimeout(this.#timer);
    waiting.delete(this);
    if (local.get(this.#at) !== this.#seen) this.#id = fresh_id(); // another tab wrote, sent or dropped it
    this.#seen = JSON.stringify({ saved_at: Date.now(), value: this.value });
    local.set(this.#at, this.#seen);
    tab.set(this.#stem, this.#id);
    tell();
  }

  /** Go on with another one; what is here stays kept. @param {Kept} other */
  switch_to(other) {
    this.begin_anew();
    this.#id = other.id;
    this.value = other.value;
    this.#seen = local.get(this.#at);
    tab.set(this.#stem, this.#id);
  }

  /** Begin another one; what is here stays kept. */
  begin_anew() {
    if (waiting.has(this)) this.write();
    this.value = null;
    this.#seen = null;
    this.#id = fresh_id();
  }

  /** It was sent or thrown away. What another tab has written meanwhile stays. */
  drop() {
    clearTimeout(this.#timer);
    waiting.delete(this);
    if (this.#seen !== null && local.get(this.#at) === this.#seen) local.remove(this.#at);
    tab.remove(this.#stem);
    this.value = null;
    this.#seen = null;
    this.#id = fresh_id();
    tell();
  }

  /** Whether another tab has sent or dropped what this one shows. */
  is_gone() {
    return this.#seen !== null && local.get(this.#at) === null;
  }
}

/** Let this tab go on with one that was seen in a list. @param {Kept} kept */
export function go_on_with({ user_id, name, id }) {
  tab.set(`${STEM}${user_id}.${name}`, id);
}

/** Throw one away, seen in a list. @param {Kept} kept */
export function discard({ user_id, name, id }) {
  local.remove(`${STEM}${user_id}.${name}${id ? `/${id}` : ""}`);
  tell();
}

/** Write whatever still waits. */
export function flush_drafts() {
  for (const draft of [...waiting]) draft.write();
}

if (typeof addEventListener === "function") {
  addEventListener("pagehide", flush_drafts);
  document.addEventListener("visibilitychange", flush_drafts);
  addEventListener("storage", (event) => {
    if (event.key === null || event.key.startsWith(STEM)) tell();
  });
}
