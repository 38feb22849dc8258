// Where the focus goes when what held it is gone: never to the page as a whole, where a keyboard would have
// to begin again and a screen reader says nothing.

const FOCUSABLE = "a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), textarea:not(:disabled), summary, [tabindex='0']";

/** What had the focus last, and the elements around it, from the inside out. @type {HTMLElement[]} */
let trail = [];
/** What follows it in each of those, as far as it is known. @type {(Element|null)[]} */
let followers = [];

/** @param {Element} node */
const is_usable = (node) => node.isConnected && node.checkVisibility({ visibilityProperty: true }) && !node.closest("[inert]");

/** @param {EventTarget|null} target */
function remember(target) {
  if (!(target instanceof HTMLElement) || target === document.body) return;
  trail = [];
  for (let node = /** @type {HTMLElement|null} */ (target); node && node !== document.body; node = node.parentElement) trail.push(node);
  followers = trail.map((node) => node.nextElementSibling);
}

/** @param {Element} place @returns {HTMLElement|undefined} */
const first_in = (place) => /** @type {HTMLElement[]} */ ([place, ...place.querySelectorAll(FOCUSABLE)]).find((node) => node.matches(FOCUSABLE) && is_usable(node));

/** The nearest to where the focus was: what follows in the same part, or else its first, or its heading. */
function nearest() {
  // What was made anew has the same id.
  const again = trail[0].id && document.getElementById(trail[0].id);
  if (again && is_usable(again)) return again;
  for (const [n, place] of trail.entries()) {
    if (place.matches("main, .shell") || n + 1 === trail.length) break;
    const around = trail[n + 1];
    if (!is_usable(around)) continue;
    const follower = followers[n];
    const near = (follower && around.contains(follower) && first_in(follower)) ?? first_in(around);
    if (near) return near;
  }
  const heading = document.querySelector("main h1");
  return /** @type {HTMLElement|null} */ (heading && is_usable(heading) ? heading : document.querySelector("main"));
}

function mend() {
  const [last] = trail;
  const is_lost = document.activeElement === document.body || document.activeElement === null;
  // A dialog has its own ways; the focus may also have been taken away by a press on the page.
  if (!last || !is_lost || is_usable(last) || document.querySelector("dialog[open]")) return;
  const target = nearest();
  if (!target) return;
  if (!target.matches(FOCUSABLE)) target.tabIndex = -1;
  target.focus({ preventScroll: true });
}

/** Watch from now on. */
export function keep_focus() {
  document.addEventListener("focusin", (event) => remember(event.target));
  // A press elsewhere lets go of the focus, as it always did.
  document.addEventListener("pointerdown", (event) => { if (!(event.target instanceof Element && event.target.closest(FOCUSABLE))) trail = []; });
  new MutationObserver(mend).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["hidden", "open"] });
}
