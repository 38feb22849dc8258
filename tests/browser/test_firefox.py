"""The main paths in Firefox, which Playwright cannot drive as Debian ships it: node and WebDriver BiDi do."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from .conftest import HERE, Server, absent


@pytest.mark.parametrize("paths", ["tour", "plain"])
def test_the_main_paths_work_in_firefox(desk: Server, paths: str) -> None:
    node = shutil.which("node") or absent("node is not installed")
    firefox = shutil.which("firefox-esr") or shutil.which("firefox") or absent("Firefox is not installed")
    if not (HERE / "node_modules" / "puppeteer-core").exists():
        absent("puppeteer-core is not installed (npm ci in tests/browser)")
    done = subprocess.run(
        [node, "--test", "--test-reporter=spec", str(HERE / "firefox" / f"{paths}.test.mjs")],
        capture_output=True,
        text=True,
        timeout=240,
        env=os.environ
        | {"HELPDESK_TEST_URL": desk.url, "HELPDESK_TEST_FIREFOX": firefox, "HOME": str(desk.data_dir.parent)},
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
