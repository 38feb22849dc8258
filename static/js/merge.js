// What to do when a ticket changed under an edit. Pure: decides, does not send.

/** The value of a field under the name that PATCH uses. @param {any} ticket @param {string} field */
export function value_of(ticket, field) {
  if (field === "assignee_id") return ticket.assignee ? ticket.assignee.id : null;
  return ticket[field];
}

/** @param {any} a @param {any} b */
export function same(a, b) {
  return JSON.stringify(a) === JSON.stringify(b);
}

/**
 * Sort an edit against the ticket as it is now.
 * `send` goes onto the new version as it is; `clashes` need a person: both sides changed the field, to
 * different values. Tags are a set, so additions and removals of both sides are kept.
 * @param {any} base the ticket that the edit began from
 * @param {any} current the ticket as the server has it
 * @param {string[]} changed names of fields changed since `base`, from the 409
 * @param {Record<string, any>} edits
 * @returns {{send: Record<string, any>, clashes: {field: string, theirs: any, mine: any, was: any}[]}}
 */
export function sort_edit(base, current, changed, edits) {
  /** @type {Record<string, any>} */
  const send = {};
  const clashes = [];
  for (const [field, mine] of Object.entries(edits)) {
    const was = value_of(base, field);
    const theirs = value_of(current, field);
    if (same(mine, theirs)) continue;
    if (!touched(changed, field) || same(was, theirs)) send[field] = mine;
    else if (field === "tags") send[field] = merged_tags(was, theirs, mine);
    else clashes.push({ field, theirs, mine, was });
  }
  return { send, clashes };
}

/**
 * Who changed one of the fields last, as the ticket's timeline says; null where it does not say.
 * @param {any} ticket @param {string[]} changed
 */
export function last_hand(ticket, changed) {
  const entries = (ticket?.timeline ?? []).filter((e) => e.actor && Object.keys(e.data?.changes ?? {}).some((field) => touched(changed, field)));
  return entries.at(-1)?.actor ?? null;
}

/** @param {string[]} changed @param {string} field */
function touched(changed, field) {
  return changed.includes(field) || (field === "assignee_id" && changed.includes("assignee"));
}

/** @param {string[]} was @param {string[]} theirs @param {string[]} mine */
export function merged_tags(was, theirs, mine) {
  const added = mine.filter((tag) => !was.includes(tag));
  const removed = was.filter((tag) => !mine.includes(tag));
  return [...new Set([...theirs.filter((tag) => !removed.includes(tag)), ...added])].sort();
}
