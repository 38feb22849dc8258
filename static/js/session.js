// Who is signed in here: the token, the person, and signing out. One sign-in serves all tabs of a browser:
// a new tab asks the others for the token, and hears when it ends.
import * as api from "./api.js";
import { flush_drafts } from "./drafts.js";
import { local, tab } from "./storage.js";

/** @typedef {{kind: "ask"}|{kind: "token", token: string}|{kind: "in", token: string, user_id: number}|{kind: "out"}} Word */

const TOKEN = "helpdesk.token";
const ANSWER_MS = 250; // so long a new tab waits for another one's token
/** @type {any} */
let me = null;
/** @type {any} */
let meta = null;
let token = "";
/** @type {(word: Word) => void} */
let hear_token = () => {};
/** @type {{signed_in: (user_id: number, token: string) => void, signed_out: () => void}} */
let hooks = { signed_in: () => {}, signed_out: () => {} };

const channel = typeof BroadcastChannel === "function" ? new BroadcastChannel("helpdesk.session") : null;
/** @param {Word} word */
const tell = (word) => channel?.postMessage(word);
if (channel) channel.onmessage = ({ data }) => heard(data);

/** The signed-in person; null for none. */
export const user = () => me;
export const is_staff = () => me !== null && me.role !== "user";
export const is_admin = () => me !== null && me.role === "admin";
/** `/api/_meta`: roles, statuses, priorities, limits, mode. */
export const desk = () => meta;
/** What another tab did: signed in (perhaps as somebody else), or out. @param {typeof hooks} given */
export function use_session_hooks(given) { hooks = given; }

/** Read the desk's facts and the person behind a kept token. Raises ApiError only when the server is lost. */
export async function begin() {
  const [facts, person] = await Promise.all([api.get("/api/_meta"), person_of_a_token()]);
  meta = facts.body;
  me = person;
  use(token);
  if (me) keep_for_tab();
}

/** The person behind the first token that still works: this tab's, this device's, or another tab's. */
async function person_of_a_token() {
  for (const find of [() => tab.get(TOKEN), () => local.get(TOKEN), token_of_another_tab]) {
    const found = await find();
    if (!found) continue;
    use(found);
    const answer = await api.get("/api/me").catch(refused);
    if (answer) return answer.body;
    forget_token();
  }
  use("");
  return null;
}

/** @param {string} path @param {any} body @param {string} key @param {boolean} keep on this device, not only in this browser's tabs */
export async function sign_in(path, body, key, keep) {
  const answer = await api.post(path, body, { key });
  take(answer.body.token, answer.body.user);
  if (keep) { local.set(TOKEN, token); tab.remove(TOKEN); }
  tell({ kind: "in", token, user_id: me.id });
  return me;
}

/** Sign in again as the person whose token has ended, for all tabs. @param {string} password */
export async function renew_token(password) {
  const was_kept = local.get(TOKEN) !== null;
  return sign_in("/api/auth/login", { username: me.username, password }, api.new_key(), was_kept);
}

/** A token that another tab got for the same person. @param {string} fresh */
export function take_token(fresh) { take(fresh, me); }

/** Somebody else has signed in, in another tab: when this one is loaded again, it takes their token. */
export const forget_tab = () => tab.remove(TOKEN);

/** End the token at the server, then here and in the other tabs. A lost server does not keep anyone signed in here. */
export async function sign_out() {
  await api.call("/api/auth/logout", { method: "POST", signal: api.after(5000) }).catch(() => null);
  drop();
  tell({ kind: "out" });
}

/** Forget the person without telling the server: the token is dead already. */
export function drop() {
  flush_drafts();
  forget_token();
  me = null;
  use("");
}

/** @param {any} person as PATCH /api/me answered */
export function renew(person) { me = { ...me, ...person }; }

/** @param {Word} word */
function heard(word) {
  if (word.kind === "ask") { if (me && token) tell({ kind: "token", token }); }
  else if (word.kind === "token") hear_token(word);
  else if (word.kind === "in") hooks.signed_in(word.user_id, word.token);
  else if (me) hooks.signed_out();
}

/** @returns {Promise<string>} "" where no tab is signed in */
function token_of_another_tab() {
  if (!channel) return Promise.resolve("");
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(""), ANSWER_MS);
    hear_token = (word) => { clearTimeout(timer); if (word.kind === "token") resolve(word.token); };
    tell({ kind: "ask" });
  });
}

/** @param {string} fresh @param {any} person */
function take(fresh, person) {
  forget_token();
  me = person;
  use(fresh);
  keep_for_tab();
}
function use(value) {
  token = value;
  api.use_token(token, me?.id ?? null);
}
/** A tab keeps its token through reloads, also when it is the last one. */
function keep_for_tab() { if (local.get(TOKEN) !== token) tab.set(TOKEN, token); }

/** The one in use; a newer one that another tab keeps on this device stays. */
function forget_token() {
  for (const store of [tab, local]) if (store.get(TOKEN) === token) store.remove(TOKEN);
}

function refused(error) {
  if (error.status !== 401) throw error;
  return null;
}
