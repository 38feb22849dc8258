// Modules that come when they are wanted, and may not come: offline, or while the server is away.
import * as api from "./api.js";
import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { on_state } from "./live.js";
import { set_title } from "./router.js";

const RETRY_MS = 5000;
const RELOADED = "reloaded_for_module";

/**
 * Load a module into a place. Until it comes the place says so, with a button; it is tried again by itself.
 * @template T @param {() => Promise<T>} load @param {HTMLElement} place @param {() => boolean} is_over
 * @returns {Promise<T|null>} null when it is not wanted any more
 */
export async function brought(load, place, is_over) {
  for (let tries = 0; !is_over(); tries += 1) {
    try {
      return await load();
    } catch {
      // A browser may keep a module's failure for the life of the page: then only a new page helps, once.
      if (tries > 0 && (await is_reachable())) load_anew();
      await occasion(place, is_over);
    }
  }
  return null;
}

/** Whether the server answers now. */
const is_reachable = () => api.get("/api/health", { quick: true }).then(() => true, () => false);

/** Load the page again, at most once for a place in the history: a module that is missing for good ends here. */
function load_anew() {
  if (history.state?.[RELOADED]) return;
  history.replaceState({ ...history.state, [RELOADED]: true }, "");
  location.reload();
}

/** Say that it did not come, and wait for a reason to try again. @param {HTMLElement} place @param {() => boolean} is_over @returns {Promise<void>} */
function occasion(place, is_over) {
  return new Promise((resolve) => {
    const done = () => {
      clearInterval(timer);
      removeEventListener("online", done);
      stop();
      resolve();
    };
    const timer = setInterval(() => { if (is_over() || navigator.onLine) done(); }, RETRY_MS);
    addEventListener("online", done);
    let is_first = true; // the present state, told at once
    const stop = on_state((state) => { if (!is_first && state === "live") done(); });
    is_first = false;
    set_title("This page has not come");
    fill(place, h("div.empty", { role: "alert" }, icon("alert", "huge"), h("h1", "This page has not come"),
      h("p", navigator.onLine ? "The server cannot be reached. It is tried again by itself." : "This device is offline. The page comes when the network is back."),
      h("button.button.button--primary", { onclick: done }, "Retry")));
  });
}
