"""Every setting, once: its name, default, meaning, and the check that stops a bad start.

The command line wins over the environment, the environment over the default.
"""

from __future__ import annotations

import argparse
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpdesk import __version__, option_values
from helpdesk.errors import StartError
from helpdesk.hosts import parse_pattern

ENV_PREFIX = "HELPDESK_"
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
MODES = ("demo", "production")

# What Kubernetes puts into every container for each service: docker's old links, and host and ports.
_KUBERNETES_PORT = re.compile(r"HELPDESK_(?:[A-Z0-9_]+_)?PORT")
_KUBERNETES_ADDRESS = re.compile(r"(?:tcp|udp|sctp)://", re.IGNORECASE)
_KUBERNETES = re.compile(
    r"HELPDESK_SERVICE_\w+"
    r"|HELPDESK_[A-Z0-9_]+_SERVICE_(?:HOST|PORT(?:_\w+)?)"
    r"|HELPDESK_(?:[A-Z0-9_]+_)?PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?"
)

# Seconds in each unit that a rate may be written in.
_UNITS = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600}


@dataclass(frozen=True)
class Rate:
    """`count` in `window_s` seconds; a count of 0 means no limit."""

    count: int
    window_s: int


@dataclass(frozen=True)
class Config:
    """The settings of one server, checked. Field names are those of the options."""

    host: str = "127.0.0.1"
    port: int = 8000
    data_dir: Path = Path("data")
    database_url: str | None = None
    redis_url: str | None = None
    mode: str = "demo"
    rate_limit: Rate = Rate(60, 60)
    login_limit: Rate = Rate(10, 900)
    cors_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    token_days: int = 30
    idempotency_hours: int = 24
    bcrypt_cost: int = 12
    log_format: str = "text"
    admin_password: str | None = None

    @property
    def is_demo(self) -> bool:
        return self.mode == "demo"

    @property
    def is_sqlite(self) -> bool:
        return self.database_url is None or self.database_url.startswith("sqlite")

    @property
    def data_shown(self) -> str:
        """Return the location of the data on one line, without a password."""
        if self.is_sqlite:
            path = f"{self.data_dir}/" if self.database_url is None else str(self.database_path)
            return "".join(c if c.isprintable() else "?" for c in path)
        assert self.database_url is not None
        return re.sub(r"//([^@/:]*)(:[^@/]*)?@", r"//\1@", self.database_url.partition("?")[0])

    @property
    def database_path(self) -> Path:
        """Return the SQLite file: the one in the data directory, or the one that --database-url names."""
        if self.database_url is None:
            return self.data_dir / "helpdesk.db"
        return Path(self.database_url.removeprefix("sqlite:///"))


