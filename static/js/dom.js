// The one module that makes nodes. Children are nodes or text; there are no HTML strings anywhere.

const SVG = "http://www.w3.org/2000/svg";
const TYPED = "textarea, input:not([type]), input[type=text], input[type=search], input[type=email]";
const PROPERTIES = new Set(["value", "checked", "selected"]);

/**
 * Make an element: `h("a.link", {href}, "text")`. Props may be left out. They are listeners (`onclick`),
 * `dataset`, `style` (through CSSOM, so the strict CSP holds), a few properties, attributes for the rest.
 * A button is of type "button" unless it says otherwise.
 * @param {string} tag with classes, as in a selector
 * @param {...any} rest
 * @returns {any}
 */
export function h(tag, ...rest) {
  const [name, ...classes] = tag.split(".");
  const el = document.createElement(name);
  if (classes.length) el.className = classes.join(" ");
  if (name === "button") el.setAttribute("type", "button");
  dressed(el, rest);
  // Where text is typed, it may be of either direction.
  if (el.matches(TYPED) && !el.dir) el.dir = "auto";
  return el;
}

/** Make an SVG element. @param {string} tag @param {...any} rest @returns {any} */
export function svg(tag, ...rest) {
  return dressed(document.createElementNS(SVG, tag), rest);
}

/** Replace everything in an element. @param {Element} el @param {...any} children */
export function fill(el, ...children) {
  el.replaceChildren();
  append(el, children);
  return el;
}

/**
 * Take new children, but keep the old nodes of parts (`data-part`) and with them the focus, also for a
 * dialog that gives it back when it closes.
 * @param {Element} old @param {Element} fresh whose children are taken
 */
export function refill(old, fresh) {
  const focused = document.activeElement;
  const held = focused instanceof HTMLElement && old.contains(focused) ? focused : null;
  const parts = () => /** @type {HTMLElement[]} */ ([...old.querySelectorAll("[data-part]")]);
  const before = held && parts().slice(0, parts().indexOf(held)).reverse();
  for (const part of fresh.querySelectorAll("[data-part]")) {
    const kept = old.querySelector(`[data-part="${/** @type {HTMLElement} */ (part).dataset.part}"]`);
    if (!kept) continue;
    kept.replaceChildren(...part.childNodes);
    part.replaceWith(kept);
  }
  old.replaceChildren(...fresh.childNodes);
  // A part that is gone ("Assign to me") leaves the focus to the one before it.
  if (held) [held, ...before ?? [], ...parts()].find((part) => old.contains(part))?.focus({ preventScroll: true });
}

/** Set text only where it differs, so that a ticking clock costs nothing while it stands. */
export function set_text(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Text for screen readers only. @param {string} text */
export function hidden(text) {
  return h("span.visually-hidden", text);
}

/** Text as a one-line field takes it: a tab or a line break is a space. @param {string} text */
export const one_line = (text) => text.replace(/[\t\n\r\v\f\u0085\u2028\u2029]+/g, " ");

let serial = 0;
/** An id that is new on this page. @param {string} stem */
export function uid(stem) {
  serial += 1;
  return `${stem}-${serial}`;
}

/** @param {any} el @param {any[]} rest */
function dressed(el, rest) {
  const props = is_props(rest[0]) ? rest.shift() : {};
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") el.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(el.dataset, value);
    else if (name === "style") for (const [k, v] of Object.entries(value)) el.style.setProperty(k, v);
    else if (PROPERTIES.has(name)) el[name] = value;
    else el.setAttribute(name, value === true ? "" : String(value));
  }
  append(el, rest);
  return el;
}

const is_props = (first) => first !== null && typeof first === "object" && !Array.isArray(first) && !(first instanceof Node);

function append(el, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === "") continue;
    el.append(child instanceof Node ? child : String(child));
  }
}
