"""Schemathesis over the OpenAPI page: no 5xx, and no answer outside the description."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.databases import Databases
from tests.process import running_server
from tests.test_server import call


def test_no_generated_request_gets_an_answer_outside_the_description(tmp_path: Path, databases: Databases) -> None:
    with running_server(tmp_path / "data", "--database-url", databases.new_url()) as server:
        session = call(f"{server.url}/api/auth/login", {"username": "admin", "password": "admin123"})
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                "run",
                f"{server.url}/api/openapi.json",
                "--header",
                f"Authorization: Bearer {session['token']}",
                # The stream never ends, and signing out would end the token of all that follows.
                "--exclude-path",
                "/api/events",
                "--exclude-path",
                "/api/auth/logout",
                "--checks",
                "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
                "response_schema_conformance,negative_data_rejection,unsupported_method",
                "--max-examples",
                "25",
                "--phases",
                "examples,coverage,fuzzing",
                "--seed",
                "20261123",
                "--generation-deterministic",
                "--no-color",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=480,
            check=False,
        )
        assert "Traceback" not in server.errors.read_text()
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2_000:]
