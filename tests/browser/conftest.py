"""Fixtures: the real server as a process of its own, real Chromium, people who are signed in.

Without Chromium or axe-core these tests are skipped, which says so; in CI that is a failure.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PASSWORDS = {"admin": "admin123", "agent": "agent123", "user": "user1234"}
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def absent(what: str) -> Any:
    """Skip where a tool is missing; fail where the tests have to run."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}; the browser tests have to run in CI")
    pytest.skip(what)


class Server:
    """One `server.py` on a port and a data directory of its own, which can be killed and started again."""

    def __init__(self, data_dir: Path, *options: str) -> None:
        self.data_dir = data_dir
        self.options = options
        self.port = 0
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, "server.py", "--port", str(self.port), "--data-dir", str(self.data_dir)]
        common = ["--bcrypt-cost", "4", "--login-limit", "0"]
        rate = [] if "--rate-limit" in self.options else ["--rate-limit", "0"]
        with (self.data_dir.parent / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                [*command, *common, *rate, *self.options], cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        assert found, f"the server did not start: {line}"
        self.port = int(found[1])

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(how)
        self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Api:
    """The API as a person, for what a test needs to find or to have happened."""

    def __init__(self, server: Server, username: str, password: str | None = None) -> None:
        self.server = server
        self.token = ""
        answer = self.post("/api/auth/login", {"username": username, "password": password or PASSWORDS[username]})
        self.token = answer["token"]
        self.me = answer["user"]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.server.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                text = response.read()
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None
        return json.loads(text) if text else None

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def post(self, path: str, body: Any) -> Any:
        return self.call("POST", path, body)

    def patch(self, ticket_id: int, **edits: Any) -> Any:
        version = self.get(f"/api/tickets/{ticket_id}")["version"]
        return self.call("PATCH", f"/api/tickets/{ticket_id}", {"version": version, **edits})

    def ticket(self, title: str = "The printer is on fire", **fields: Any) -> Any:
        return self.post("/api/tickets", {"title": title, "description": "It happened this morning.", **fields})

    def comment(self, ticket_id: int, body: str, **fields: Any) -> Any:
        return self.post(f"/api/tickets/{ticket_id}/comments", {"body": body, **fields})


@pytest.fixture(scope="module")
def server_options() -> tuple[str, ...]:
    """More options of the server; a module may say its own."""
    return ()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, server_options: tuple[str, ...]) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("desk") / "data", *server_options)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def as_agent(desk: Server) -> Api:
    return Api(desk, "agent")


@pytest.fixture
def as_admin(desk: Server) -> Api:
    return Api(desk, "admin")


@pytest.fixture
def as_user(desk: Server) -> Api:
    return Api(desk, "user")


def chromium_path() -> str:
    return shutil.which("chromium") or shutil.which("chromium-browser") or absent("Chromium is not installed")


# For a module, not the session: Playwright's own event loop runs while it is open, and the tests of the
# server in the same process need theirs.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api") if os.environ.get("CI") != "true" else None
    if sync_api is None:
        from playwright import sync_api
    path = chromium_path()
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


class Tab:
    """A page of one browser context, and what it complained about."""

    def __init__(self, page: Any, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self.allowed: list[str] = []
        page.set_default_timeout(8000)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def allow(self, *texts: str) -> None:
        """Chromium itself reports each failed request; a test names those that it provokes."""
        self.allowed.extend(texts)

    def open(self, path: str) -> Any:
        self.page.goto(self.url + path)
        return self.page

    def check(self) -> None:
        rest = [c for c in self.complaints if not any(text in c for text in self.allowed)]
        assert rest == []


# Reports of the content security policy reach the console too, but not before they happened in every case.
REPORT_CSP = (
    "addEventListener('securitypolicyviolation', (e) => console.error('CSP', e.violatedDirective, e.blockedURI))"
)


@pytest.fixture
def open_tab(browser: Any, desk: Server) -> Iterator[Callable[..., Tab]]:
    """`open_tab("agent", "/tickets")` gives a Tab of a fresh browser context, signed in where a name is given."""
    contexts: list[Any] = []
    tabs: list[Tab] = []

    def open_one(who: str | None = None, path: str = "/tickets", *, beside: Tab | None = None, **options: Any) -> Tab:
        size = {"viewport": {"width": 1280, "height": 800}}
        context = beside.page.context if beside else browser.new_context(**{**size, **options})
        if beside is None:
            contexts.append(context)
            context.add_init_script(REPORT_CSP)
        if who is not None:
            token = who if who not in PASSWORDS else Api(desk, who).token
            once = f"if (!sessionStorage.getItem('seen')) sessionStorage.setItem('helpdesk.token', '{token}')"
            context.add_init_script(f"{once}; sessionStorage.setItem('seen', '1')")
        tab = Tab(context.new_page(), desk.url)
        tabs.append(tab)
        tab.open(path)
        return tab

    yield open_one
    for tab in tabs:
        tab.check()
    for context in contexts:
        context.close()


@pytest.fixture
def expect(browser: Any) -> Any:
    """Playwright's waiting assertions."""
    from playwright.sync_api import expect

    return expect


def fresh_name(stem: str) -> str:
    """A name that no other test uses."""
    return f"{stem}-{uuid.uuid4().hex[:8]}"
