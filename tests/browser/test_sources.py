"""What can be said of the pages' sources without opening them: weight, safety, types, the pure modules."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import unicodedata
from pathlib import Path

import pytest

from helpdesk.domain.words import index_text

from .conftest import HERE, ROOT, absent

STATIC = ROOT / "static"
SCRIPTS = [STATIC / "app.js", *sorted((STATIC / "js").glob("*.js"))]


def needed_by(script: Path, seen: set[Path]) -> set[Path]:
    """The modules that a script imports at once, and theirs."""
    for name in re.findall(r'^(?:import|export)[^;]*? from "(\.[^"]+)"', script.read_text(), re.MULTILINE):
        module = (script.parent / name).resolve()
        if module not in seen:
            seen.add(module)
            needed_by(module, seen)
    return seen


def test_every_module_that_is_needed_at_once_is_preloaded() -> None:
    page = (STATIC / "index.html").read_text()
    preloaded = {ROOT / path.lstrip("/") for path in re.findall(r'modulepreload" href="([^"]+)"', page)}
    assert preloaded == needed_by(STATIC / "app.js", set())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.name)
def test_no_script_makes_nodes_or_code_from_text(script: Path) -> None:
    source = script.read_text()
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|setHTMLUnsafe"
    assert not re.search(forbidden, source)
    if script.name != "dom.js":
        assert "createElement" not in source
    if script.name != "api.js":
        assert not re.search(r"\bfetch\(", source)
    assert len(source.splitlines()) <= 250


def test_nothing_comes_from_elsewhere() -> None:
    for file in [STATIC / "index.html", *STATIC.glob("css/*.css")]:
        assert not re.search(r"https?://|//[a-z]+\.", re.sub(r"/\*.*?\*/", "", file.read_text(), flags=re.DOTALL))


def test_the_pure_modules_pass_their_own_tests() -> None:
    node = shutil.which("node") or absent("node is not installed")
    tests = sorted(str(path) for path in (HERE / "unit").glob("*.test.mjs"))
    done = subprocess.run([node, "--test", *tests], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-3000:]


_EACH_CHARACTER = """
import { readFileSync } from "node:fs";
import { index_words } from "%s";
const found = JSON.parse(readFileSync(0, "utf8")).map((c) => index_words(`a${c}b か${c} x-${c}y`));
process.stdout.write(JSON.stringify(found));
"""


def test_the_browser_makes_the_words_that_the_server_makes() -> None:
    """Of every character that this Python knows: the twins agree on what it folds to, joins and separates."""
    node = shutil.which("node") or absent("node is not installed")
    known = [c for c in map(chr, range(0x110000)) if unicodedata.category(c) not in ("Cn", "Cs", "Co")]
    script = _EACH_CHARACTER % (STATIC / "js" / "marks.js").as_uri()
    command = [node, "--input-type=module", "-e", script]
    done = subprocess.run(command, input=json.dumps(known), capture_output=True, text=True, timeout=120, check=True)
    pairs = zip(known, json.loads(done.stdout), strict=True)
    assert [f"U+{ord(c):04X}" for c, found in pairs if index_text(f"a{c}b か{c} x-{c}y").split(" ") != found] == []


def test_the_types_in_the_comments_hold() -> None:
    node = shutil.which("node") or absent("node is not installed")
    compiler = HERE / "node_modules" / "typescript" / "bin" / "tsc"
    if not compiler.exists():
        absent("typescript is not installed (npm ci in tests/browser)")
    done = subprocess.run([node, str(compiler), "-p", str(HERE)], capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout[-3000:]
