// The entry: reads the session, mounts the shell, hands paths to views.
import * as api from "./js/api.js";
import { forget_agents } from "./js/agents.js";
import { mount_notices, note, show_wait } from "./js/announce.js";
import { name_of } from "./js/badges.js";
import { people } from "./js/conflict.js";
import { dialog_is_open } from "./js/dialog.js";
import { fill, h } from "./js/dom.js";
import { keep_focus } from "./js/focus.js";
import { icon } from "./js/icons.js";
import { key_of, show_keys, start_keys, use_keys } from "./js/keys.js";
import { brought } from "./js/late.js";
import { forget_list, list_view } from "./js/list_view.js";
import { connect, disconnect } from "./js/live.js";
import { own_page } from "./js/own_page.js";
import * as router from "./js/router.js";
import * as session from "./js/session.js";
import { open_palette } from "./js/palette.js";
import { outbox, send_for } from "./js/sending.js";
import { shell } from "./js/shell.js";
import { on_unkept } from "./js/storage.js";
import { close_sign_in, sign_in_again } from "./js/sign_in_dialog.js";
import { wear_theme } from "./js/theme.js";
import { is_composing, start_one_lines } from "./js/typing.js";
import { home_path, standing_views } from "./js/views.js";

const app = /** @type {HTMLElement} */ (document.getElementById("app"));
/** @type {ReturnType<typeof shell>|null} */
let frame = null;
let stop_keys = () => {};

// The list is what one comes for; every other view is fetched when it is wanted.
const login = () => import("./js/login_view.js");
const routes = [
  late(/^\/login$/, login, (m) => (c) => m.login_view(c, { register: false, entered })),
  late(/^\/register$/, login, (m) => (c) => m.login_view(c, { register: true, entered })),
  { pattern: /^\/tickets$/, open: list_view },
  late(/^\/tickets\/new$/, styled("ticket", () => import("./js/new_view.js")), (m) => m.new_view),
  late(/^\/tickets\/(\d+)$/, styled("ticket", () => import("./js/ticket_view.js")), (m) => m.ticket_view),
  late(/^\/dashboard$/, styled("desk", () => import("./js/dashboard_view.js")), (m) => m.dashboard_view, session.is_staff),
  late(/^\/people$/, styled("desk", () => import("./js/people_view.js")), (m) => m.people_view, session.is_admin),
  late(/^\/unsent$/, styled("ticket", () => import("./js/drafts_view.js")), (m) => m.drafts_view),
  late(/^\/account$/, styled("desk", () => import("./js/account_view.js")), (m) => () => m.account_view(renamed)),
  late(/^\/console$/, styled("desk", () => import("./js/console_view.js")), (m) => m.console_view),
  { pattern: /^/, open: missing_view },
];

/**
 * A route whose view comes in a module of its own. To those who may not see it, there is no such page.
 * @param {RegExp} pattern @param {() => Promise<any>} load @param {(module: any) => any} view_of @param {() => boolean} [may]
 */
function late(pattern, load, view_of, may = () => true) {
  function open(context) {
    if (!may()) return missing_view();
    const place = h("div.late");
    let view = null;
    let is_closed = false;
    const ready = brought(load, place, () => is_closed).then((module) => {
      if (is_closed || !module) return undefined;
      view = view_of(module)(context);
      place.replaceWith(view.element);
      if (view.title !== router.LATE) router.arrived(view.title);
      return view.ready;
    });
    return { element: place, title: router.LATE, ready, close: () => { is_closed = true; view?.close(); }, update: (next) => view?.update?.(next) ?? false };
  }
  return { pattern, open, load };
}

/** The style sheets that the list does without, and whether they have come. @type {Map<string, Promise<any>>} */
const sheets = new Map();
/** @param {string} name @returns {Promise<any>} */
function sheet(name) {
  const coming = sheets.get(name) ?? new Promise((resolve, reject) => {
    const link = h("link", { rel: "stylesheet", href: `/static/css/${name}.css`, onload: resolve, onerror: () => { link.remove(); sheets.delete(name); reject(new Error("its styles are missing")); } });
    document.head.append(link);
  });
  sheets.set(name, coming);
  return coming;
}
/** A module and the style sheet that it needs. @param {string} name @param {() => Promise<any>} load */
function styled(name, load) {
  return () => Promise.all([load(), sheet(name)]).then(([module]) => module);
}

/** Where a path may not be shown: the one to show instead. @param {string} path */
function turn_away(path) {
  const is_door = /^\/(login|register)(\?|$)/.test(path);
  if (!session.user() && !is_door) return `/login${path === "/" ? "" : `?next=${encodeURIComponent(path + location.hash)}`}`;
  if (session.user() && (is_door || path === "/")) return next_path();
  return null;
}
/** The page that one wanted before signing in; only within this desk. */
function next_path() {
  return own_page(new URLSearchParams(location.search).get("next") ?? "", location.origin) ?? home_path();
}

