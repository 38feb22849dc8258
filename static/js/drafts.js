// Unsent text, kept in this browser for its writer until it is sent or thrown away. A draft holds its
// Idempotency-Key, so text that was sent just before a crash is not sent twice after it.

const STEM = "helpdesk.draft.";
const DELAY_MS = 300;
/** @type {Map<string, {value: any, timer: number}>} */
const waiting = new Map();

/** @param {number} user_id @param {string} name */
const place = (user_id, name) => `${STEM}${user_id}.${name}`;

/** @param {number} user_id @param {string} name such as "reply.1042" @returns {any} null for none */
export function read_draft(user_id, name) {
  const at = place(user_id, name);
  if (waiting.has(at)) return waiting.get(at)?.value;
  try { return JSON.parse(localStorage.getItem(at) ?? "null"); } catch { return null; }
}

/** Keep a value soon; at once when the page goes away. @param {number} user_id @param {string} name @param {any} value */
export function keep_draft(user_id, name, value) {
  const at = place(user_id, name);
  clearTimeout(waiting.get(at)?.timer);
  waiting.set(at, { value, timer: window.setTimeout(() => write(at), DELAY_MS) });
}

/** @param {number} user_id @param {string} name */
export function drop_draft(user_id, name) {
  const at = place(user_id, name);
  clearTimeout(waiting.get(at)?.timer);
  waiting.delete(at);
  localStorage.removeItem(at);
}

/** Write whatever still waits. */
export function flush_drafts() {
  for (const at of [...waiting.keys()]) write(at);
}

/** @param {string} at */
function write(at) {
  const held = waiting.get(at);
  if (!held) return;
  clearTimeout(held.timer);
  waiting.delete(at);
  // A full or forbidden store must not stop the writing; the text is still on the page.
  try { localStorage.setItem(at, JSON.stringify(held.value)); } catch { /* kept in the page only */ }
}

addEventListener("pagehide", flush_drafts);
document.addEventListener("visibilitychange", flush_drafts);
