"""Write the README's screenshots to docs/screenshots/: `python -m tests.browser.screenshots`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from .conftest import CHROMIUM_FLAGS, ROOT, Api, Server, chromium_path

OUT = ROOT / "docs" / "screenshots"
LIMIT_BYTES = 200_000
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}

# Without the demo ticket in Japanese: not every machine that takes pictures has its letters.
VIEW = "?status=open,in_progress,pending&priority=medium,high,urgent&sort=sla_deadline"

# name, path, what has to be there, viewport, theme
PICTURES: list[tuple[str, str, str, dict[str, int], str]] = [
    ("list", f"/tickets{VIEW}", ".row:not(.row--skeleton)", DESK, "light"),
    ("ticket", "/tickets/9", ".comment", DESK, "light"),
    ("dashboard", "/dashboard", ".chart", DESK, "light"),
    ("dark", "/tickets/9", ".comment", DESK, "dark"),
    ("phone", f"/tickets{VIEW}", ".row:not(.row--skeleton)", PHONE, "light"),
]


def take(browser: Any, server: Server, token: str, picture: tuple[str, str, str, dict[str, int], str]) -> None:
    name, path, ready, viewport, theme = picture
    context = browser.new_context(viewport=viewport, color_scheme=theme, reduced_motion="reduce")
    context.add_init_script(f"sessionStorage.setItem('helpdesk.token', '{token}')")
    page = context.new_page()
    page.goto(server.url + path)
    page.locator(ready).first.wait_for()
    page.locator('.lamp[data-state="live"]:visible').first.wait_for()
    page.wait_for_timeout(400)
    file = OUT / f"{name}.png"
    page.screenshot(path=file)
    context.close()
    if file.stat().st_size > LIMIT_BYTES:
        sys.exit(f"{file} is larger than {LIMIT_BYTES} bytes")


def main() -> None:
    """Start a desk with the demo's tickets and take each picture."""
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        server = Server(Path(place) / "data")
        server.start()
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_FLAGS)
        try:
            token = Api(server, "agent").token
            for picture in PICTURES:
                take(browser, server, token, picture)
        finally:
            browser.close()
            server.stop()


if __name__ == "__main__":
    main()
