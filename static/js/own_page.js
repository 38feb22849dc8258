// Which page of this desk an address names that anybody may have written.

// Pages to sign in at, or none of the app's at all.
const DOOR = /^\/(login|register)?\/*$/;
const NOT_OURS = /^\/(\/|(api|static|plain|metrics|\.well-known)(\/|$))/;

/**
 * The path, query and hash of a page that one may be led to after signing in; null for anything else.
 * @param {string} text @param {string} origin this desk's own
 * @returns {string|null}
 */
export function own_page(text, origin) {
  const url = parsed(text, origin);
  // A `blob:` address has the origin of its page, and a path that begins with `//` names another host.
  if (url === null || url.origin !== origin || !/^https?:$/.test(url.protocol)) return null;
  const path = decoded(url.pathname);
  if (DOOR.test(path) || NOT_OURS.test(path) || NOT_OURS.test(url.pathname)) return null;
  return url.pathname + url.search + url.hash;
}

/** @param {string} text @param {string} origin */
function parsed(text, origin) {
  try {
    return new URL(text, origin);
  } catch {
    return null;
  }
}

/** @param {string} path */
function decoded(path) {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
