"""Every example of the README runs, and prints what the README says it prints."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.process import running_server

README = Path(__file__).resolve().parents[1] / "README.md"
_BLOCKS = re.compile(r"```sh\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)


def test_every_example_prints_what_the_readme_says(tmp_path: Path) -> None:
    blocks = _BLOCKS.findall(README.read_text())
    assert len(blocks) == README.read_text().count("```sh")
    with running_server(tmp_path / "data") as server:
        script = "set -euo pipefail\n"
        for number, (code, _) in enumerate(blocks):
            script += code.replace("http://127.0.0.1:8000", server.url) + f"\necho '--- {number}'\n"
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 0, done.stderr
    printed = re.split(r"--- \d+\n", done.stdout.replace("\r", ""))
    for (_, expected), got in zip(blocks, printed, strict=False):
        pattern = re.escape(expected.strip()).replace("…", ".*")
        assert re.fullmatch(pattern, got.strip()), f"expected\n{expected}\ngot\n{got}"
