"""The HTTP contract of tickets."""

from __future__ import annotations

import pytest

from tests.conftest import Api

pytestmark = pytest.mark.gen_test


async def test_a_new_ticket_is_answered_in_full(api: Api) -> None:
    token = await api.token()
    response = await api.post("/api/tickets", {"title": " VPN drops ", "description": "Every hour."}, token=token)
    assert response.status == 201
    assert response.headers["Location"] == "/api/tickets/1"
    assert response.headers["ETag"] == '"1.1"'
    assert response.json["title"] == "VPN drops"
    assert [entry["action"] for entry in response.json["timeline"]] == ["created"]
