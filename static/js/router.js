// Which view the address names. Views are functions (context) that give {element, close, title}.
import { fill, h } from "./dom.js";
import { say } from "./announce.js";

/** @typedef {{params: string[], search: string, hash: string, state: any}} Context */
/** @typedef {{element: HTMLElement, close: () => void, title: string, ready?: Promise<void>, update?: (context: Context) => boolean}} View */

/** @type {{pattern: RegExp, open: (context: Context) => View}[]} */
let routes = [];
/** @type {HTMLElement} */
let outlet = h("main", { id: "main", class: "main", tabindex: "-1" });
/** @type {View|null} */
let current = null;
let current_path = "";
let to_settle = false;
/** The title of a view that is still being fetched. */
export const LATE = "";
/** @type {((path: string) => string|null)} */
let guard = () => null;
/** @type {(path: string) => void} */
let on_change = () => {};

/**
 * @param {typeof routes} table first match wins
 * @param {typeof guard} turn_away the path to show instead, or null
 * @param {typeof on_change} changed told of every path after it is shown
 */
export function start(table, turn_away, changed) {
  routes = table;
  guard = turn_away;
  on_change = changed;
  history.scrollRestoration = "manual";
  addEventListener("popstate", () => show({ restore: true }));
  document.addEventListener("click", follow);
  show({ first: true });
  return outlet;
}

export const main = () => outlet;
export const here = () => location.pathname + location.search;

/** Go to a path within the desk. @param {string} path @param {{replace?: boolean, keep_focus?: boolean}} [options] */
export function go(path, { replace = false, keep_focus = false } = {}) {
  remember_scroll();
  // A ticket that was opened from a list leads back to it, in place.
  if (replace) history.replaceState({}, "", path);
  else history.pushState({ from_list: current_path === "/tickets" }, "", path);
  show({ keep_focus });
}

/** Close the view and open it anew: after signing in or out. */
export function reopen() { current_path = ""; show({}); }

/** @param {{restore?: boolean, first?: boolean, keep_focus?: boolean}} how */
function show({ restore = false, first = false, keep_focus = false }) {
  const other = guard(here());
  if (other !== null) history.replaceState({}, "", other);
  const { pathname, search, hash } = location;
  const context = { params: [], search, hash, state: history.state };
  // The same page with another query or hash is handed to the view, which keeps its place and focus.
  if (current?.update && pathname === current_path && current.update(context)) return on_change(here());
  for (const route of routes) {
    const match = route.pattern.exec(pathname);
    if (!match) continue;
    current?.close();
    current = route.open({ ...context, params: match.slice(1) });
    current_path = pathname;
    fill(outlet, current.element);
    to_settle = !first && !keep_focus;
    if (current.title !== LATE) arrived(current.title);
    on_change(here());
    const top = restore ? history.state?.scroll ?? 0 : 0;
    scrollTo(0, top);
    if (restore && current.ready) current.ready.then(() => scrollTo(0, top));
    return;
  }
}

/** A view stands: name the page and go there. @param {string} title */
export function arrived(title) {
  set_title(title);
  if (to_settle) settle(title);
  to_settle = false;
}

/** @param {string} title */
export function set_title(title) { document.title = `${title} · HelpDesk Mini`; }

/** Move focus to the new page's heading and say where one is. @param {string} title */
function settle(title) {
  const target = outlet.querySelector("[autofocus]") ?? outlet.querySelector("h1") ?? outlet;
  if (target instanceof HTMLElement) {
    if (!target.matches("input, textarea, button, a")) target.tabIndex = -1;
    target.focus({ preventScroll: true });
  }
  say(title);
}

function remember_scroll() {
  history.replaceState({ ...history.state, scroll: scrollY }, "");
}

/** @param {MouseEvent} event */
function follow(event) {
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.target || link.origin !== location.origin || link.hasAttribute("download") || /^\/(api|static|plain)\b/.test(link.pathname)) return;
  event.preventDefault();
  if (link.hash && link.pathname === location.pathname && link.search === location.search) {
    history.replaceState(history.state, "", link.hash);
    document.getElementById(link.hash.slice(1))?.scrollIntoView({ block: "center" });
    current?.update?.({ params: [], search: location.search, hash: location.hash, state: history.state });
    return;
  }
  go(link.href); // whole: a path that begins with // alone would name another host
}
