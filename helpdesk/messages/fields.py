"""The kinds of field that messages are made of, each with its limits.

`Meta.description` is what a value must be, in words that finish the sentence "title must be …".
`extra["text"]` says how a text is treated before it is checked (see texts.py): a `line` is trimmed and
holds no control characters, an `address` is a line with something visible around each `@`, a `name` is
a line that is not composed, `prose` keeps its lines and
blanks, a `secret` is left exactly as it came. `extra["max_length"]` is a bound that another module checks.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from helpdesk.terms import Priority, Role, Status

TITLE_MAX = 200
PROSE_MAX = 20_000
TAGS_MAX = 20
TAG_MAX = 40
LIST_PARAM_MAX = 50  # values of one list parameter, as sent
SLA_MINUTES_MAX = 525_600
PASSWORD_MIN = 8
PASSWORD_MAX = 1024
PAGE_MAX = 100
PAGE_DEFAULT = 20
OFFSET_MAX = 10**12
ID_MAX = 2**53  # what a JavaScript client can hold exactly

# The schema's word for "not blank". The parser has a code of its own for it, and counts invisible characters as blank.
_NOT_BLANK = r"\S"

_LINE = {"text": "line"}
_NAME = {"text": "name"}
_PROSE = {"text": "prose"}
_SECRET = {"text": "secret"}

Title = Annotated[
    str,
    Meta(
        min_length=1, max_length=TITLE_MAX, pattern=_NOT_BLANK, extra=_LINE, description="a line of 1 to 200 characters"
    ),
]
Prose = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=PROSE_MAX,
        pattern=_NOT_BLANK,
        extra=_PROSE,
        description="a text of 1 to 20,000 characters",
    ),
]
Tags = Annotated[
    list[Annotated[str, Meta(min_length=1, extra={**_LINE, "max_length": TAG_MAX})]],
    Meta(max_length=TAGS_MAX, description="at most 20 tags, each of 1 to 40 letters, digits, '-' or '_'"),
]
SlaMinutes = Annotated[int, Meta(ge=1, le=SLA_MINUTES_MAX, description="a whole number from 1 to 525,600")]
Version = Annotated[int, Meta(ge=1, le=ID_MAX, description="the ticket's version, a whole number from 1")]
Id = Annotated[int, Meta(ge=1, le=ID_MAX, description="an id, a whole number from 1")]
Username = Annotated[
    str,
    Meta(
        min_length=2,
        max_length=64,
        pattern=r"^[A-Za-z0-9._@+-]{2,64}$",
        extra=_NAME,
        description="2 to 64 of ASCII letters, digits and . _ - @ +",
    ),
]
AnyName = Annotated[str, Meta(min_length=1, max_length=200, pattern=_NOT_BLANK, extra=_NAME, description="a username")]
NewPassword = Annotated[
    str, Meta(min_length=PASSWORD_MIN, max_length=PASSWORD_MAX, extra=_SECRET, description="8 to 1,024 characters")
]
Password = Annotated[
    str, Meta(min_length=1, max_length=PASSWORD_MAX, extra=_SECRET, description="at most 1,024 characters")
]
PersonName = Annotated[str, Meta(max_length=100, extra=_LINE, description="a line of at most 100 characters")]
Email = Annotated[
    str,
    Meta(
        max_length=254,
        pattern=r"^$|^[^@\s]+@[^@\s]+$",
        extra={"text": "address"},
        description="an address like ana@example.com, or empty",
    ),
]
RoleField = Annotated[Role, Meta(description="one of user, agent, admin")]
_STATUS_WORDS = "open, in_progress, pending, resolved, closed"
StatusField = Annotated[Status, Meta(description=f"one of {_STATUS_WORDS}")]
PriorityField = Annotated[Priority, Meta(description="one of low, medium, high, urgent")]
StatusList = Annotated[list[Status], Meta(max_length=LIST_PARAM_MAX, description=f"one or more of {_STATUS_WORDS}")]
PriorityList = Annotated[
    list[Priority], Meta(max_length=LIST_PARAM_MAX, description="one or more of low, medium, high, urgent")
]
Flag = Annotated[bool, Meta(description="true or false")]

AssigneeFilter = Annotated[
    str, Meta(pattern=r"^(me|none|[1-9][0-9]{0,14})$", extra=_LINE, description="a user's id, me or none")
]
CreatorFilter = Annotated[str, Meta(pattern=r"^(me|[1-9][0-9]{0,14})$", extra=_LINE, description="a user's id or me")]
TagFilter = Annotated[str, Meta(min_length=1, max_length=200, pattern=_NOT_BLANK, extra=_LINE, description="a tag")]
Limit = Annotated[int, Meta(ge=1, le=PAGE_MAX, description="a whole number from 1 to 100")]
Offset = Annotated[int, Meta(ge=0, le=OFFSET_MAX, description="a whole number from 0")]
Query = Annotated[str, Meta(max_length=1000, extra=_PROSE, description="words to look for, at most 1,000 characters")]
