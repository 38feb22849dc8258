"""A browser without scripts, for the plain pages: it keeps cookies and sends forms back."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from tests.conftest import Api, Response

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Browser:
    """Keeps cookies and form tokens, as a browser does."""

    def __init__(self, api: Api, headers: dict[str, str] | None = None) -> None:
        self.api = api
        self.headers = headers or {}  # of every request
        self.cookies: dict[str, str] = {}
        self.page = ""

    async def open(self, path: str) -> Response:
        return self._keep(await self.api.get(path, headers=self._cookie()))

    async def send(self, path: str, with_token: bool = True, **fields: str | bytes) -> Response:
        if with_token:
            found = re.search(r'name="_xsrf" value="([^"]+)"', self.page)
            assert found is not None
            fields["_xsrf"] = found[1]
        body = urlencode(fields).encode()
        return self._keep(await self.api.post(path, raw=body, headers=FORM | self._cookie()))

    async def sign_in(self, username: str, password: str = "correct horse") -> Response:
        await self.open("/plain/login")
        return await self.send("/plain/login", username=username, password=password)

    def hidden(self, name: str) -> str:
        found = re.search(rf'name="{name}" value="([^"]+)"', self.page)
        assert found is not None
        return found[1]

    def _cookie(self) -> dict[str, str]:
        cookies = "; ".join(f"{n}={v}" for n, v in self.cookies.items())
        return self.headers | ({"Cookie": cookies} if cookies else {})

    def _keep(self, response: Response) -> Response:
        for line in response.headers.get_list("Set-Cookie"):
            name, _, value = line.split(";", 1)[0].partition("=")
            self.cookies[name] = value
        if response.status not in (302, 303):
            self.page = response.body.decode()
        return response


async def signed_in(api: Api, role: str = "user") -> Browser:
    account = await api.register(role)
    browser = Browser(api)
    assert (await browser.sign_in(account["user"]["username"])).status == 303
    return browser
