"""Whose address a request counts for, and whether it came over TLS, behind proxies."""

from __future__ import annotations

import ipaddress
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from helpdesk.config import Rate, load
from helpdesk.web.addresses import client_address, is_secure, limit_key
from tests.conftest import Api, Start
from tests.handlers.test_plain import Browser

HTTP = pytest.mark.gen_test
PROXY = "10.0.0.1"
TRUSTED = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


def request(remote: str, **headers: str | list[str]) -> HTTPServerRequest:
    """A request from `remote`, with each header on one line or on several."""
    sent = HTTPHeaders({"Host": "desk.example"})
    for name, lines in headers.items():
        for line in [lines] if isinstance(lines, str) else lines:
            sent.add(name.replace("_", "-"), line)
    context: Any = SimpleNamespace(remote_ip=remote, protocol="http")
    connection: Any = SimpleNamespace(context=context)
    return HTTPServerRequest(headers=sent, connection=connection, start_line=RequestStartLine("GET", "/", "HTTP/1.1"))


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7:51234", "203.0.113.7"),
        ("203.0.113.7:", "203.0.113.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:DB8::7]:443", "2001:db8::7"),
        ("[::ffff:203.0.113.7]:443", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("invented, 203.0.113.7:1", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, 10.2.3.4:80, [fd00::2]:80", "203.0.113.7"),
        ("203.0.113.7, ,", "203.0.113.7"),
        ("203.0.113.7 ,\t::ffff:10.9.9.9", "203.0.113.7"),
        ("10.2.3.4, 10.5.6.7", "10.2.3.4"),
        (["198.51.100.1", "203.0.113.7:1, 10.2.3.4"], "203.0.113.7"),
        # No address: the proxy that wrote it is all that is known.
        ("203.0.113.7, unknown", PROXY),
        ("203.0.113.7, 10.2.3.4, 203.0.113.300", "10.0.0.1"),
        ("203.0.113.7, nonsense, 10.2.3.4", "10.2.3.4"),
        ("203.0.113.7:port", PROXY),
        ("[203.0.113.7", PROXY),
        ("203.0.113.7]:1", PROXY),
        ("٢٠٣.0.113.7".encode().decode("latin-1"), PROXY),
        ("", PROXY),
        (",,,", PROXY),
    ],
)
def test_the_nearest_address_that_is_no_proxys_is_the_clients(forwarded: str | list[str], address: str) -> None:
    assert client_address(request(PROXY, X_Forwarded_For=forwarded), TRUSTED) == address


def test_a_stranger_says_nothing_about_addresses() -> None:
    for remote in ("203.0.113.1", "::ffff:203.0.113.1", "2001:db8::1"):
        assert client_address(request(remote, X_Forwarded_For="198.51.100.1"), TRUSTED) == remote
    assert client_address(request("::ffff:10.0.0.1", X_Forwarded_For="198.51.100.1"), TRUSTED) == "198.51.100.1"


def test_trusted_proxies_written_as_mapped_addresses_are_ipv4() -> None:
    trusted = load(["--trusted-proxies", "::ffff:10.0.0.0/104, ::ffff:192.0.2.1"], {}).trusted_proxies
    assert [str(network) for network in trusted] == ["10.0.0.0/8", "192.0.2.1/32"]


def test_a_list_of_ten_thousand_trusted_hops_is_not_walked_to_its_end() -> None:
    hops = ["198.51.100.1", *(f"10.1.{n // 250}.{n % 250}" for n in range(10_000))]
    assert client_address(request(PROXY, X_Forwarded_For=", ".join(hops)), TRUSTED) == "10.1.39.218"


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
    ],
)
def test_ipv6_addresses_of_one_64_are_one_address(address: str, key: str) -> None:
    assert limit_key(address) == key


