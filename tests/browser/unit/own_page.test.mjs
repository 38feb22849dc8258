import assert from "node:assert/strict";
import { test } from "node:test";
import { own_page } from "../../../static/js/own_page.js";

const ORIGIN = "https://desk.example:8443";

test("a page of this desk is kept with its query and hash", () => {
  const pages = {
    "/tickets/2": "/tickets/2",
    "/tickets?q=a%20b&status=open#end": "/tickets?q=a%20b&status=open#end",
    "tickets/2": "/tickets/2",
    " /tickets/2\n": "/tickets/2",
    "/tickets/./../people": "/people",
    "/tickets?next=//example.org": "/tickets?next=//example.org",
    "/tickets/%": "/tickets/%",
    "https:tickets/2": "/tickets/2",
    "/logins": "/logins",
    "/apis": "/apis",
    [`${ORIGIN}/tickets/2`]: "/tickets/2",
    "https://me:secret@desk.example:8443/account": "/account",
    "//desk.example:8443/account": "/account",
  };
  for (const [text, page] of Object.entries(pages)) assert.equal(own_page(text, ORIGIN), page, text);
});

test("another host, scheme or a broken address is none", () => {
  const texts = [
    "//example.org/", "///example.org", "/\\example.org", "\\\\example.org", "/\t/example.org", "\n//example.org", "/.//example.org",
    "/tickets/..//example.org", "https://example.org/tickets", "http://desk.example:8443/", "https://desk.example/tickets",
    "javascript:alert(1)", "data:text/html,x", `blob:${ORIGIN}/tickets`, "https://", "//", "http://[", "https://desk.example:99999/", "/%2F/example.org",
  ];
  for (const text of texts) assert.equal(own_page(text, ORIGIN), null, text);
});

test("the doors themselves, and what is no page of the app, are none", () => {
  const texts = [
    "", "/", "#x", "?next=/tickets", "/login", "/login?next=/tickets", "/login#x", "/login/", "/register", "/register?next=%2Flogin", "/%6cogin",
    "/tickets/../login", `${ORIGIN}/login`, "/api", "/api/me", "/static/app.js", "/plain/login", "/plain", "/.well-known/hackathon.json",
  ];
  for (const text of texts) assert.equal(own_page(text, ORIGIN), null, text);
});
