// The plain pages in Firefox, whose Back forgets the forms of a `no-store` page.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { Api, Tab, base, open_firefox } from "./desk.mjs";

let browser, context, agent, user;

before(async () => {
  browser = await open_firefox();
  [agent, user] = await Promise.all([Api.as("agent"), Api.as("user")]);
});
after(() => browser?.close());
beforeEach(async () => {
  context = await browser.createBrowserContext();
});
afterEach(() => context?.close());

/** A tab signed in on a plain page. */
async function at(name, path) {
  const tab = await Tab.open(context, "/plain/login");
  await tab.sign_in(name);
  await tab.until("the list", () => location.pathname === "/plain");
  await tab.page.goto(base + path);
  return tab;
}

const holds = (tab, css, text) =>
  tab.until(`${css} holds ${text}`, (css, text) => document.querySelector(css)?.value === text, css, text);
const write = (tab, text) => tab.page.type("textarea[name=body]", text);
const press = (tab, css) => Promise.all([tab.page.waitForNavigation(), tab.page.click(css)]);
const send = (tab) => press(tab, "#end button:not([type=button])");
const bodies = async (id) => (await agent.call("GET", `/api/tickets/${id}/comments`)).items.map((comment) => comment.body);

test("half-written words survive Back", async () => {
  const ticket = await user.ticket("Half in Firefox");
  const tab = await at("agent", `/plain/tickets/${ticket.id}`);
  await write(tab, "Half a sentence");
  await press(tab, "nav a[href='/plain/tickets/new']");
  await tab.page.goBack();
  await holds(tab, "textarea[name=body]", "Half a sentence");
  await tab.page.reload();
  await holds(tab, "textarea[name=body]", "Half a sentence");
  tab.check();
});

test("Back after Send brings an empty form, and the same words again are asked about", async () => {
  const ticket = await user.ticket("Twice in Firefox");
  const tab = await at("user", `/plain/tickets/${ticket.id}`);
  await write(tab, "Only once");
  await send(tab);
  await tab.shows(".told", "Your reply was sent.");
  await tab.page.goBack();
  await holds(tab, "textarea[name=body]", "");
  await write(tab, "Only once");
  await send(tab);
  await tab.shows("[role=alert]", "You have just sent exactly this");
  assert.deepEqual(await bodies(ticket.id), ["Only once"]);
});

test("a text over the limit comes back whole", async () => {
  const ticket = await user.ticket("Long in Firefox");
  const tab = await at("user", `/plain/tickets/${ticket.id}`);
  const long = "\u{1f600}".repeat(20_003);
  await tab.page.evaluate((text) => (document.querySelector("textarea[name=body]").value = text), long);
  await send(tab);
  await tab.shows("[role=alert]", "3 characters too long");
  await holds(tab, "textarea[name=body]", long);
  assert.deepEqual(await bodies(ticket.id), []);
});

test("an edit in conflict keeps both", async () => {
  const ticket = await user.ticket("Both in Firefox");
  const tab = await at("agent", `/plain/tickets/${ticket.id}/edit`);
  await tab.fill("Title", "Mine");
  await user.patch(ticket.id, { title: "Theirs" });
  await press(tab, "form.sheet button:not([type=button])");
  await tab.shows(".now", "Theirs");
  await holds(tab, "input[name=title]", "Mine");
});

test("an ended session gives the text back after signing in", async () => {
  const ticket = await user.ticket("Ended in Firefox");
  const tab = await at("user", `/plain/tickets/${ticket.id}`);
  await write(tab, "Written for an hour");
  const cookies = await context.cookies();
  await context.deleteCookie(...cookies.filter((cookie) => cookie.name === "helpdesk_plain"));
  await send(tab);
  await tab.sign_in("user");
  await tab.shows("h1", "You are signed in again");
  await holds(tab, "textarea[name=body]", "Written for an hour");
  await press(tab, ".kept button:not([type=button])");
  await tab.shows(".told", "Your reply was sent.");
  assert.deepEqual(await bodies(ticket.id), ["Written for an hour"]);
});

test("a phone of 320 px needs no sideways scrolling", async () => {
  const tab = await at("agent", "/plain");
  await tab.page.setViewport({ width: 320, height: 640 });
  for (const path of ["", "/tickets/new", "/tickets/1", "/tickets/1/edit", "/tickets/1/history", "/people", "/figures", "/account"]) {
    await tab.page.goto(`${base}/plain${path}`);
    assert.ok((await tab.page.evaluate(() => document.documentElement.scrollWidth)) <= 320, path);
  }
});
