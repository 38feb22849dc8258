// What stands around every view: navigation, the standing views with counts, the state of the connection.
import { avatar, name_in_text, ROLE_NAMES } from "./badges.js";
import { drafts_of, on_drafts } from "./drafts.js";
import { fill, h, svg } from "./dom.js";
import { icon } from "./icons.js";
import { show_keys } from "./keys.js";
import { on_state, retry_now } from "./live.js";
import { open_palette } from "./palette.js";
import { outbox } from "./sending.js";
import { is_admin, is_staff, user } from "./session.js";
import { theme, turn_theme } from "./theme.js";
import { follow_counts, standing_views } from "./views.js";

/** A ticket with a clock's hands. */
export function logo() {
  return svg("svg", { viewBox: "0 0 32 32", class: "logo", "aria-hidden": "true" },
    svg("path", { class: "logo__body", d: "M5 6h22a2 2 0 0 1 2 2v5a3 3 0 0 0 0 6v5a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2v-5a3 3 0 0 0 0-6V8a2 2 0 0 1 2-2z" }),
    svg("path", { class: "logo__hand", d: "M16 10.5V16l4 2.5" }));
}

/**
 * @param {HTMLElement} main @param {{sign_out: () => void}} acts
 * @returns {{element: HTMLElement, at: (path: string) => void, close: () => void}}
 */
export function shell(main, { sign_out }) {
  const me = user();
  /** @type {Map<string, HTMLElement>} */
  const counts = new Map();
  const link = (href, sign, text) => h("a.side__link", { href }, icon(sign), h("span", text));
  const views = standing_views().map((v) => {
    const count = h("span", { class: `side__count${v.alarm ? " side__count--alarm" : ""}` });
    counts.set(v.key, count);
    return h("li", h("a.side__link.side__link--view", { href: `/tickets${v.search}` }, h("span", v.name), count));
  });
  const theme_button = h("button.icon-button", { onclick: () => { turn_theme(); paint_theme(); } });
  function paint_theme() {
    const said = { system: "as the system", light: "light", dark: "dark" }[theme()];
    fill(theme_button, icon(theme() === "dark" ? "moon" : theme() === "light" ? "sun" : "contrast"));
    theme_button.setAttribute("aria-label", `Theme: ${said}. Change`);
    theme_button.title = `Theme: ${said}`;
  }
  paint_theme();

  const unsent = h("li", { hidden: true });
  function paint_unsent() {
    const n = drafts_of(me.id).length + outbox.letters().length;
    unsent.hidden = n === 0;
    fill(unsent, h("a.side__link", { href: "/unsent" }, icon("edit"), h("span", "Unsent"), h("span.side__count", String(n))));
  }
  const stops = [on_drafts(paint_unsent), outbox.listen(paint_unsent)];
  paint_unsent();

  const lamp = h("span.lamp");
  const side = h("nav.side", { id: "side", "aria-label": "Desk" },
    h("a.side__brand", { href: "/" }, logo(), h("span", "HelpDesk ", h("em", "Mini"))),
    h("a.button.button--primary.side__new", { href: "/tickets/new" }, icon("plus"), "New ticket"),
    h("button.side__search", { "aria-keyshortcuts": "Control+K Meta+K", onclick: () => { shut(); open_palette(); } }, icon("search"), h("span", "Go to or search"), h("kbd", "Ctrl K")),
    h("h2.side__heading", "Tickets"), h("ul.side__list", views),
    h("h2.side__heading", "Desk"),
    h("ul.side__list", unsent, is_staff() && h("li", link("/dashboard", "chart", "Dashboard")), is_admin() && h("li", link("/people", "people", "People")),
      h("li", link("/console", "terminal", "API console"))),
    h("div.side__foot", lamp,
      h("a.side__me", { href: "/account" }, avatar(me), h("span.side__me-text", h("span", name_in_text(me)), h("span.muted", ROLE_NAMES[me.role]))),
      h("div.side__tools", theme_button,
        h("button.icon-button", { "aria-label": "Keyboard shortcuts", title: "Keyboard shortcuts (?)", onclick: show_keys }, icon("keyboard")),
        h("button.icon-button", { "aria-label": "Sign out", title: "Sign out", onclick: sign_out }, icon("out")))));

  const menu = h("button.icon-button", { "aria-label": "Menu", "aria-expanded": "false", "aria-controls": "side", onclick: () => turn(!element.classList.contains("shell--open")) }, icon("menu"));
  const top_lamp = h("span.lamp.lamp--small");
  const top = h("header.top", menu, h("a.top__brand", { href: "/" }, logo(), "HelpDesk Mini"), top_lamp,
    h("button.icon-button", { "aria-label": "Go to or search", onclick: open_palette }, icon("search")),
    h("a.icon-button", { href: "/tickets/new", "aria-label": "New ticket" }, icon("plus")));
  const strip = h("div.strip", { role: "status", hidden: true });
  const veil = h("div.veil", { onclick: () => shut() });
  const body = h("div.shell__body", strip, main);
  const element = h("div.shell", h("a.skip", { href: "#main", onclick: (e) => { e.preventDefault(); e.stopPropagation(); main.focus(); } }, "Skip to content"),
    top, side, veil, body);

  function turn(open) {
    element.classList.toggle("shell--open", open);
    menu.setAttribute("aria-expanded", String(open));
    body.inert = open;
    if (open) side.querySelector("a")?.focus();
  }
  /** Close the menu; the focus goes back to its button where it would be lost with it. */
  function shut() {
    if (!element.classList.contains("shell--open")) return;
    const had_focus = side.contains(document.activeElement) || document.activeElement === document.body;
    turn(false);
    if (had_focus) menu.focus({ preventScroll: true });
  }
  element.addEventListener("keydown", (e) => { if (e.key === "Escape") shut(); });

  let tick = 0;
  const stop_state = on_state((state, until) => {
    clearInterval(tick);
    const words = { off: "Off", connecting: "Connecting", live: "Live", lost: "Not connected" }[state];
    for (const el of [lamp, top_lamp]) { el.dataset.state = state; el.title = words; fill(el, h("span.lamp__dot"), h("span.lamp__text", words)); }
    if (state === "live") strip.hidden = true;
    if (state !== "lost") return;
    const count = h("span", { "aria-hidden": "true" });
    const paint = () => { count.textContent = ` Next try in ${Math.max(0, Math.ceil((until - Date.now()) / 1000))} s.`; };
    paint();
    tick = window.setInterval(paint, 500);
    strip.hidden = false;
    fill(strip, icon("alert"), h("span", navigator.onLine ? "The live connection is lost; what you see may be old." : "This device is offline; what you see may be old.", count), h("button.button.button--quiet", { onclick: retry_now }, "Try now"));
  });

  const stop_counts = follow_counts((stats) => {
    for (const v of standing_views()) {
      const n = v.count?.(stats) ?? 0;
      fill(/** @type {HTMLElement} */ (counts.get(v.key)), v.count && String(n));
      counts.get(v.key)?.classList.toggle("side__count--zero", n === 0);
    }
  });

  return {
    element,
    at(path) {
      shut();
      for (const a of side.querySelectorAll("a.side__link")) {
        const is_here = a.getAttribute("href") === decoded(path);
        if (is_here) a.setAttribute("aria-current", "page"); else a.removeAttribute("aria-current");
      }
    },
    close: () => { clearInterval(tick); stop_state(); stop_counts(); stops.forEach((stop) => stop()); },
  };
}

/** A path as it was written; as it is where its escapes are broken. @param {string} path */
function decoded(path) {
  try { return decodeURIComponent(path); } catch { return path; }
}
