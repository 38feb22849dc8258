// Who tickets can be assigned to. Read once, when first wanted.
import * as api from "./api.js";
import { avatar, name_of } from "./badges.js";
import { h } from "./dom.js";
import { user } from "./session.js";

/** @type {Promise<any[]>|null} */
let reading = null;

/** Active agents and admins, by name. @returns {Promise<any[]>} */
export function agents() {
  reading ??= Promise.all(["agent", "admin"].map(all_of_role))
    .then((answers) => answers.flat().sort((a, b) => name_of(a).localeCompare(name_of(b))))
    .catch((error) => { reading = null; throw error; });
  return reading;
}

/** @param {string} role */
async function all_of_role(role) {
  const found = [];
  for (let offset = 0; offset !== null; ) {
    const { body } = await api.get(`/api/users?role=${role}&active=true&limit=100&offset=${offset}`);
    found.push(...body.items);
    offset = body.next_offset;
  }
  return found;
}

/** Someone else may have signed in, or people changed. */
export function forget_agents() { reading = null; }

/** Options for the picker, oneself first. @returns {Promise<import("./picker.js").Option[]>} */
export async function assignee_options() {
  const me = user();
  const people = await agents();
  const rest = people.filter((p) => p.id !== me.id);
  const option = (p, hint = p.username) => ({ value: p.id, label: name_of(p), hint, sign: h("span.person", avatar(p), h("bdi.person__name", name_of(p))) });
  return [option(me, "me"), { value: null, label: "Unassigned" }, ...rest.map((p) => option(p))];
}