@HTTP
async def test_the_bucket_is_one_for_each_client_behind_a_proxy_and_each_64(start: Start) -> None:
    api = await start(rate_limit=Rate(1, 60), trusted_proxies=LOOPBACK)
    for forwarded, status in (
        ("203.0.113.7:51234", 401),
        ("203.0.113.7:51235", 429),
        ("203.0.113.8:51234", 401),
        ("[2001:db8::7]:443", 401),
        ("2001:db8::ffff:7", 429),
        ("2001:db8:0:1::7", 401),
        ("::ffff:203.0.113.8", 429),
    ):
        assert (await api.get("/api/me", headers={"X-Forwarded-For": forwarded})).status == status, forwarded


@pytest.mark.parametrize(
    ("scheme", "forwarded", "secure"),
    [
        ("https", "203.0.113.7", True),
        ("HTTPS", "", True),
        ("http", "203.0.113.7", False),
        ("", "203.0.113.7", False),
        ("httpsx", "203.0.113.7", False),
        ("https, http", "203.0.113.7", False),  # the client's own word, and the proxy's
        ("http, https", "203.0.113.7", True),
        ("https, http", "203.0.113.7, 10.2.3.4", True),  # TLS ended at the outer of two proxies
        (["https", "http"], "203.0.113.7, 10.2.3.4", True),
        ("https", "203.0.113.7, 10.2.3.4", True),
    ],
)
def test_the_proxy_that_the_client_reached_says_whether_it_spoke_tls(
    scheme: str | list[str], forwarded: str, secure: bool
) -> None:
    assert is_secure(request(PROXY, X_Forwarded_Proto=scheme, X_Forwarded_For=forwarded), TRUSTED) is secure
    assert not is_secure(request("203.0.113.9", X_Forwarded_Proto=scheme, X_Forwarded_For=forwarded), TRUSTED)
    assert not is_secure(request(PROXY, X_Forwarded_Proto=scheme, X_Forwarded_For=forwarded), ())


ANSWERS = [
    ("GET", "/api/health", 200),
    ("GET", "/api/me", 401),
    ("GET", "/api/nowhere", 404),
    ("DELETE", "/api/tickets", 405),
    ("OPTIONS", "/api/tickets", 204),
    ("GET", "/", 200),
    ("GET", "/static/none", 404),
    ("GET", "/plain", 302),
    ("GET", "/plain/login", 200),
    ("POST", "/plain/login", 403),
]


@HTTP
@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
async def test_every_answer_over_tls_keeps_the_browser_on_tls(
    start: Start, method: str, path: str, status: int
) -> None:
    api = await start(trusted_proxies=LOOPBACK)
    secure = await api.request(method, path, headers={"X-Forwarded-Proto": "https"})
    assert (secure.status, secure.headers["Strict-Transport-Security"]) == (status, "max-age=31536000")
    assert "Strict-Transport-Security" not in (await api.request(method, path)).headers


@HTTP
async def test_a_stranger_cannot_claim_tls(api: Api) -> None:
    response = await api.get("/plain/login", headers={"X-Forwarded-Proto": "https"})
    assert "Strict-Transport-Security" not in response.headers
    assert "Secure" not in response.headers["Set-Cookie"]


@HTTP
async def test_cookies_of_the_plain_pages_stay_on_tls(start: Start) -> None:
    api = await start(trusted_proxies=LOOPBACK)
    account = await api.register()
    browser = Browser(api, {"X-Forwarded-Proto": "https"})
    cookies = (await browser.open("/plain/login")).headers.get_list("Set-Cookie")
    answer = await browser.send("/plain/login", username=account["user"]["username"], password="correct horse")
    cookies += answer.headers.get_list("Set-Cookie")
    await browser.open("/plain")
    cookies += (await browser.send("/plain/logout")).headers.get_list("Set-Cookie")
    assert {cookie.partition("=")[0] for cookie in cookies} == {"helpdesk_plain", "helpdesk_plain_form"}
    assert len(cookies) >= 3 and all("Secure" in cookie for cookie in cookies)
