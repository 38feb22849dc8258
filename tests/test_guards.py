"""Promises of the whole project, held by reading and asking it."""

from __future__ import annotations

import ast
import asyncio
import json
import re
from pathlib import Path

import pytest

from helpdesk import openapi
from helpdesk.config import ENV_PREFIX, SETTINGS
from helpdesk.routes import ROUTES, Route
from helpdesk.web.calls import Access
from tests.conftest import Api

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "helpdesk"
FILES = sorted(PACKAGE.rglob("*.py"))

# Each floor may import itself, the floors named for it, and the leaves.
LEAVES = {"errors", "config", "clock", "terms", "problems", "standard_streams", "characters", "folding", "__init__"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "clock": set(),
    "terms": set(),
    "problems": set(),
    "standard_streams": set(),
    "characters": set(),
    "folding": set(),
    "hosts": set(),
    "option_values": {"hosts"},
    "config": {"errors", "hosts", "option_values"},
    "lanes": set(),
    "messages": set(),
    "db": {"lanes"},
    "domain": {"db", "messages"},
    "passwords": {"lanes"},
    "health": {"db"},
    "adapters": set(),
    "limits": {"adapters", "lanes"},
    "logs": set(),
    "caches": {"db", "domain", "messages"},
    "live": {"adapters", "db", "domain", "messages"},
    "jobs": {"db", "domain"},
    "desk": {"limits", "adapters", "live", "db", "logs", "passwords", "health", "caches"},
    "first_start": {"db", "desk", "domain", "passwords"},
    "reindexing": {"db", "desk", "domain"},
    "web": {"db", "desk", "domain", "hosts", "limits", "messages"},
    "handlers": {"db", "domain", "limits", "live", "messages", "web"},
    "routes": {"handlers", "web"},
    "openapi": {"web", "messages", "routes"},
    "app": {"desk", "handlers", "web", "messages", "openapi", "routes"},
    "http_server": {"web", "limits", "app", "desk", "handlers"},
    "serve": {"limits", "db", "desk", "first_start", "http_server", "jobs", "logs", "reindexing"},
    "commands": {"db", "domain", "option_values"},
    "__main__": {"commands"},
    "__init__": set(),
}


def floor_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """The modules that a file imports, by their full names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_downwards_only(path: Path) -> None:
    floor = floor_of(path)
    used = {name.split(".")[1] for name in imports(path) if name.startswith("helpdesk.")} - {"__version__"}
    assert used <= MAY_IMPORT[floor] | {floor} | LEAVES, f"{floor} may not import {used}"


def test_only_the_db_floor_knows_sqlalchemy_and_only_http_knows_tornado() -> None:
    for path in FILES:
        roots = {name.split(".")[0] for name in imports(path)}
        assert "sqlalchemy" not in roots or floor_of(path) == "db", path
        assert "tornado" not in roots or floor_of(path) in (
            "web",
            "handlers",
            "app",
            "web",
            "http_server",
            "serve",
            "logs",
        ), path


def test_only_one_module_normalises_text() -> None:
    """`normalize` is quadratic in a run of marks; its callers go through the module that bounds the run."""
    for path in FILES:
        assert floor_of(path) == "characters" or not re.search(r"\bnormalize\(", path.read_text()), path


@pytest.mark.parametrize("floor", ["domain", "db"])
def test_every_public_function_says_what_it_does(floor: str) -> None:
    for path in sorted((PACKAGE / floor).glob("*.py")):
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), path
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{path.name}: {node.name}"


def test_every_setting_is_in_the_readme_with_its_default() -> None:
    readme = (ROOT / "README.md").read_text()
    for setting in SETTINGS:
        row = next(line for line in readme.splitlines() if line.startswith(f"| `{setting.option}`"))
        assert f"`{setting.variable}`" in row
        assert setting.default in row or not setting.default
    named = set(re.findall(rf"`({ENV_PREFIX}[A-Z_]+)`", readme))
    assert named == {setting.variable for setting in SETTINGS} | {"HELPDESK_ADMIN_PASSWORD"}


def test_every_route_is_described() -> None:
    document = json.loads(openapi.document())
    assert document["openapi"] == "3.1.0"
    described = {(path, verb.upper()) for path, item in document["paths"].items() for verb in item}
    assert described == {(route.path, verb) for route in ROUTES for verb in route.who}
    ids = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.gen_test
@pytest.mark.parametrize("route", ROUTES, ids=lambda r: r.path)
async def test_every_route_refuses_anonymous_callers_unless_it_is_public(api: Api, route: Route) -> None:
    path = route.path.replace("{id}", "1")
    for verb, access in route.who.items():
        response = await api.request(verb, path, {} if verb in ("POST", "PATCH") else None)
        assert (response.status == 401) is access.needs_actor, (verb, path)
        if access is Access.FREE:
            assert response.status == 200


@pytest.mark.gen_test
async def test_every_refusal_has_the_one_shape(api: Api) -> None:
    token = await api.token()
    paths = [route.path.replace("{id}", "999999") for route in ROUTES] + ["/api", "/api/", "/api/x/y", "/static/none"]
    seen = 0
    for path in paths:
        for method in ("GET", "POST", "PATCH", "PUT", "DELETE"):
            for who in (None, token):
                if (method, path) == ("GET", "/api/events"):
                    continue
                async with asyncio.timeout(5):
                    response = await api.request(method, path, {} if method != "GET" else None, token=who)
                if response.status < 400:
                    continue
                seen += 1
                assert set(response.json) == {"error"}, (method, path, response.body)
                assert set(response.json["error"]) == {"code", "message", "field"}
                assert response.headers["X-Request-Id"] and response.headers["Content-Type"] == "application/json"
    assert seen > 100
