"""Texts, and queries that find them or do not: for both engines, the words' function, and its twin in the browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TABLE: list[dict[str, Any]] = json.loads(Path(__file__).with_name("search_table.json").read_text())
