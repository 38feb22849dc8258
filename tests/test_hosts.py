"""Host names: as options write them, and as Host headers name them (the contract's sections 2 and 7)."""

from __future__ import annotations

import pytest

from helpdesk.config import load
from helpdesk.errors import StartError
from helpdesk.hosts import is_served, name_in, parse_origin, parse_pattern


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("desk.example.com", "desk.example.com"),
        ("Desk.EXAMPLE.com", "desk.example.com"),
        ("desk.example.com.", "desk.example.com"),
        ("desk", "desk"),
        ("*.example.com", "*.example.com"),
        ("*.Büro.example", "*.xn--bro-hoa.example"),
        ("büro.example", "xn--bro-hoa.example"),
        ("BU\u0308RO.example", "xn--bro-hoa.example"),
        ("xn--bro-hoa.example", "xn--bro-hoa.example"),
        ("XN--BRO-HOA.example", "xn--bro-hoa.example"),
        ("straße.example", "xn--strae-oqa.example"),  # as browsers write it; strasse.example is another name
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
        ("192.0.2.7", "192.0.2.7"),
        ("[2001:DB8::7]", "2001:db8::7"),
        ("2001:db8:0::7", "2001:db8::7"),
    ],
)
def test_a_host_name_is_taken_in_any_of_its_forms(text: str, pattern: str) -> None:
    assert parse_pattern(text) == pattern
    assert load(["--allowed-hosts", f" {text} , a.example,"], {}).allowed_hosts == (pattern, "a.example")


BAD_HOSTS = [
    "desk.example.com:8443",
    "https://desk.example.com",
    "//desk.example.com",
    "desk.example.com/",
    "desk.example.com/path",
    "user@desk.example.com",
    "*",
    "*.",
    "*.*",
    "*.*.example.com",
    "desk.*.com",
    "*desk.example.com",
    "*.192.0.2.7",
    "*.[::1]",
    "desk..example.com",
    ".example.com",
    ".",
    "desk.example.com..",
    "-desk.example.com",
    "desk-.example.com",
    "desk_1.example.com",
    "desk example.com",
    "desk;example.com",
    "a" * 64 + ".example",
    ".".join(["abcdefg"] * 32),
    "192.0.2",
    "192.0.2.256",
    "1.2.3.4.5",
    "٣.example",
    "büro_1.example",
    "ü" * 64,
    "[::1",
    "[::1]:8000",
    "::1]",
    "desk\0.example",
    "desk\n.example",
    ",",
    " ",
]


@pytest.mark.parametrize("text", BAD_HOSTS)
def test_what_is_no_host_name_is_a_bad_option_that_is_told_so(text: str) -> None:
    with pytest.raises(StartError, match="--allowed-hosts must be host names") as refusal:
        load([f"--allowed-hosts={text}"], {})
    assert "\n" not in str(refusal.value) and "\0" not in str(refusal.value)
    with pytest.raises(StartError, match="HELPDESK_ALLOWED_HOSTS must be host names"):
        load([], {"HELPDESK_ALLOWED_HOSTS": f"good.example, {text}" if text.strip(" ,") else text})


@pytest.mark.parametrize(
    ("header", "served"),
    [
        ("desk.example.com", True),
        ("DESK.example.com:8443", True),
        ("desk.example.com.", True),
        ("desk.example.com.:443", True),
        ("desk.example.com:", True),
        ("a.desk.example.com", False),
        ("example.com", False),
        ("xn--bro-hoa.example", True),
        ("a.wild.example", True),
        ("b.a.wild.example:80", True),
        ("wild.example", False),
        (".wild.example", False),
        ("evilwild.example", False),
        ("wild.example.evil.example", False),
        ("192.0.2.7:8000", True),
        ("[2001:db8::7]:8000", True),
        ("[2001:db8:0:0::7]", True),
        ("2001:db8::7", False),
        ("[::1]", False),
        ("desk.example.com:x", False),
        ("user@desk.example.com", False),
        ("desk.example.com, evil.example", False),
        ("desk.example.com..", False),
        ("", False),
    ],
)
def test_a_host_header_names_a_host_whatever_its_case_port_or_final_dot(header: str, served: bool) -> None:
    options = ["--allowed-hosts", "desk.example.com,büro.example,*.wild.example,192.0.2.7,2001:db8::7"]
    assert is_served(name_in(header), load(options, {}).allowed_hosts) is served


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://desk.example.com", "https://desk.example.com"),
        ("HTTPS://Desk.example.com:443", "https://desk.example.com"),
        ("http://desk.example.com:80", "http://desk.example.com"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("https://büro.example:8443", "https://xn--bro-hoa.example:8443"),
        ("http://[0:0::1]:3000", "http://[::1]:3000"),
    ],
)
def test_an_origin_is_kept_as_browsers_send_it(text: str, origin: str) -> None:
    assert parse_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        "desk.example.com",
        "https://desk.example.com/",
        "https://*.example.com",
        "https://desk.example.com:0",
        "https://desk.example.com:65536",
        "https://desk.example.com:",
        "https://:443",
        "https://",
        "https://user@desk.example.com",
        "https://[desk]",
        "ftp://desk.example.com",
        "null",
        "https://::1",
        ",",
    ],
)
def test_what_no_browser_sends_as_an_origin_is_a_bad_option(text: str) -> None:
    with pytest.raises(StartError, match="--cors-origins must be origins"):
        load(["--cors-origins", text], {})
