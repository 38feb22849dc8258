"""The strict parser: whatever comes in, out comes a message or an error of 400 that names its field."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.errors import AppError, BadJson, FieldRequired, InvalidField, InvalidParam, UnknownField
from helpdesk.messages.accounts import AccountChanges, Credentials, MyChanges, NewAccount, UsersQuery
from helpdesk.messages.comments import NewComment
from helpdesk.messages.fields import LIST_PARAM_MAX
from helpdesk.messages.parsing import _fields, parse_body, parse_form, parse_json_object, parse_query
from helpdesk.messages.tickets import NewTicket, TicketChanges, TicketsQuery
from helpdesk.messages.timeline import TimelineQuery

BODIES = (NewTicket, TicketChanges, NewComment, NewAccount, Credentials, MyChanges, AccountChanges)
QUERIES = (TicketsQuery, UsersQuery, TimelineQuery)

texts = st.text(st.characters(), max_size=12) | st.sampled_from(["", " ", "open", "high", "x" * 201, "\n", "\ud800"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)


def nested(levels: int, *, in_lists: bool) -> bytes:
    """An object in which `levels` objects or lists stand inside each other."""
    opening, closing = ("[", "]") if in_lists else ('{"a":', "}")
    return ('{"a":' + opening * (levels - 1) + "1" + closing * (levels - 1) + "}").encode()


@given(st.dictionaries(st.text(max_size=5), st.recursive(numbers | st.text(max_size=5), st.lists, max_leaves=5)))
def test_what_json_says_is_what_comes_out(value: dict[str, Any]) -> None:
    assert parse_json_object(json.dumps(value).encode()) == value


@pytest.mark.parametrize("in_lists", [False, True])
def test_thirty_two_levels_are_taken_and_one_more_is_not(in_lists: bool) -> None:
    assert parse_json_object(nested(32, in_lists=in_lists))
    for levels in (33, 100_000):
        with pytest.raises(BadJson, match="nested deeper than 32"):
            parse_json_object(nested(levels, in_lists=in_lists))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"[]",
        b'"text"',
        b"null",
        b"1",
        b"{",
        b"{} {}",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 01}',
        b'{"a": 1, "a": 1}',
        b'{"a": {"b": 1, "\\u0062": 2}}',
        b'{"a": "\xff"}',
        b'{"a": "tab\there"}',
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
    ],
)
def test_what_is_not_one_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadJson):
        parse_json_object(body)


@given(st.binary(max_size=40) | st.text(max_size=40).map(lambda t: t.encode("utf-8", "surrogatepass")))
def test_no_bytes_break_the_parser(body: bytes) -> None:
    with suppress(BadJson):
        assert isinstance(parse_json_object(body), dict)


@given(st.sampled_from(BODIES), st.data())
def test_any_object_is_a_message_or_an_error_that_names_its_field(kind: type[msgspec.Struct], data: Any) -> None:
    names = st.sampled_from(kind.__struct_fields__)
    body = data.draw(st.dictionaries(names | texts, values, max_size=5))
    try:
        parse_body(kind, body)
    except AppError as error:
        assert type(error) in (FieldRequired, InvalidField, UnknownField)
        assert (error.field in kind.__struct_fields__) == (type(error) is not UnknownField)
        assert error.message.isprintable()
        error.message.encode()


@given(st.sampled_from(QUERIES), st.data())
def test_any_query_is_a_message_or_an_error_that_names_its_parameter(kind: type[msgspec.Struct], data: Any) -> None:
    names = st.sampled_from(kind.__struct_fields__)
    sent = st.lists(st.binary(max_size=8) | st.sampled_from([b"1", b"true", b"open,closed", b"me"]), min_size=1)
    query = data.draw(st.dictionaries(names | st.text(max_size=5), sent, max_size=4))
    try:
        parse_query(kind, query)
    except AppError as error:
        assert type(error) is InvalidParam
        assert error.field is not None and error.message.isprintable()


@given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=60))
def test_a_message_parsed_again_is_itself(title: str, description: str) -> None:
    try:
        ticket = parse_body(NewTicket, {"title": title, "description": description})
    except AppError:
        return
    assert parse_body(NewTicket, msgspec.to_builtins(ticket)) == ticket
    assert ticket.title == ticket.title.strip()


@pytest.mark.parametrize("value", [True, "60", 1.5, 1e400, -1, 0, 525_601, 2**64, [], {}])
def test_a_number_is_a_whole_number_in_its_range(value: Any) -> None:
    with pytest.raises(InvalidField, match="sla_minutes must be a whole number"):
        parse_body(NewTicket, {"title": "a", "description": "b", "sla_minutes": value})


@pytest.mark.parametrize("value", [0, 1, "true", "", []])
def test_a_flag_is_true_or_false_only(value: Any) -> None:
    with pytest.raises(InvalidField, match="internal must be true or false"):
        parse_body(NewComment, {"body": "a", "internal": value})


# White space, format and other default-ignorable characters, fillers, the empty Braille pattern.
INVISIBLE = (
    "\u00a0\u2009\u3000\u0085\u2028 \u00ad\u061c\u180e\u200b\u200d\u200e\u2060\u2066\ufeff\ufff9\U000e0041 "
    "\u034f\u115f\u1160\u17b4\u180b\ufe0f\uffa0\u3164\U000e01ef \u2800\U0001d159"
)


@pytest.mark.parametrize("value", [None, "", " \t ", INVISIBLE, *INVISIBLE.replace(" ", "")])
def test_a_required_text_must_show_something(value: Any) -> None:
    for kind, body, name in (
        (NewComment, {"body": value}, "body"),
        (NewTicket, {"title": value, "description": "b"}, "title"),
        (NewTicket, {"title": "a", "description": value}, "description"),
        (Credentials, {"username": value, "password": "p"}, "username"),
    ):
        with pytest.raises(FieldRequired) as refusal:
            parse_body(kind, body)
        assert refusal.value.field == name


@pytest.mark.parametrize("value", ["\u0301", "\u093e", "\ufffd", "\U0001f600", "\ue000", "\u2801", "."])
def test_a_text_that_shows_little_is_not_blank(value: str) -> None:
    assert parse_body(NewTicket, {"title": value, "description": value}).title == value


def test_an_optional_line_that_shows_nothing_is_empty() -> None:
    changes = parse_body(MyChanges, {"name": " \u200b\u3164", "email": "\u2060"})
    assert (changes.name, changes.email) == ("", "")


@pytest.mark.parametrize("control", ["\x00", "\x07", "\n", "\x7f", "\x85", "\u2028"])
def test_a_line_holds_no_control_characters(control: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        parse_body(NewTicket, {"title": f"a{control}b", "description": "c"})
    assert refusal.value.field == "title"


def test_prose_keeps_its_lines_and_blanks_and_a_line_is_trimmed() -> None:
    ticket = parse_body(NewTicket, {"title": "  a b ", "description": "  c\r\n\td\n"})
    assert (ticket.title, ticket.description) == ("a b", "  c\r\n\td\n")


def test_text_becomes_nfc_and_a_password_stays_as_it_came() -> None:
    decomposed = "e\u0301 long enough "
    account = parse_body(NewAccount, {"username": " ana ", "password": decomposed, "name": decomposed})
    assert (account.username, account.password, account.name) == ("ana", decomposed, "\u00e9 long enough")


def test_lengths_are_counted_after_trimming_and_composing() -> None:
    title = "e\u0301" * 200
    assert len(parse_body(NewTicket, {"title": f" {title} ", "description": "b"}).title) == 200
    with pytest.raises(InvalidField):
        parse_body(NewTicket, {"title": title + "e", "description": "b"})


def test_null_is_as_if_left_out_but_unassigns() -> None:
    changes = parse_body(TicketChanges, {"version": 1, "tags": None, "assignee_id": None})
    assert (changes.tags, changes.assignee_id) == (None, None)
    assert parse_body(TicketChanges, {"version": 1}).assignee_id is msgspec.UNSET


@pytest.mark.parametrize("name", ["title", "description"])
def test_null_for_what_must_have_a_value_is_refused_in_a_patch_too(name: str) -> None:
    for value in (None, "", " \n", "\u200b"):
        with pytest.raises(FieldRequired) as refusal:
            parse_body(TicketChanges, {"version": 1, name: value})
        assert refusal.value.field == name


def test_an_unknown_field_is_named_but_not_repeated_raw() -> None:
    with pytest.raises(UnknownField) as refusal:
        parse_body(NewComment, {"body": "a", "x\n\ud800" + "y" * 500: 1})
    assert refusal.value.field is not None
    assert refusal.value.field.isprintable() and len(refusal.value.field) <= 101


def test_lists_may_be_repeated_or_hold_commas_and_nothing_else_may() -> None:
    query = parse_query(TicketsQuery, {"status": [b"open,pending", b"closed"], "limit": [b"5"]})
    assert (query.status, query.limit) == (["open", "pending", "closed"], 5)
    for twice in ([b"open,open"], [b"open", b"open"], [b"open,open", b"open"]):
        assert parse_query(TicketsQuery, {"status": twice}).status == ["open"]
    with pytest.raises(InvalidParam, match="only once"):
        parse_query(TicketsQuery, {"limit": [b"5", b"5"]})


@pytest.mark.parametrize("name", ["status", "priority"])
def test_a_list_parameter_has_a_largest_length_however_it_is_written(name: str) -> None:
    word = {"status": b"open", "priority": b"low"}[name]
    assert getattr(parse_query(TicketsQuery, {name: [b",".join([word] * LIST_PARAM_MAX)]}), name) == [word.decode()]
    over = LIST_PARAM_MAX + 1
    for sent in ([word] * over, [b",".join([word] * over)], [b"," * 60_000], [word, b",".join([word] * (over - 1))]):
        with pytest.raises(InvalidParam) as refusal:
            parse_query(TicketsQuery, {name: sent})
        assert refusal.value.field == name


def test_every_list_parameter_is_in_the_table_above() -> None:
    lists = {name for kind in QUERIES for name, field in _fields(kind).items() if field.is_list}
    assert lists == {"status", "priority"}


@pytest.mark.parametrize("value", [b"", b"0", b"101", b"1e9", b"-1", b"+5", b"5.0", b" 5", "١".encode(), b"9" * 400])
def test_a_limit_is_plain_digits_in_its_range(value: bytes) -> None:
    with pytest.raises(InvalidParam) as refusal:
        parse_query(TicketsQuery, {"limit": [value]})
    assert refusal.value.field == "limit"


@pytest.mark.parametrize("value", ["9" * 5000, "9" * 19, "-1", "1.0", "1e3", "٣", " 1", "x", "true"])
def test_a_number_in_a_form_is_plain_digits(value: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        parse_form(TicketChanges, {"version": value, "status": "closed"})
    assert refusal.value.field == "version"


def test_numbers_and_flags_of_a_form_are_read_from_text() -> None:
    assert parse_form(TicketChanges, {"version": "7", "title": "7"}) == TicketChanges(version=7, title="7")
    assert parse_form(NewComment, {"body": "true", "internal": "true", "parent": "3"}) == NewComment("true", 3, True)


EMAILS = ["a@b", "ana@example.com", "用户@例子.广告", "Ünal+x@[::1]", "a" * 252 + "@b", "a\u200b@b", " a@b\n"]
NO_EMAILS = ["a", "@", "@b", "a@", "a@b@c", "a@@b", "a b@c", "a\u00a0b@c", "a@b\u3000c", "a\tb@c", "a@b\nc", "a\x7f@b"]
NO_EMAILS += ["a" * 253 + "@b", "\u200b@b", "a@\u3164", "a\u2028@b", "a\x85@b", "a@b\x1fc"]


@pytest.mark.parametrize("kind", [NewAccount, MyChanges, AccountChanges])
def test_an_address_has_one_at_sign_with_text_on_both_sides(kind: type[msgspec.Struct]) -> None:
    rest = {"username": "ana", "password": "long enough"} if kind is NewAccount else {}
    for email in EMAILS:
        assert parse_body(kind, {**rest, "email": email}).email == email.strip()
    for email in NO_EMAILS:
        with pytest.raises(InvalidField) as refusal:
            parse_body(kind, {**rest, "email": email})
        assert refusal.value.field == "email", email


@pytest.mark.parametrize("username", ["\u212aevin", "u\u017fer", "kevi\u0274", "ana\u200b", "a\u0301", "x" * 65, "x"])
def test_a_username_is_ascii_as_it_was_sent(username: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        parse_body(NewAccount, {"username": username, "password": "long enough"})
    assert refusal.value.field == "username"


@pytest.mark.parametrize(
    ("length", "message"),
    [
        (201, "title is 1 character too long: it has 201, and 200 are allowed"),
        (224, "title is 24 characters too long: it has 224, and 200 are allowed"),
        (24_820, "title is 24,620 characters too long: it has 24,820, and 200 are allowed"),
    ],
)
def test_a_text_that_is_too_long_is_told_by_how_much_in_code_points(length: int, message: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        parse_body(NewTicket, {"title": "\U0001f600" * length, "description": "x"})
    assert refusal.value.message == message
