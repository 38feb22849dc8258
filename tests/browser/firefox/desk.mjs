// A Firefox that Debian ships, driven by WebDriver BiDi, and what a tour of the desk needs of it.
import assert from "node:assert/strict";
import puppeteer from "puppeteer-core";

export const base = process.env.HELPDESK_TEST_URL ?? "";
const PASSWORDS = { admin: "admin123", agent: "agent123", user: "user1234" };
const PATIENCE_MS = 10_000;

/** Start Firefox without a window. */
export const open_firefox = () =>
  puppeteer.launch({ browser: "firefox", executablePath: process.env.HELPDESK_TEST_FIREFOX ?? "/usr/bin/firefox-esr", headless: true });

/** The API as one of the demo's people. */
export class Api {
  static async as(name) {
    const api = new Api();
    const answer = await api.call("POST", "/api/auth/login", { username: name, password: PASSWORDS[name] });
    api.token = answer.token;
    return api;
  }

  async call(method, path, body) {
    const response = await fetch(base + path, {
      method,
      headers: { ...(body && { "Content-Type": "application/json" }), ...(this.token && { Authorization: `Bearer ${this.token}` }) },
      body: body && JSON.stringify(body),
    });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  ticket(title) {
    return this.call("POST", "/api/tickets", { title, description: "It happened this morning." });
  }

  async patch(id, changes) {
    const { version } = await this.call("GET", `/api/tickets/${id}`);
    return this.call("PATCH", `/api/tickets/${id}`, { version, ...changes });
  }
}

/** One tab, and what it complained about. */
export class Tab {
  static async open(context, path) {
    const tab = new Tab();
    tab.complaints = [];
    tab.page = await context.newPage();
    await tab.page.setViewport({ width: 1280, height: 800 });
    await tab.page.evaluateOnNewDocument(() => {
      addEventListener("securitypolicyviolation", (event) => console.error("CSP", event.violatedDirective, event.blockedURI));
    });
    tab.page.on("console", (message) => {
      if (message.type() === "error") tab.complaints.push(message.text());
    });
    tab.page.on("pageerror", (error) => tab.complaints.push(String(error)));
    await tab.page.goto(base + path);
    return tab;
  }

  /** Sign in through the page. */
  async sign_in(name) {
    await this.fill("Username", name);
    await this.fill("Password", PASSWORDS[name]);
    await this.press("Sign in");
  }

  /** Wait until `condition`, run in the page, gives something true; `what` says what was waited for. */
  async until(what, condition, ...values) {
    await this.page.waitForFunction(condition, { timeout: PATIENCE_MS, polling: 50 }, ...values).catch(async (error) => {
      const seen = await this.page.evaluate(() => document.body.innerText.slice(0, 1500)).catch(() => "");
      throw new Error(`${what}: ${error.message}; the page says: ${seen}`);
    });
  }

  /** Wait until some element that `selector` finds holds `text`. */
  shows(selector, text) {
    const condition = (css, words) => [...document.querySelectorAll(css)].some((node) => node.textContent.includes(words));
    return this.until(`${selector} shows ${text}`, condition, selector, text);
  }

  /** The visible control with that label, button text or accessible name. */
  async control(selector, name) {
    const find = (css, words) =>
      [...document.querySelectorAll(css)].find((node) => {
        const label = node.labels?.[0]?.textContent ?? "";
        const names = [node.getAttribute("aria-label"), label, node.textContent].map((text) => (text ?? "").trim());
        return node.checkVisibility() && !node.disabled && names.some((text) => text === words || text.startsWith(`${words}:`));
      }) ?? null;
    await this.until(`a ${selector} named ${name}`, find, selector, name);
    return (await this.page.evaluateHandle(find, selector, name)).asElement();
  }

  /** Replace what a field holds by typing. */
  async fill(label, text) {
    const field = await this.control("input, textarea", label);
    await field.click();
    await field.evaluate((node) => node.select());
    await field.type(text);
  }

  async press(name) {
    await (await this.control("button, a", name)).click();
  }

  /** Press the first element that `selector` finds and that holds `text`. */
  press_what_holds(selector, text) {
    const press = (css, words) => [...document.querySelectorAll(css)].find((node) => node.textContent.includes(words)).click();
    return this.page.evaluate(press, selector, text);
  }

  /** The page complained about nothing but what the tour provokes. */
  check(...allowed) {
    const rest = this.complaints.filter((text) => !allowed.some((words) => text.includes(words)));
    assert.deepEqual(rest, []);
  }
}