/** Signed in: build the frame around the views. */
function entered() {
  dress();
  router.reopen();
}
function left() {
  disconnect();
  close_sign_in(false);
  send_for(null);
  forget_list();
  forget_agents();
  for (const box of document.querySelectorAll("dialog[open]")) /** @type {HTMLDialogElement} */ (box).close();
}
async function sign_out() {
  await session.sign_out();
  left();
  dress();
  router.go("/login");
}
/** Out, here and now: the token has ended, or another tab has signed out. */
function leave() {
  session.drop();
  left();
  dress();
  router.reopen();
}
/** @type {Promise<boolean>|null} */
let asking = null;
/** The token has ended: ask for the password over the page. Whoever waits for an answer shares the question. */
function unauthenticated() {
  if (!session.user()) return Promise.resolve(false);
  asking ??= ask_again().finally(() => { asking = null; });
  return asking;
}
async function ask_again() {
  disconnect();
  const is_again = await sign_in_again();
  if (is_again) { connect(session.user().id); outbox.resume(); } else if (session.user()) leave();
  return is_again;
}
/** One's own name is another one: everything that shows it is made or read anew. */
function renamed() {
  forget_list();
  forget_agents();
  const me = session.user();
  people.set(me.id, name_of(me));
  dress();
  frame?.at(location.pathname + location.search);
}
/** What another tab did. */
const session_hooks = {
  signed_in(user_id, token) {
    if (session.user()?.id !== user_id) { session.forget_tab(); location.reload(); return; }
    session.take_token(token);
    close_sign_in(true);
  },
  signed_out: leave,
};

function dress() {
  frame?.close();
  stop_keys();
  frame = null;
  const me = session.user();
  if (!me) { fill(app, router.main()); return; }
  send_for(me.id);
  frame = shell(router.main(), { sign_out });
  fill(app, frame.element);
  connect(me.id);
  const group = "Everywhere";
  const to = (keys, label, path) => ({ keys, label, group, run: () => router.go(path) });
  stop_keys = use_keys([
    { keys: "?", label: "This list", group, run: show_keys },
    to("n", "New ticket", "/tickets/new"), { keys: "/", label: "Search", group, run: open_palette },
    ...standing_views().map((v) => to(`g ${v.key}`, v.name, `/tickets${v.search}`)),
    ...(session.is_staff() ? [to("g d", "Dashboard", "/dashboard")] : []), ...(session.is_admin() ? [to("g p", "People", "/people")] : []),
    to("g c", "API console", "/console"), to("g i", "Your account", "/account"),
  ]);
}

function missing_view() {
  const element = h("section.page", h("div.empty", icon("search", "huge"), h("h1", "There is no such page"), h("p", "The address may be mistyped."), h("a.button", { href: "/" }, "To the tickets")));
  return { element, title: "No such page", close: () => {} };
}

/** A reply whose ticket one does not look at any more. @param {{kind: string, letter: import("./js/outbox.js").Letter}} event */
function report_letter({ kind, letter }) {
  const is_here = location.pathname === `/tickets/${letter.ticket_id}`;
  if (is_here || kind === "changed") return;
  const show = { label: "Show", run: () => router.go(`/tickets/${letter.ticket_id}`) };
  if (kind === "sent") note(`Your reply to ticket ${letter.ticket_id} was sent.`, { tone: "good", action: show });
  else note(`Your reply to ticket ${letter.ticket_id} could not be sent. ${letter.problem}`, { tone: "bad", action: show, stay: true });
}

let is_unkept_said = false;
/** What is written is not kept by this browser: said once, while it can still be sent or copied. */
function say_unkept() {
  if (is_unkept_said) return;
  is_unkept_said = true;
  note(["This browser keeps nothing for the desk, so what is not sent is lost when the page is closed. ", h("a", { href: "/plain" }, "Use the plain pages")], { tone: "bad", stay: true });
}

async function begin() {
  mount_notices();
  on_unkept(say_unkept);
  wear_theme();
  outbox.listen(report_letter);
  api.use_hooks({ unauthenticated, waiting: show_wait });
  session.use_session_hooks(session_hooks);
  // What the address names is fetched beside the questions who and what, not after them.
  const wanted = routes.find((route) => route.pattern.test(location.pathname));
  if (wanted && "load" in wanted) wanted.load().catch(() => {});
  try { await session.begin(); } catch (error) {
    fill(app, h("main.main", h("div.empty", { role: "alert" }, icon("alert", "huge"), h("h1", "The desk does not answer"), h("p", error.message), h("button.button", { onclick: () => location.reload() }, "Try again"))));
    return;
  }
  start_keys();
  keep_focus();
  start_one_lines();
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && key_of(event).toLowerCase() === "k" && !is_composing(event) && !dialog_is_open()) { event.preventDefault(); open_palette(); }
  });
  dress();
  router.start(routes, turn_away, (path) => frame?.at(path));
}
begin();
