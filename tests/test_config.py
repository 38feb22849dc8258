"""Settings: where they come from, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpdesk.config import SETTINGS, Config, Rate, load, parse_rate
from helpdesk.errors import StartError


def test_without_anything_the_defaults_hold() -> None:
    config = load([], {"PATH": "/bin"})
    assert config == Config()
    assert (config.mode, config.host, config.port, config.rate_limit) == ("demo", "127.0.0.1", 8000, Rate(60, 60))


def test_the_command_line_wins_over_the_environment() -> None:
    environ = {"HELPDESK_PORT": "1", "HELPDESK_LOG_FORMAT": "json", "HELPDESK_CORS_ORIGINS": ""}
    config = load(["--port", "2"], environ)
    assert (config.port, config.log_format, config.cors_origins) == (2, "json", ())


def test_lists_take_commas() -> None:
    config = load(["--allowed-hosts", "A.example, b.example", "--trusted-proxies", "10.0.0.0/8,::1"], {})
    assert config.allowed_hosts == ("a.example", "b.example")
    assert [str(network) for network in config.trusted_proxies] == ["10.0.0.0/8", "::1/128"]


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("60/min", Rate(60, 60)),
        ("10/15min", Rate(10, 900)),
        ("5/s", Rate(5, 1)),
        ("1/2hour", Rate(1, 7200)),
        ("0", Rate(0, 1)),
    ],
)
def test_rates_are_a_count_and_a_window(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text",
    ["", "60", "60/", "-1/min", "0/min", "1/0min", "1/00min", "00/min", "1/year", "60 / min", "1e3/min", "٦/min"],
)
def test_a_bad_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="60/min"):
        parse_rate(text)


@pytest.mark.parametrize(
    ("argv", "environ", "says"),
    [
        (["--port", "65536"], {}, "--port must be a whole number from 0 to 65535"),
        ([], {"HELPDESK_PORT": "x"}, "HELPDESK_PORT must be"),
        (["--mode", "prod"], {}, "one of demo, production"),
        (["--cors-origins", "example.com"], {}, "--cors-origins"),
        (["--host", "0.0.0.0"], {}, "--mode production"),
        (["--prot", "1"], {}, "--help"),
        (["--port"], {}, "--help"),
        (["--port", ""], {}, "--port must be"),
        (["--port", "٨٠٠٠"], {}, "--port must be"),
        (["--port", " 8000"], {}, "--port must be"),
        (["--token-days", "0"], {}, "--token-days must be"),
        (["--host", ""], {}, "--host must be"),
        (["--trusted-proxies", "10.0.0.1:80"], {}, "--trusted-proxies must be .*'10.0.0.1:80' is not one"),
        (["--trusted-proxies", "proxy"], {}, "--trusted-proxies must be"),
        (["--trusted-proxies", ","], {}, "--trusted-proxies must be"),
        (["--port", "tcp://10.0.0.1:80"], {}, "--port must be"),
        (["--redis-url", "redis://"], {}, "--redis-url must be"),
        (["--redis-url", "redis://host:port/0"], {}, "--redis-url must be"),
        (["--redis-url", "redis://host:6379/cache"], {}, "--redis-url must be"),
        (["--redis-url", "http://host:6379"], {}, "--redis-url must be"),
        (["--redis-url", "unix://redis.sock"], {}, "--redis-url must be"),
        (["--redis-url", "redis://h\udcff"], {}, "--redis-url must be text in UTF-8"),
        (["--host", "h\udcff"], {}, "--host must be text in UTF-8"),
        ([], {"HELPDESK_ADMIN_PASSWORD": "pass\udcffword"}, "HELPDESK_ADMIN_PASSWORD must be text in UTF-8"),
        ([], {"HELPDESK_ADMIN_PASSWORD": "x" * 1025}, "8 to 1,024"),
        ([], {"HELPDESK_PORTS": "tcp://10.0.0.1:80"}, "HELPDESK_PORTS is not a setting"),
        ([], {"HELPDESK_PORT_8000": "x"}, "HELPDESK_PORT_8000 is not a setting"),
        ([], {"HELPDESK_MAIL_PORT": "25"}, "HELPDESK_MAIL_PORT is not a setting"),
        ([], {"HELPDESK_ADMIN_PASSWORD": "short"}, "8 to 1,024"),
        ([], {"HELPDESK_": "x"}, "HELPDESK_ is not a setting"),
    ],
)
def test_a_bad_setting_is_refused_with_its_name(argv: list[str], environ: dict[str, str], says: str) -> None:
    with pytest.raises(StartError, match=says):
        load(argv, environ)


def test_what_kubernetes_says_of_its_services_is_no_setting() -> None:
    made = {
        "HELPDESK_PORT": "tcp://10.0.0.1:8000",
        "HELPDESK_PORT_8000_TCP": "tcp://10.0.0.1:8000",
        "HELPDESK_PORT_8000_TCP_ADDR": "10.0.0.1",
        "HELPDESK_PORT_8000_TCP_PORT": "8000",
        "HELPDESK_PORT_8000_TCP_PROTO": "tcp",
        "HELPDESK_PORT_53_UDP": "udp://10.0.0.1:53",
        "HELPDESK_SERVICE_HOST": "10.0.0.1",
        "HELPDESK_SERVICE_PORT": "8000",
        "HELPDESK_SERVICE_PORT_HTTP": "8000",
        # Of a service called helpdesk-db.
        "HELPDESK_DB_PORT": "tcp://10.0.0.2:5432",
        "HELPDESK_DB_PORT_5432_TCP_ADDR": "10.0.0.2",
        "HELPDESK_DB_SERVICE_HOST": "10.0.0.2",
    }
    assert load([], made) == Config()
    assert load(["--port", "9000"], made).port == 9000


def test_an_address_to_listen_on_may_stand_in_brackets() -> None:
    assert load(["--host", "[::1]"], {}).host == "::1"
    assert load(["--host", "LocalHost"], {}).host == "localhost"


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379/0",
        "rediss://user:p%40ss@redis.example:6380",
        "valkey://[::1]:6379/1?protocol=3",
        "redis://:secret@host/",
        "unix:///run/redis.sock?db=1",
    ],
)
def test_redis_is_named_by_any_of_its_addresses(url: str) -> None:
    assert load(["--redis-url", url], {}).redis_url == url.replace("valkey", "redis")


def test_where_the_data_are_is_one_line_that_can_be_printed() -> None:
    for options in (["--data-dir", "a\nb\udcff"], ["--database-url", "sqlite:///a\nb\udcff"]):
        assert load(options, {}).data_shown.startswith("a?b?")


def test_a_value_given_twice_is_taken_once() -> None:
    assert load(["--allowed-hosts", "a.example,A.example,a.example."], {}).allowed_hosts == ("a.example",)
    assert len(load(["--trusted-proxies", "10.0.0.1/8,10.0.0.0/8"], {}).trusted_proxies) == 1


def test_another_sqlite_file_may_be_named() -> None:
    assert load(["--database-url", "sqlite:///desk.db"], {}).database_path == Path("desk.db")
    assert load(["--database-url", "sqlite:////var/desk.db"], {}).database_path == Path("/var/desk.db")
    assert load(["--data-dir", "d"], {}).database_path == Path("d/helpdesk.db")


def test_every_default_is_what_the_config_says() -> None:
    for setting in SETTINGS:
        assert setting.parse(setting.default) == getattr(Config(), setting.name) if setting.default else True
