// Things that change as time passes: SLA clocks and relative times. One timer for all that are on the page.
import { now } from "./api.js";
import { h, hidden, set_text } from "./dom.js";
import { clock_reading, exact, relative } from "./time.js";

/** @type {Map<Element, () => void>} */
const alive = new Map();

/** Register an element that repaints each second while it is in the page. @param {Element} el @param {() => void} paint */
function ticking(el, paint) {
  alive.set(el, paint);
  paint();
  return el;
}

function tick() {
  if (document.hidden) return;
  for (const [el, paint] of alive) {
    // Not yet in the page at the first tick is possible; gone at two ticks is gone.
    if (el.isConnected) { paint(); seen.add(el); } else if (seen.has(el)) alive.delete(el); else seen.add(el);
  }
}
/** @type {WeakSet<Element>} */
const seen = new WeakSet();
setInterval(tick, 1000);
document.addEventListener("visibilitychange", tick);

/** "5 min ago", with the exact moment in its title. @param {string} at @param {string} [prefix] */
export function ago(at, prefix = "") {
  const el = h("time.ago", { datetime: at, title: exact(at) });
  return ticking(el, () => set_text(el, prefix + relative(at, now())));
}

/**
 * A ticket's SLA clock: what is left, and a line that drains.
 * @param {any} ticket @param {{large?: boolean}} [options]
 */
export function sla_clock(ticket, { large = false } = {}) {
  const words = h("span.clock__text");
  const bar = h("span.clock__bar", { "aria-hidden": "true" }, h("span.clock__left"));
  const el = h("span", { class: `clock${large ? " clock--large" : ""}`, role: "timer" }, hidden("Time to resolve: "), words, bar);
  let shown = "";
  return ticking(el, () => {
    const reading = clock_reading(ticket, now());
    set_text(words, reading.text);
    const width = `${Math.round(reading.left * 100)}%`;
    const look = reading.tone + width;
    if (look === shown) return;
    shown = look;
    el.dataset.tone = reading.tone;
    el.title = `${reading.words}. Due ${exact(ticket.sla_deadline)}`;
    bar.firstElementChild.style.setProperty("inline-size", width);
  });
}
