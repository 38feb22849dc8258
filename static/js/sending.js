// The app's outbox and how its letters are delivered.
import * as api from "./api.js";
import { note } from "./announce.js";
import { name_of } from "./badges.js";
import { is_own, save } from "./conflict.js";
import { LEASE_MS, Outbox } from "./outbox.js";
import { local } from "./storage.js";

export const outbox = new Outbox({ store: local, tab: api.new_key(), deliver });

/** @param {import("./outbox.js").Letter} letter @param {(done: Partial<import("./outbox.js").Letter>) => void} progress */
async function deliver(letter, progress) {
  const { ticket_id, body, parent, internal, key } = letter;
  const by = api.sender();
  if (!letter.comment) {
    const fields = { body, ...(parent !== null && { parent }), ...(internal && { internal }) };
    const answer = await told(() => api.post(`/api/tickets/${ticket_id}/comments`, fields, { key, by }), "Not sent");
    letter.comment = answer.body;
    progress({ comment: answer.body });
  }
  if (letter.then) await told(() => set_status(ticket_id, letter.then, by), "It was sent, but the status was not set");
}

/** @param {number} id @param {string} status @param {number|null} by */
async function set_status(id, status, by) {
  const { body: ticket } = await api.get(`/api/tickets/${id}`, { by });
  if (ticket.status === status) return;
  const { outcome, hand } = await save(ticket, { status }, { by, ask: async () => null });
  if (outcome === "kept_theirs") note(is_own(hand) ? `You set the status of ticket ${id} in another window meanwhile; that stays.` : `${hand ? name_of(hand) : "Someone else"} set the status of ticket ${id} meanwhile; theirs stays.`);
}

/**
 * Say of an error whether trying again by itself can help: only where the person has to sign in first. A
 * lost or busy server has been waited for already, until the person gave up.
 * @template T @param {() => Promise<T>} act @param {string} what @returns {Promise<T>}
 */
async function told(act, what) {
  try {
    return await act();
  } catch (error) {
    throw Object.assign(new Error(`${what}: ${error.message}`), { is_final: error.status !== 401 });
  }
}

/** Send for this person from now on; null for nobody. @param {number|null} user_id */
export const send_for = (user_id) => outbox.open(user_id);

addEventListener("storage", ({ key, newValue, oldValue }) => { if (key) outbox.heard(key, newValue ?? oldValue); });
addEventListener("pagehide", () => outbox.release());
addEventListener("pageshow", () => outbox.renew());
setInterval(() => {
  outbox.renew();
  outbox.resume();
}, LEASE_MS / 4);
