"""Lists, weights, tags and parameters in headers, by their grammar (RFC 9110)."""

from __future__ import annotations

import asyncio
import gzip
import time

import pytest
from tornado.httputil import HTTPHeaders

from helpdesk.web.negotiation import EntityTag, entity_tags, first_named, is_of_type, is_unencoded, takes_gzip
from tests.conftest import Api

HTTP = pytest.mark.gen_test
PATH = "/api/tickets/1"


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("gzip", True),
        ("GZip", True),
        ("x-gzip", True),
        ("deflate, gzip;q=1.0, *;q=0.5", True),
        ("br ,\tgzip ; q=0.001", True),
        ("*", True),
        ("*;q=0.1", True),
        (", ,gzip,", True),
        ("identity;q=0.5, gzip;q=0.5", True),
        ("identity;q=0, *", True),
        (None, False),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip;q=0.0", False),
        ("gzip; Q=0.000", False),
        ("*, gzip;q=0", False),
        ("*;q=0", False),
        ("gzip;q=0.5, identity", False),
        ("gzipped", False),
        ("not-gzip", False),
        ("br, deflate", False),
        ("gzip;q=2", False),
        ("gzip;q=0.0001", False),
        ("gzip;q=", False),
        ("gzip;level=9", False),
        ('"gzip"', False),
        ("gzip br", False),
    ],
)
def test_gzip_is_for_who_takes_it_and_not_for_who_weighs_it_less(header: str | None, takes: bool) -> None:
    assert takes_gzip(header) is takes


TAGS = [
    ('"a"', [EntityTag('"a"', False)]),
    ('W/"a"', [EntityTag('"a"', True)]),
    ('"a,b" , W/"c"', [EntityTag('"a,b"', False), EntityTag('"c"', True)]),
    (', "a",, "",\t', [EntityTag('"a"', False), EntityTag('""', False)]),
    ('"\xe9"', [EntityTag('"\xe9"', False)]),
    ("", []),
    (" , ", []),
    ("a", []),
    ('"a" "b"', []),
    ('"a", b', []),
    ('w/"a"', []),
    ('W / "a"', []),
    ('"a', []),
    ('"a b"', []),
    ('"a\\"b"', []),
    ('*, "a"', []),
]


@pytest.mark.parametrize(("header", "tags"), TAGS)
def test_entity_tags_are_read_as_a_list_or_not_at_all(header: str, tags: list[EntityTag]) -> None:
    assert entity_tags(header) == tags


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("*", '"a"'),
        (" * ", '"a"'),
        ('"a"', '"a"'),
        ('W/"a"', '"a"'),
        ('"x", W/"b"', '"b"'),
        ('"b", "a"', '"a"'),
        ('"x\\"a\\""', None),
        ('"a"x', None),
        ('"aa"', None),
        ("a", None),
        ('*, "a"', None),
        ("", None),
        (None, None),
    ],
)
def test_if_none_match_names_a_tag_by_the_weak_comparison(header: str | None, named: str | None) -> None:
    assert first_named(header, '"a"', '"b"') == named


@pytest.mark.parametrize(
    ("header", "json"),
    [
        ("application/json", True),
        ("Application/JSON", True),
        ("application/json; charset=utf-8", True),
        ("application/json;charset=UTF-8", True),
        ('application/json ;\tcharset="utf-8" ; v=1', True),
        ('application/json; charset="ut\\f-8"', True),
        ("application/json;", True),
        ("application/json; charsets=latin-1", True),
        ('application/json; note="a; charset=latin-1"', True),
        ("", False),
        ("application/jsonx", False),
        ("application/json, application/json", False),
        ("application/json; charset=latin-1", False),
        ("application/json; charset=utf-8; charset=latin-1", False),
        ("application/json; charset=utf-80", False),
        ("application/json; charset = utf-8", False),
        ("application/json; charset", False),
        ('application/json; charset="utf-8', False),
        ("application/json charset=utf-8", False),
        ("application/problem+json", False),
        ("text/json", False),
        ("application /json", False),
    ],
)
def test_a_content_type_is_json_whatever_its_parameters_but_a_charset(header: str, json: bool) -> None:
    assert is_of_type(header, "application/json") is json


@pytest.mark.parametrize(
    ("header", "plain"),
    [
        (None, True),
        ("", True),
        ("identity", True),
        ("Identity, identity", True),
        ("gzip", False),
        ("identity,br", False),
    ],
)
def test_only_a_body_that_is_not_encoded_is_taken(header: str | None, plain: bool) -> None:
    assert is_unencoded(header) is plain


@pytest.mark.parametrize("read", [entity_tags, takes_gzip, lambda text: is_of_type("a/b" + text, "a/b")])
@pytest.mark.parametrize("unit", [" ", ",", ", ", '"a" ', 'W/"', ";", "; ", ' ;a="', '\\"', "q=0;", "a" * 8])
def test_reading_a_header_takes_one_pass(read: object, unit: str) -> None:
    def cpu_s(n: int) -> float:
        text = unit * n + "\x00"
        started = time.process_time()
        for _ in range(5):
            read(text)  # type: ignore[operator]
        return time.process_time() - started

    cpu_s(100)
    assert cpu_s(20_000) < 8 * cpu_s(5_000) + 0.01


