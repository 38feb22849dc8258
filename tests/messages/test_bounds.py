"""What a text may cost: marks are counted as sent, and length before anything that is not linear, at every door."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.characters import MARKS_MAX, has_long_mark_run, is_blank
from helpdesk.domain.tags import normal_tags
from helpdesk.domain.words import found_words, index_text, query_words, words_of
from helpdesk.errors import AppError, FieldRequired, InvalidField, InvalidParam, UnknownField
from helpdesk.messages.accounts import AccountChanges, Credentials, MyChanges, NewAccount, UsersQuery
from helpdesk.messages.comments import NewComment
from helpdesk.messages.parsing import _fields, parse_body, parse_json_object, parse_query
from helpdesk.messages.tickets import NewTicket, TicketChanges, TicketsQuery
from helpdesk.messages.timeline import TimelineQuery

BODIES = (NewTicket, TicketChanges, NewComment, NewAccount, Credentials, MyChanges, AccountChanges)
QUERIES = (TicketsQuery, UsersQuery, TimelineQuery)
BODY_TEXTS = [(k, n) for k in BODIES for n, f in _fields(k).items() if f.text and f.text.kind != "secret"]
QUERY_TEXTS = [(k, n) for k in QUERIES for n, f in _fields(k).items() if f.text]
ACUTE, CEDILLA = "\u0301", "\u0327"


def sorts_badly(n: int) -> str:
    """Text whose marks NFC has to sort: insertion moves each of the second half past all of the first."""
    return "a" + ACUTE * (n // 2) + CEDILLA * (n // 2)


def hides_its_marks(n: int) -> str:
    """The same between characters that a search drops, and halfwidth marks, which become real ones in NFKD."""
    return "a" + (ACUTE * 29 + "\uff9e\u200b" + CEDILLA * 29 + "\u00ad\u3099") * (n // 62)


def one_long_word(n: int) -> str:
    """Regular expressions that look for more than a word may try it from each of its letters."""
    return "é" + "a" * n


def refused(do: Callable[[], object]) -> type[AppError] | None:
    try:
        do()
    except AppError as error:
        return type(error)
    return None


DOORS: dict[str, Callable[[str], object]] = {
    **{f"{k.__name__}.{n}": partial(lambda k, n, t: parse_body(k, {n: t}), k, n) for k, n in BODY_TEXTS},
    **{f"{k.__name__}.{n}": partial(lambda k, n, t: parse_query(k, {n: [t.encode()]}), k, n) for k, n in QUERY_TEXTS},
    "a tag": lambda t: parse_body(NewTicket, {"tags": [t]}),
    "many tags": lambda t: parse_body(NewTicket, {"tags": ["x"] * len(t)}),
    "a field's name": lambda t: parse_body(NewTicket, {t: 1}),
    "a key twice": lambda t: parse_json_object(
        msgspec.json.encode({t: 1})[:-1] + b"," + msgspec.json.encode({t: 1})[1:]
    ),
    "a parameter's name": lambda t: parse_query(TicketsQuery, {t: [b"1"]}),
    "many statuses": lambda t: parse_query(TicketsQuery, {"status": [b"open"] * len(t)}),
    "tags as stored": lambda t: normal_tags([t[:20]] * 20),
    "words": words_of,
    "indexed words": index_text,
    "indexed ASCII words": lambda t: index_text("a" * len(t)),
    "words of a query": query_words,
}


def cpu_s(do: Callable[[], object]) -> float:
    """The CPU time of the quickest of three runs, and never less than what can be told from noise."""
    times = []
    for _ in range(3):
        start = time.thread_time()
        refused(do)
        times.append(time.thread_time() - start)
    return max(min(times), 0.002)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("text", [sorts_badly, hides_its_marks, one_long_word])
def test_the_cost_of_a_text_grows_with_its_length_at_most(door: str, text: Callable[[int], str]) -> None:
    small, large = text(10_000), text(40_000)
    assert cpu_s(lambda: DOORS[door](large)) < 8 * cpu_s(lambda: DOORS[door](small))


@pytest.mark.parametrize(("kind", "name"), BODY_TEXTS)
def test_thirty_marks_in_a_row_are_taken_in_a_body_and_one_more_is_not(kind: type[msgspec.Struct], name: str) -> None:
    for marks in (ACUTE * 31, "\u093e" * 31, "\u20dd" * 31, ACUTE * 15 + CEDILLA * 16, "x" * 40 + ACUTE * 33 + "x"):
        with pytest.raises(InvalidField) as refusal:
            parse_body(kind, {name: f"e{marks}"})
        assert refusal.value.field == name
    fits = _fields(kind)[name].text
    assert fits is not None
    if fits.kind in ("line", "prose"):
        rest: dict[str, Any] = {"title": "a", "description": "b", "body": "c", "username": "ana", "password": "d" * 8}
        body = {n: v for n, v in rest.items() if n in _fields(kind)} | {name: "e" + ACUTE * MARKS_MAX}
        assert parse_body(kind, body)


@pytest.mark.parametrize(("kind", "name"), QUERY_TEXTS)
def test_more_than_thirty_marks_in_a_row_are_refused_in_a_parameter(kind: type[msgspec.Struct], name: str) -> None:
    with pytest.raises(InvalidParam) as refusal:
        parse_query(kind, {name: [("e" + ACUTE * 31).encode()]})
    assert refusal.value.field == name


def test_marks_are_counted_as_they_were_sent() -> None:
    # NFC would make 30 of these, one of them part of the letter.
    with pytest.raises(InvalidField):
        parse_body(NewComment, {"body": "e" + ACUTE * 31})
    assert parse_body(NewComment, {"body": "\u00e9" + ACUTE * 30}).body == "\u00e9" + ACUTE * 30
    with pytest.raises(InvalidField):
        parse_body(NewTicket, {"title": "a", "description": "b", "tags": ["ok", "e" + ACUTE * 31]})


def test_a_password_is_taken_as_it_comes() -> None:
    password = "a" + ACUTE * 100
    assert parse_body(Credentials, {"username": "ana", "password": password}).password == password


@given(
    st.text(st.sampled_from(["a", "\u0301", "\u093e", "\u20dd", "\u4e00", "\U0001e8d0"]), max_size=200),
    st.integers(0, 70),
)
def test_a_long_run_is_found_wherever_it_stands(text: str, more: int) -> None:
    text = text[:50] + ACUTE * more + text[50:]
    longest = run = 0
    for char in text:
        run = run + 1 if unicodedata.category(char).startswith("M") else 0
        longest = max(longest, run)
    assert has_long_mark_run(text) is (longest > MARKS_MAX)


def test_what_unicode_calls_white_space_or_format_is_invisible() -> None:
    for code in range(0x110000):
        char = chr(code)
        if char.isspace() or unicodedata.category(char) == "Cf":
            assert is_blank(char), hex(code)


def test_a_text_far_over_its_limit_is_refused_unread() -> None:
    """A megabyte of spaces is still blank, and a megabyte of anything else too long."""
    long = "x" * 1_000_000
    assert refused(lambda: parse_body(Credentials, {"username": long, "password": "p"})) is InvalidField
    assert refused(lambda: parse_body(NewTicket, {"title": " " * 1_000_000, "description": "x"})) is FieldRequired
    assert refused(lambda: parse_body(NewTicket, {"title": "a", "description": "b", "tags": [long]})) is InvalidField
    assert refused(lambda: parse_body(NewTicket, {long: 1})) is UnknownField
    assert refused(lambda: parse_query(TicketsQuery, {"q": [long.encode()]})) is InvalidParam


def test_items_are_counted_before_any_is_looked_at() -> None:
    """The refusal names the count, though the first item alone would be refused too."""
    tags = ["e" + ACUTE * 31] + ["x"] * 260_000
    with pytest.raises(InvalidField, match="at most 20 tags"):
        parse_body(NewTicket, {"title": "a", "description": "b", "tags": tags})


def test_a_query_of_many_words_costs_little_more_than_one_of_few() -> None:
    text = " ".join(f"w{n}" for n in range(4000))
    few, many = ([f"w{n}" for n in range(3999, 3999 - count, -1)] for count in (50, 500))
    assert found_words(text, few) == set(few) and found_words(text, many) == set(many)
    assert cpu_s(lambda: found_words(text, many)) < 3 * cpu_s(lambda: found_words(text, few))
