"""PostgreSQL, Redis and nginx from the system's packages, each started as a process of its own on a free port.

A missing one skips the test that asked for it, and says which package brings it; in CI it fails the test.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from signal import SIGCONT, SIGINT, SIGQUIT, SIGSTOP, SIGTERM, Signals

import pytest

START_WITHIN_S = 30.0


def program(name: str, package: str) -> str:
    """The path of an installed program."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    found = shutil.which(name, path=os.pathsep.join([*map(str, versions), os.environ["PATH"], "/usr/sbin"]))
    if found is None:
        missing = f"{name} is not installed; on Debian: apt-get install {package}"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody takes connections on the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Service:
    """A server in a directory of its own, which is removed with it."""

    stopping_signal = SIGTERM

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="helpdesk-service-"))
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def run(self, command: Sequence[str], *, is_ready: Callable[[], bool], user: str | None = None) -> None:
        """Start it and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, user=user)
        end = time.monotonic() + START_WITHIN_S
        while not is_ready():
            assert self.process.poll() is None and time.monotonic() < end, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.05)

    def signal(self, number: Signals) -> None:
        """Send it a signal and, for one that ends it, wait until it is gone."""
        assert self.process is not None
        self.process.send_signal(number)
        if number not in (SIGSTOP, SIGCONT):
            self.process.wait(30)

    def remove(self) -> None:
        """Stop it and remove what it wrote."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(SIGCONT)
            self.signal(self.stopping_signal)
        shutil.rmtree(self.folder, ignore_errors=True)


class Postgres(Service):
    """An empty PostgreSQL that trusts everybody on this machine. Its server refuses to run as root.

    What the tests let die are processes, not machines: the system's cache outlives them, and `fsync`
    is needed by measurements only.
    """

    stopping_signal = SIGINT  # "fast": it does not wait for clients to leave

    def __init__(self, *, fsync: bool = False) -> None:
        self._fsync = "on" if fsync else "off"
        self._server = program("postgres", "postgresql")
        super().__init__()
        self.databases = 0  # how many the tests have made in it
        self._user = "postgres" if os.geteuid() == 0 else None
        owner = pwd.getpwnam(self._user) if self._user else None
        if owner is not None:
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        initdb = str(Path(self._server).with_name("initdb"))
        options = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run(
            [initdb, *options, "-D", str(self.folder / "data")],
            check=True,
            capture_output=True,
            user=self._user,
            cwd=self.folder,
        )
        self.start()

    def start(self) -> None:
        """Start the server, also again after it was stopped."""
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
            "max_connections": 200,
            "shared_buffers": "64MB",
            "fsync": self._fsync,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        self.run([self._server, "-D", str(self.folder / "data"), *options], is_ready=self._answers, user=self._user)

    def _answers(self) -> bool:
        return self._psql("SELECT 1", "postgres").returncode == 0

    def _psql(self, sql: str, database: str) -> subprocess.CompletedProcess[str]:
        at = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", database]
        return subprocess.run(
            ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *at, "-c", sql],
            capture_output=True,
            text=True,
            check=False,
        )

    def sql(self, sql: str, database: str = "postgres") -> list[str]:
        """The lines of an answer, their columns with `|` between."""
        done = self._psql(sql, database)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def url(self, database: str) -> str:
        """The address of one of its databases, as `--database-url` takes it."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def restart(self) -> None:
        """Stop it at once, as a crash would, and start it again."""
        self.signal(SIGQUIT)
        self.start()


class RedisServer(Service):
    """A Redis (or Valkey) that keeps nothing on disk."""

    def __init__(self) -> None:
        valkey = shutil.which("valkey-server")
        self._server = valkey or program("redis-server", "redis-server")
        super().__init__()
        self.start()

    def start(self) -> None:
        """Start it, also again after it was killed; it has forgotten everything then."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.run([self._server, *options], is_ready=lambda: listens(self.port))

    @property
    def url(self) -> str:
        """Its address, as `--redis-url` takes it."""
        return f"redis://127.0.0.1:{self.port}/0"


class Nginx(Service):
    """nginx with a configuration file that the caller wrote into `folder`."""

    def __init__(self) -> None:
        self._server = program("nginx", "nginx")
        super().__init__()
        self.folder.chmod(0o755)

    def start(self, configuration: Path) -> None:
        """Start it in the foreground."""
        command = [self._server, "-p", str(self.folder), "-c", str(configuration), "-g", "daemon off;"]
        self.run(command, is_ready=lambda: listens(self.port))