@HTTP
@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        ('"1", "2"', 200),
        ('"7" , "1.1"', 200),
        ('"abc", "1"', 200),
        (',"1",', 200),
        ('"2", "3.1"', 412),
        ('"1", W/"1"', 400),
        ('"1", *', 400),
        ('"1" "2"', 400),
        ('"abc"', 400),
        ('""', 400),
        ('"01"', 400),
        ('"1.x"', 400),
        ('"9007199254740993"', 400),
        (" ", 400),
        (",", 400),
    ],
)
async def test_if_match_may_name_several_versions(api: Api, if_match: str, status: int) -> None:
    token = await api.token("agent")
    await api.ticket(token)
    response = await api.patch(PATH, {"title": "New"}, token=token, headers={"If-Match": if_match})
    assert response.status == status
    if status == 412:
        assert response.json["changed"] == [] and response.json["current"]["version"] == 1
    if status == 400:
        assert (response.code, response.field) == ("INVALID_HEADER", "If-Match")


async def file(api: Api, path: str, **headers: str) -> tuple[int, HTTPHeaders, bytes]:
    """Status, headers and body of a file as they are sent; the test client itself asks for gzip and unpacks it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items()]
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{''.join(lines)}\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    status, _, fields = head.decode().partition("\r\n")
    return int(status.split()[1]), HTTPHeaders.parse(fields), body


@HTTP
@pytest.mark.parametrize("path", ["/", "/static/app.js"])
async def test_packed_and_plain_bytes_of_a_file_have_tags_of_their_own(api: Api, path: str) -> None:
    _, plain, body = await file(api, path)
    _, packed, packed_body = await file(api, path, Accept_Encoding="gzip")
    assert plain["Vary"] == packed["Vary"] == "Accept-Encoding"
    assert "Content-Encoding" not in plain and packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed_body) == body
    assert plain["ETag"] != packed["ETag"] and "W/" not in packed["ETag"]
    for accepted, sent, status in (
        ("gzip", packed["ETag"], 304),
        ("gzip", f'"x", W/{packed["ETag"]}', 304),
        ("gzip", plain["ETag"], 304),
        ("identity", plain["ETag"], 304),
        ("identity", packed["ETag"], 200),
        ("gzip;q=0", packed["ETag"], 200),
        ("gzip", plain["ETag"][1:-1], 200),
        ("gzip", f"x{plain['ETag']}", 200),
        ("gzip", "*", 304),
    ):
        got, headers, body = await file(api, path, Accept_Encoding=accepted, If_None_Match=sent)
        assert (got, headers["Vary"]) == (status, "Accept-Encoding"), (accepted, sent)
        if status == 304:
            assert body == b"" and (sent == "*" or headers["ETag"] in sent)


@HTTP
async def test_files_are_packed_by_the_weights_of_the_header(api: Api) -> None:
    for accepted, is_packed in (("gzip", True), ("br, *;q=0.1", True), ("gzip;q=0", False), ("gzip;q=0, *", False)):
        _, headers, _ = await file(api, "/static/app.js", Accept_Encoding=accepted)
        assert (headers.get("Content-Encoding") == "gzip") is is_packed, accepted


@HTTP
async def test_any_version_of_the_list_may_be_the_present_one(api: Api) -> None:
    token = await api.token("agent")
    await api.ticket(token)
    for version in (1, 2):
        await api.patch(PATH, {"version": version, "title": f"Title {version}"}, token=token)
    stale = await api.patch(PATH, {"title": "New"}, token=token, headers={"If-Match": '"2", "1"'})
    assert (stale.status, stale.json["changed"]) == (412, ["title"])
    fresh = await api.patch(PATH, {"title": "New"}, token=token, headers={"If-Match": '"1", "3.9", "2"'})
    assert (fresh.status, fresh.json["version"]) == (200, 4)


@HTTP
async def test_an_encoded_body_is_refused_and_identity_is_none(api: Api) -> None:
    token, body = await api.token(), {"title": "x", "description": "y"}
    for encoding, status in (("identity", 201), ("", 201), ("gzip", 415), ("identity, gzip", 415)):
        headers = {"Content-Encoding": encoding}
        response = await api.post("/api/tickets", body, token=token, headers=headers)
        assert response.status == status, encoding
    packed = gzip.compress(b'{"title": "x", "description": "y"}')
    refused = await api.post("/api/tickets", raw=packed, token=token, headers={"Content-Encoding": "gzip"})
    assert (refused.code, refused.field) == ("UNSUPPORTED_MEDIA_TYPE", "Content-Encoding")


@HTTP
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "Application/X-WWW-Form-Urlencoded ; charset=UTF-8"}, 403),  # read; the form token is missing
        ({"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "identity"}, 403),
        ({"Content-Type": "application/x-www-form-urlencoded; charset=latin-1"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "gzip"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded-not"}, 415),
        ({"Content-Type": "text/plain, application/x-www-form-urlencoded"}, 415),
    ],
)
async def test_a_plain_form_is_read_by_its_type_as_a_body_of_the_api(
    api: Api, headers: dict[str, str], status: int
) -> None:
    assert (await api.post("/plain/login", raw=b"username=ana", headers=headers)).status == status