@dataclass(frozen=True)
class Setting:
    """One setting: `parse` turns its text into the value, or raises ValueError saying what it must be."""

    name: str
    default: str
    meaning: str
    parse: Callable[[str], Any]

    @property
    def option(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return ENV_PREFIX + self.name.upper()


def parse_rate(text: str) -> Rate:
    """Parse a rate: `60/min`, `10/15min`, `5/s`, or `0` for no limit.

    Raises ValueError for anything else.
    """
    if text == "0":
        return Rate(0, 1)
    match = re.fullmatch(r"([0-9]{1,7})/([0-9]{0,4})([a-z]+)", text)
    if match is None or match[3] not in _UNITS or 0 in (int(match[1]), int(match[2] or 1)):
        raise ValueError("a rate like 60/min or 10/15min, or 0 for none")
    return Rate(int(match[1]), int(match[2] or 1) * _UNITS[match[3]])


SETTINGS: tuple[Setting, ...] = (
    Setting("host", "127.0.0.1", "address to listen on", option_values.host),
    Setting("port", "8000", "port to listen on; 0 takes a free one", option_values.whole(0, 65535)),
    Setting("data_dir", "data", "directory for the data, made when missing", lambda t: Path(option_values.text(t))),
    Setting(
        "database_url",
        "",
        "SQLAlchemy address of SQLite or PostgreSQL; SQLite in the data directory when absent",
        option_values.parse_database_url,
    ),
    Setting(
        "redis_url",
        "",
        "Redis address, for several processes on one PostgreSQL; none when absent",
        option_values.redis_url,
    ),
    Setting("mode", "demo", "demo or production", option_values.choice(*MODES)),
    Setting("rate_limit", "60/min", "requests for each user or address; 0 for no limit", parse_rate),
    Setting("login_limit", "10/15min", "failed logins for one name from one address; 0 for no limit", parse_rate),
    Setting(
        "cors_origins",
        "",
        "origins that may call the API from a page of theirs, or *",
        option_values.list_of(option_values.origin, "origins like https://desk.example.com, with commas between, or *"),
    ),
    Setting(
        "allowed_hosts",
        "",
        "host names served in production mode; any when absent",
        option_values.list_of(
            parse_pattern,
            "host names like desk.example.com or *.example.com, without scheme, port or path, with commas between "
            "(leave it out to serve any)",
        ),
    ),
    Setting(
        "trusted_proxies",
        "",
        "addresses or networks whose X-Forwarded-For and -Proto count",
        option_values.list_of(option_values.network, "addresses or networks like 10.0.0.0/8, with commas between"),
    ),
    Setting("token_days", "30", "days until a token expires", option_values.whole(1, 3650)),
    Setting("idempotency_hours", "24", "hours that an Idempotency-Key is kept", option_values.whole(1, 8760)),
    Setting(
        "bcrypt_cost",
        "12",
        "cost of password hashing, 2 to its power rounds (4 is for tests)",
        option_values.whole(4, 16),
    ),
    Setting("log_format", "text", "text or json, on standard error", option_values.choice("text", "json")),
)

# Known to the environment only: a password has no place on a command line, where others read it.
_ADMIN_PASSWORD = Setting("admin_password", "", "password of the first admin in production mode", option_values.text)


def load(argv: Sequence[str], environ: Mapping[str, str]) -> Config:
    """Return the configuration of this start.

    Raises StartError with one sentence for a bad option, value or HELPDESK_ variable; `--help` and
    `--version` print and leave, as argparse does.
    """
    known = {s.variable: s for s in (*SETTINGS, _ADMIN_PASSWORD)}
    environ = {name: text for name, text in environ.items() if not _is_made_by_kubernetes(name, text)}
    for variable in sorted(environ):
        if variable.startswith(ENV_PREFIX) and variable not in known:
            raise StartError(f"{variable} is not a setting of this server; remove it or see --help for their names")
    given = {s.name: environ[v] for v, s in known.items() if environ.get(v)}
    options = vars(_parser().parse_args(list(argv)))
    given |= {name: text for name, text in options.items() if text is not None}
    values: dict[str, Any] = {}
    for setting in known.values():
        text = given.get(setting.name, setting.default)
        if text or setting is not _ADMIN_PASSWORD:
            values[setting.name] = _parse(setting, text, options.get(setting.name) is not None)
    return _consistent(Config(**values))


def _is_made_by_kubernetes(variable: str, text: str) -> bool:
    """Return whether Kubernetes set the variable because of a service called `helpdesk` or `helpdesk-…`."""
    if _KUBERNETES.fullmatch(variable):
        return True
    return bool(_KUBERNETES_PORT.fullmatch(variable) and _KUBERNETES_ADDRESS.match(text))


def _parse(setting: Setting, text: str, from_command_line: bool) -> Any:
    source = setting.option if from_command_line else setting.variable
    # A path may have bytes that are no UTF-8; Python passes them on as surrogates.
    if setting.name not in ("data_dir", "database_url") and not option_values.is_unicode(text):
        raise StartError(f"{source} must be text in UTF-8")
    try:
        return setting.parse(text)
    except ValueError as error:
        raise StartError(f"{source} must be {error}") from None


def _consistent(config: Config) -> Config:
    if config.is_demo and config.host not in LOOPBACK_NAMES:
        raise StartError(f"demo mode listens on loopback only; to listen on {config.host} start with --mode production")
    password = config.admin_password
    if password is not None and not 8 <= len(password) <= 1024:
        raise StartError(f"{_ADMIN_PASSWORD.variable} must be 8 to 1,024 characters")
    return config


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise StartError(f"{message}; see --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="server.py",
        description="HelpDesk Mini: a help desk in one process. Every option has an environment "
        "variable too: --rate-limit is HELPDESK_RATE_LIMIT. The command line wins.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"HelpDesk Mini {__version__}")
    for setting in SETTINGS:
        shown = setting.default or "none"
        parser.add_argument(
            setting.option,
            dest=setting.name,
            metavar=setting.name.rsplit("_", 1)[-1].upper(),
            help=f"{setting.meaning} (default: {shown})",
        )
    parser.epilog = (
        f"{_ADMIN_PASSWORD.variable} (environment only): {_ADMIN_PASSWORD.meaning}; without it a "
        "random one is made and printed once."
    )
    return parser
