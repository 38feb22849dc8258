// Choose from a list, by mouse, touch or keyboard: status, priority, assignee, tags. Type to narrow.
import { say } from "./announce.js";
import { close_outside, keep_escape } from "./dialog.js";
import { fill, h, uid } from "./dom.js";
import { folded } from "./folding.js";
import { icon } from "./icons.js";
import { is_composing } from "./typing.js";

/** @typedef {{value: any, label: string, hint?: string, sign?: Node}} Option */

/**
 * Resolves with the chosen value (for `multiple` the list of values), undefined when dismissed.
 * @param {{title: string, options: Option[], value?: any, multiple?: boolean, anchor?: Element|null, fresh?: (text: string) => Option|null, none?: string}} how
 * `fresh` makes an option of typed text that is not in the list; `none` says that nothing can be chosen
 * @returns {Promise<any>}
 */
export function pick({ title, options, value, multiple = false, anchor = null, fresh, none = "Nothing matches" }) {
  return new Promise((resolve) => {
    const all = [...options];
    const chosen = new Set(multiple ? value : []);
    /** @type {Option[]} */ let shown = [];
    /** @type {any} */ let result;
    let at = 0;
    const list_id = uid("options");
    const input = h("input.picker__input", { type: "text", role: "combobox", "aria-label": title, "aria-expanded": "true", "aria-controls": list_id, "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false", placeholder: title });
    const list = h("ul.picker__list", { role: "listbox", id: list_id, "aria-label": title, "aria-multiselectable": multiple ? "true" : null });
    const warning = h("span.picker__warning.muted", { role: "status" });
    const box = h("dialog.picker", { "aria-label": title }, input, list,
      multiple && h("div.picker__foot", warning, h("button.button.button--primary", { onclick: done }, "Done")));

    function finish(answer) { result = answer; box.close(); }
    /** What stands typed is chosen too, where typing makes something. */
    function done() {
      const typed = input.value.trim();
      const made = typed && fresh ? all.find((o) => o.label.toLowerCase() === typed.toLowerCase()) ?? fresh(typed) : null;
      if (typed && fresh && !made) { warning.textContent = `“${typed}” cannot be taken.`; input.focus(); return; }
      if (made) chosen.add(made.value);
      finish([...chosen]);
    }
    function take(option) {
      warning.textContent = "";
      is_warned = false;
      if (!multiple) return finish(option.value);
      if (!all.includes(option)) all.push(option);
      if (!chosen.delete(option.value)) chosen.add(option.value);
      input.value = "";
      paint();
      return undefined;
    }
    function paint() {
      const typed = input.value.trim().toLowerCase();
      const wanted = folded(typed);
      shown = all.filter((o) => folded(`${o.label} ${o.hint ?? ""}`).includes(wanted));
      const made = typed ? fresh?.(input.value.trim()) : null;
      if (made && !all.some((o) => o.value === made.value)) shown.push(made);
      at = Math.min(at, Math.max(0, shown.length - 1));
      const is_on = (o) => (multiple ? chosen.has(o.value) : o.value === value);
      fill(list, shown.map((o, i) => h("li", { class: `picker__option${i === at ? " picker__option--at" : ""}`, id: `${list_id}-${i}`, role: "option", "aria-selected": String(is_on(o)),
        onclick: () => take(o), onpointermove: () => move(i) },
        h("span.picker__tick", is_on(o) && icon("check")), o.sign ? o.sign.cloneNode(true) : h("bdi.picker__label", o.label), o.hint && h("bdi.picker__hint", o.hint))));
      if (!shown.length) say(none);
      if (!shown.length) fill(list, h("li.picker__none", { role: "presentation" }, none));
      input.setAttribute("aria-activedescendant", shown.length ? `${list_id}-${at}` : "");
    }
    function move(to) {
      if (!shown.length || to === at) return;
      list.children[at]?.classList.remove("picker__option--at");
      at = (to + shown.length) % shown.length;
      list.children[at].classList.add("picker__option--at");
      list.children[at].scrollIntoView({ block: "nearest" });
      input.setAttribute("aria-activedescendant", `${list_id}-${at}`);
    }
    input.addEventListener("input", () => { at = 0; paint(); }); // narrowing what is shown is safe while composing
    input.addEventListener("keydown", (event) => {
      if (is_composing(event)) return;
      if (event.key === "ArrowDown") move(at + 1);
      else if (event.key === "ArrowUp") move(at - 1);
      else if (event.key === "Enter" && multiple && (event.ctrlKey || event.metaKey || (!input.value && !shown.length))) done();
      else if (event.key === "Enter" && shown[at]) take(shown[at]);
      else return;
      event.preventDefault();
    });
    const is_changed = () => multiple && (chosen.size !== value.length || value.some((v) => !chosen.has(v)));
    close_outside(box, () => is_changed() || input.value !== "");
    let is_warned = false;
    // Esc takes back what was done last: typed text, then, when it is pressed again, the choice.
    keep_escape(box, () => {
      if (input.value) { input.value = ""; paint(); return true; }
      if (is_warned || !is_changed()) return false;
      is_warned = true;
      warning.textContent = "Esc again leaves them as they were.";
      return true;
    });
    box.addEventListener("close", () => { box.remove(); resolve(result); });
    at = Math.max(0, multiple ? 0 : all.findIndex((o) => o.value === value));
    document.body.append(box);
    paint();
    box.showModal();
    place(box, anchor);
    input.focus();
    list.children[at]?.scrollIntoView({ block: "nearest" });
  });
}

/** Beside its anchor where there is room; the style sheet centres it, or docks it on a phone, otherwise. @param {HTMLElement} box @param {Element|null} anchor */
function place(box, anchor) {
  if (!anchor || matchMedia("(max-width: 35em)").matches) return;
  const from = anchor.getBoundingClientRect();
  const own = box.getBoundingClientRect();
  const top = from.bottom + 4 + own.height < innerHeight ? from.bottom + 4 : Math.max(8, from.top - own.height - 4);
  box.classList.add("picker--placed");
  box.style.setProperty("top", `${top}px`);
  box.style.setProperty("left", `${Math.max(8, Math.min(from.left, innerWidth - own.width - 8))}px`);
}
