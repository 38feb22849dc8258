"""The one strict parser: a body or a query string becomes a message, or a clear error.

Errors are AppErrors of 400; each names its field. What it checks is what openapi.py publishes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NoReturn, TypeVar

import msgspec
from msgspec import inspect

from helpdesk.characters import is_blank
from helpdesk.errors import BadJson, FieldRequired, InvalidField, InvalidParam, UnknownField
from helpdesk.messages.texts import TextRule, clean, too_long

T = TypeVar("T", bound=msgspec.Struct)

MAX_DEPTH = 32  # the contract's; the top object is level 1
# Python refuses to read integers of over 4,300 digits; none that long is in any range of ours.
_MAX_DIGITS = 30
_EXACT = 2**53  # below it a float holds every whole number
_SHOWN_MAX = 100  # characters of a client's own word that a message repeats


def parse_json_object(body: bytes) -> dict[str, Any]:
    """Parse a body that holds a JSON object.

    Raises BadJson for an empty body, broken syntax, bad UTF-8, NaN or Infinity, a duplicate key, a
    body nested deeper than 32, or anything but an object (the contract's error table).
    """
    if not body:
        raise BadJson("Send a JSON object as the body of this request")
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object_without_duplicates,
            parse_constant=_no_constant,
            parse_int=_parse_int,
            parse_float=_parse_float,
        )
    except UnicodeDecodeError:
        raise BadJson("The body must be JSON in UTF-8") from None
    except RecursionError:
        raise BadJson(f"The body is nested deeper than {MAX_DEPTH} levels") from None
    except json.JSONDecodeError as error:
        raise BadJson(f"The body is not JSON: {error.msg} at character {error.pos}") from None
    if not isinstance(value, dict):
        raise BadJson("The body must be a JSON object, like {}")
    if _is_deeper_than(value, MAX_DEPTH):
        raise BadJson(f"The body is nested deeper than {MAX_DEPTH} levels")
    return value


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise BadJson(f"The body has {printable(twice)} twice in one object")
    return value


def _no_constant(name: str) -> NoReturn:
    raise BadJson(f"The body is not JSON: {name} is not a JSON number")


def _parse_int(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_DIGITS else float(digits)


def _parse_float(digits: str) -> int | float:
    # 3.0 is a whole number in JSON: RFC 8259 knows one kind of number, and so does JSON Schema.
    number = float(digits)
    return int(number) if number.is_integer() and abs(number) < _EXACT else number


def _is_deeper_than(value: Any, levels: int) -> bool:
    layer: list[Any] = [value]
    for _ in range(levels):
        layer = [
            child
            for parent in layer
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not layer:
            return False
    return True


class _Field(msgspec.Struct, frozen=True):
    name: str
    type: Any  # as msgspec takes it
    required: bool
    nullable: bool
    needs_text: bool  # blank is as good as missing
    text: TextRule | None  # None where it is no text
    item_text: TextRule | None  # likewise, of the items of a list
    must_be: str
    is_int: bool
    is_flag: bool
    is_list: bool
    max_items: int | None


@cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, _Field]:
    struct = inspect.type_info(kind)
    assert isinstance(struct, inspect.StructType)
    types = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    return {field.encode_name: _describe(field, types[field.encode_name]) for field in struct.fields}


def _describe(field: inspect.Field, type_: Any) -> _Field:
    members = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
    meta = next((m for m in members if isinstance(m, inspect.Metadata)), None)
    must_be = ((meta.extra_json_schema or {}) if meta else {}).get("description", "of another kind")
    core = [m.type if isinstance(m, inspect.Metadata) else m for m in members]
    string = next((m for m in core if isinstance(m, inspect.StrType)), None)
    array = next((m for m in core if isinstance(m, inspect.ListType)), None)
    item = array.item_type if array else None
    return _Field(
        name=field.encode_name,
        type=type_,
        required=field.required,
        nullable=any(isinstance(m, inspect.NoneType) for m in core),
        needs_text=string is not None and (field.required or (string.min_length or 0) > 0),
        text=_text_rule(meta, must_be) if string else None,
        item_text=_text_rule(item, must_be) if isinstance(item, inspect.Metadata) else None,
        must_be=must_be,
        is_int=any(isinstance(m, inspect.IntType) for m in core),
        is_flag=any(isinstance(m, inspect.BoolType) for m in core),
        is_list=array is not None,
        max_items=array.max_length if array else None,
    )


def _text_rule(meta: inspect.Metadata | None, must_be: str) -> TextRule | None:
    extra = (meta.extra or {}) if meta else {}
    if meta is None or "text" not in extra:
        return None
    max_length = extra.get("max_length", getattr(meta.type, "max_length", None))
    return TextRule(extra["text"], max_length, must_be)


def parse_body(kind: type[T], value: Mapping[str, Any]) -> T:
    """Convert `value`, a decoded JSON object, into a message of `kind`.

    Raises UnknownField, FieldRequired (missing, null or blank) or InvalidField. One-line texts come
    out trimmed and all but secrets in Unicode NFC.
    """
    fields = _fields(kind)
    for name in value:
        if name not in fields:
            raise UnknownField(f"{printable(name)} is not a field of this request", printable(name))
    cleaned = {name: _clean(fields[name], item) for name, item in value.items()}
    for field in fields.values():
        if field.required and cleaned.get(field.name) is None:
            raise FieldRequired(f"{field.name} is required", field.name)
    try:
        return msgspec.convert(cleaned, kind)
    except msgspec.ValidationError:
        field = _field_at_fault(fields, cleaned)
        raise InvalidField(_wrong(field, cleaned.get(field.name)), field.name) from None


_ANY_TEXT = TextRule("secret", None, "")


def _clean(field: _Field, value: Any) -> Any:
    if isinstance(value, str):
        return _clean_text(field, value)
    if isinstance(value, list):
        return _clean_items(field, value)
    if value is None and not field.nullable:
        raise FieldRequired(f"{field.name} must not be null", field.name)
    return value


def _clean_text(field: _Field, text: str) -> str:
    rule = field.text or _ANY_TEXT
    blank = text == "" if rule.kind == "secret" else is_blank(text)
    if blank and field.needs_text:
        raise FieldRequired(f"{field.name} must not be blank", field.name)
    if rule.kind in ("line", "address", "name"):
        text = "" if blank else text.strip()
    return clean(field.name, text, rule, InvalidField)


def _clean_items(field: _Field, items: list[Any]) -> list[Any]:
    if field.max_items is not None and len(items) > field.max_items:
        raise InvalidField(f"{field.name} must be {field.must_be}", field.name)
    rule = field.item_text
    if rule is None:
        return items
    return [clean(field.name, item.strip(), rule, InvalidField) if isinstance(item, str) else item for item in items]


def parse_form(kind: type[T], values: Mapping[str, str]) -> T:
    """Return the fields of an HTML form as a message of `kind`: numbers and flags are written as text there.

    Raises as `parse_body` does.
    """
    fields = _fields(kind)
    return parse_body(kind, {name: _typed(fields[name], text) for name, text in values.items()})


def _typed(field: _Field, text: str) -> Any:
    """Return a number or a flag as such; any other text as it is."""
    if field.is_int and re.fullmatch(r"[0-9]{1,18}", text):
        return int(text)
    if field.is_flag and text in ("true", "false"):
        return text == "true"
    return text


def _wrong(field: _Field, value: Any) -> str:
    """Say what a value must be; for a text that is too long, by how much."""
    max_length = field.text.max_length if field.text else None
    if isinstance(value, str) and max_length is not None and len(value) > max_length:
        return too_long(field.name, len(value), max_length)
    return f"{field.name} must be {field.must_be}"


def _field_at_fault(fields: Mapping[str, _Field], values: Mapping[str, Any]) -> _Field:
    """Return the first field that is refused by itself; msgspec names it nowhere but in the text of its error."""
    return next(fields[name] for name, value in values.items() if not _fits(value, fields[name].type))


def _fits(value: Any, type_: Any) -> bool:
    try:
        msgspec.convert(value, type_)
    except msgspec.ValidationError:
        return False
    return True


def printable(name: str) -> str:
    """Return a client's own word made safe for a message: no control characters, no surrogates, shortened."""
    shown = name[: _SHOWN_MAX + 1]
    shown = shown if shown.isprintable() else shown.encode("unicode_escape").decode()
    return shown if len(shown) <= _SHOWN_MAX else shown[:_SHOWN_MAX] + "…"


def parse_query(kind: type[T], arguments: Mapping[str, Sequence[bytes]]) -> T:
    """Parse the parameters of a query string into a message of `kind`.

    A list parameter may be repeated or hold commas; any other stands at most once. Raises InvalidParam
    for one that is unknown, repeated, malformed or out of range.
    """
    fields = _fields(kind)
    values: dict[str, Any] = {}
    for name, raw in arguments.items():
        field = fields.get(name)
        if field is None:
            shown = printable(name)
            raise InvalidParam(f"{shown} is not a parameter of this call", shown)
        values[name] = _parameter(field, raw)
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError:
        field = _field_at_fault(fields, values)
        raise InvalidParam(_wrong(field, values.get(field.name)), field.name) from None


def _parameter(field: _Field, raw: Sequence[bytes]) -> Any:
    try:
        texts = [value.decode("utf-8") for value in raw]
    except UnicodeDecodeError:
        raise InvalidParam(f"{field.name} must be UTF-8", field.name) from None
    if any("\0" in text for text in texts):
        raise InvalidParam(f"{field.name} must not hold the character NUL", field.name)
    if field.is_list:
        return _list_parameter(field, texts)
    if len(texts) > 1:
        raise InvalidParam(f"{field.name} may be given only once", field.name)
    value = _typed(field, texts[0])
    if not isinstance(value, str) or field.text is None:
        return value
    if field.needs_text and is_blank(value):
        raise InvalidParam(f"{field.name} must not be blank", field.name)
    return clean(field.name, value, field.text, InvalidParam)


def _list_parameter(field: _Field, texts: Sequence[str]) -> list[str]:
    """Return the values, each once; they may be repeated or hold commas."""
    count = sum(text.count(",") + 1 for text in texts)
    if field.max_items is not None and count > field.max_items:
        raise InvalidParam(f"{field.name} takes at most {field.max_items} values", field.name)
    return list(dict.fromkeys(word for text in texts for word in text.split(",")))
