// The main paths of the desk in Firefox. tests/browser/test_firefox.py starts the server and runs this.
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

/** A tab of the agent on that ticket, listening. */
async function at_ticket(id) {
  const tab = await Tab.open(context, `/tickets/${id}`);
  await tab.sign_in("agent");
  await tab.shows("h1", "");
  await tab.until("the live connection", () => document.querySelector('.lamp[data-state="live"]'));
  return tab;
}

test("signing in leads to the list, and a row to its ticket", async () => {
  const tab = await Tab.open(context, "/");
  await tab.sign_in("agent");
  await tab.shows("h1", "All open");
  const title = `Firefox opens this ${Date.now()}`;
  await user.ticket(title);
  await tab.shows("button", "1 new ticket");
  await tab.press_what_holds("button", "1 new ticket");
  await tab.shows("a", title);
  await tab.press_what_holds("a", title);
  await tab.shows("h1", title);
  tab.check();
});

test("a reply and an internal note are sent and shown", async () => {
  const ticket = await user.ticket("Replies from Firefox");
  const tab = await at_ticket(ticket.id);
  await tab.fill("Reply", "We look into it.");
  await tab.press("Send reply");
  await tab.shows(".comment", "We look into it.");
  await tab.press("Internal note");
  await tab.fill("Internal note", "It is the cable.");
  await tab.press("Add internal note");
  await tab.shows(".comment--internal", "It is the cable.");
  const seen = (await user.call("GET", `/api/tickets/${ticket.id}/comments`)).items.map((comment) => comment.body);
  assert.deepEqual(seen, ["We look into it."]);
  tab.check();
});

test("an edit is saved, and a conflict is chosen by the person", async () => {
  const ticket = await user.ticket("A title from Firefox");
  const tab = await at_ticket(ticket.id);
  await tab.press("Edit title and description");
  await tab.fill("Title", "A better title");
  await tab.press("Save");
  await tab.shows("h1", "A better title");
  await tab.press("Edit title and description");
  await tab.fill("Title", "Mine");
  await user.patch(ticket.id, { title: "Theirs" });
  await tab.press("Save");
  await tab.shows("dialog", "Theirs");
  await tab.press("Save my choice");
  await tab.shows("h1", "Mine");
  assert.equal((await agent.call("GET", `/api/tickets/${ticket.id}`)).title, "Mine");
  tab.check("409");
});

test("what others do arrives without a reload", async () => {
  const ticket = await user.ticket("Live in Firefox");
  const tab = await at_ticket(ticket.id);
  await user.call("POST", `/api/tickets/${ticket.id}/comments`, { body: "Still broken." });
  await tab.shows(".comment", "Still broken.");
  tab.check();
});

test("a reply written while the network is away is sent once when it is back", async () => {
  const ticket = await user.ticket("Away and back");
  const tab = await at_ticket(ticket.id);
  await tab.page.evaluate(() => {
    const send = window.fetch;
    window.fetch = (...request) => (window.isAway ? Promise.reject(new TypeError("NetworkError")) : send(...request));
    window.isAway = true;
  });
  await tab.fill("Reply", "Sent into the void.");
  await tab.press("Send reply");
  await tab.page.evaluate(() => {
    window.isAway = false;
    dispatchEvent(new Event("online"));
  });
  await tab.shows(".comment", "Sent into the void.");
  const { items } = await user.call("GET", `/api/tickets/${ticket.id}/comments`);
  assert.equal(items.length, 1);
});

test("a new ticket is created", async () => {
  const tab = await Tab.open(context, "/tickets/new");
  await tab.sign_in("user");
  await tab.fill("Title", "The door does not open");
  await tab.fill("Description", "Since noon.");
  await tab.press("Create ticket");
  await tab.shows("h1", "The door does not open");
  assert.match(tab.page.url(), /\/tickets\/\d+$/);
  tab.check();
});

test("the plain pages sign in, open a ticket and answer", async () => {
  const ticket = await user.ticket("Plain in Firefox");
  const tab = await Tab.open(context, `/plain/login?next=/plain/tickets/${ticket.id}`);
  await tab.sign_in("user");
  await tab.until("a plain page", () => location.pathname.startsWith("/plain") && !location.pathname.endsWith("/login"));
  await tab.page.goto(`${base}/plain/tickets/${ticket.id}`);
  await tab.page.evaluate(() => {
    const field = document.querySelector("textarea[name=body]");
    field.value = "By hand.";
    field.form.querySelector("button:not([name=status])").click();
  });
  await tab.shows(".comments", "By hand.");
  tab.check();
});
