"""The SQLite file at the start: what is made, what is refused, and what a crash leaves behind."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from helpdesk.db.engines import data_file, integrity, write_ahead_log
from helpdesk.db.engines.data_file import hold, open_data_file
from helpdesk.db.engines.data_lock import DataLock, InUse
from helpdesk.errors import StartError
from tests.process import ROOT

Raw = sqlite3.Connection


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A desk whose server was stopped."""
    path = tmp_path / "desk" / "helpdesk.db"
    path.parent.mkdir()
    open_data_file(path).release()
    return path


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_what_others_could_read_is_made_private(desk: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(connect(desk)) as raw:
        add(raw, 1)
        left = crash(desk, desk.parent.parent / "crashed")
    files = [left, *write_ahead_log.paths_of(left), left.with_name("helpdesk.db.lock")]
    files[-1].touch()
    files = [file for file in files if file.exists()]
    for file in files:
        file.chmod(0o644)
    left.parent.chmod(0o755)
    open_data_file(left).release()
    assert {mode(file) for file in files if file.exists()} == {0o600} and mode(left.parent) == 0o755
    assert "helpdesk.db (mode 644); it is private now" in caplog.text
    caplog.clear()
    open_data_file(left).release()
    assert not caplog.text


def test_a_mode_that_cannot_be_changed_is_told(
    desk: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    desk.chmod(0o640)
    monkeypatch.setattr(Path, "chmod", refuse)
    open_data_file(desk).release()
    assert f"others may read {desk} (mode 640, Operation not permitted)" in caplog.text


def connect(path: Path) -> Raw:
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("PRAGMA synchronous=0")  # no test here cuts the power
    return raw


def add(raw: Raw, words: int) -> None:
    raw.execute("BEGIN")
    (before,) = raw.execute("SELECT count(*) FROM words").fetchone()
    raw.executemany("INSERT INTO words VALUES (?)", [(f"{n:0>300}",) for n in range(before, before + words)])
    raw.execute("COMMIT")


def write_again(raw: Raw) -> None:
    """Write what is there once more, as health does."""
    (mark,) = raw.execute("PRAGMA user_version").fetchone()
    raw.execute(f"PRAGMA user_version={mark}")


def words_in(path: Path) -> int:
    with closing(connect(path)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return int(raw.execute("SELECT count(*) FROM words").fetchone()[0])


def crash(path: Path, to: Path) -> Path:
    """What a killed server leaves of the database, in another directory."""
    to.mkdir()
    for name in (path.name, f"{path.name}-wal", f"{path.name}.lock"):
        if (path.parent / name).exists():
            shutil.copy(path.parent / name, to / name)
    return to / path.name


def refused(path: Path) -> str:
    """What is said of the database; asserts that nothing is changed but the index of the log, which is not kept."""

    def files() -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in path.parent.iterdir() if not file.name.endswith("-shm")}

    before = files()
    with pytest.raises(StartError) as refusal:
        open_data_file(path)
    assert files() == before
    return str(refusal.value)


def by_backup(raw: Raw, to: Path) -> None:
    """As `sqlite3 FILE ".backup COPY"` does it."""
    with closing(sqlite3.connect(to)) as copy:
        raw.backup(copy)


def by_vacuum(raw: Raw, to: Path) -> None:
    raw.execute("VACUUM INTO ?", (str(to),))


@pytest.mark.parametrize("back_up", [by_backup, by_vacuum])
@pytest.mark.parametrize("checkpoint", ["neither", "before", "after"])
@pytest.mark.parametrize("was_restored_before", [False, True])
def test_a_backup_beside_the_log_of_what_came_after_it_is_refused(
    desk: Path, tmp_path: Path, back_up: Callable[[Raw, Path], None], checkpoint: str, was_restored_before: bool
) -> None:
    if was_restored_before:  # then this desk is itself the copy that SQLite made
        with closing(connect(desk)) as raw:
            by_backup(raw, tmp_path / "first")
        shutil.copy(tmp_path / "first", desk)
        open_data_file(desk).release()
    with closing(connect(desk)) as raw:
        add(raw, 50)
        if checkpoint == "before":
            raw.execute("PRAGMA wal_checkpoint")
        add(raw, 50)
        back_up(raw, tmp_path / "backup")
        if checkpoint == "after":
            raw.execute("PRAGMA wal_checkpoint")
        add(raw, 50)
        killed = crash(desk, tmp_path / "killed")
    shutil.copy(tmp_path / "backup", killed)
    assert "helpdesk.db-wal does not belong to" in refused(killed)
    # And as the sentence says:
    (killed.parent / "helpdesk.db-wal").unlink()
    open_data_file(killed).release()
    assert words_in(killed) == 100


def test_the_file_of_an_earlier_run_beside_a_later_log_is_refused(desk: Path, tmp_path: Path) -> None:
    shutil.copy(desk, tmp_path / "earlier")
    lock = open_data_file(desk)
    with closing(connect(desk)) as raw:
        for _ in range(2):
            add(raw, 50)
            raw.execute("PRAGMA wal_checkpoint")
        add(raw, 50)
        killed = crash(desk, tmp_path / "killed")
    lock.release()
    shutil.copy(tmp_path / "earlier", killed)
    assert "does not belong" in refused(killed)


def test_the_log_of_another_desk_is_refused(desk: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "helpdesk.db"
    other.parent.mkdir()
    open_data_file(other).release()
    with closing(connect(desk)) as raw, closing(connect(other)) as other_raw:
        add(raw, 50)
        add(other_raw, 50)
        killed = crash(desk, tmp_path / "killed")
        shutil.copy(other.with_name("helpdesk.db-wal"), killed.with_name("helpdesk.db-wal"))
    assert "does not belong" in refused(killed)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_a_crash_leaves_is_opened_with_all_that_was_committed(desk: Path, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    committed = 0
    path = desk
    for step in range(8):
        lock = open_data_file(path)
        raw = connect(path)
        for _ in range(rng.randrange(6)):
            kind = rng.choice(["add", "add", "grow", "checkpoint", "restart", "write again", "reader"])
            if kind in ("add", "grow"):
                added = 1 if kind == "add" else 40
                add(raw, added)
                committed += added
            elif kind == "checkpoint":
                raw.execute("PRAGMA wal_checkpoint(PASSIVE)")
            elif kind == "restart":
                raw.execute("PRAGMA wal_checkpoint(RESTART)")
            elif kind == "write again":
                write_again(raw)
            else:  # a reader lets a checkpoint copy a part of the log only
                with closing(connect(path)) as reader:
                    reader.execute("BEGIN")
                    reader.execute("SELECT count(*) FROM words").fetchone()
                    add(raw, 40)
                    committed += 40
                    raw.execute("PRAGMA wal_checkpoint(PASSIVE)")
        path = crash(path, tmp_path / f"killed{step}")
        raw.close()
        lock.release()
    open_data_file(path).release()
    assert words_in(path) == committed


def test_a_crash_in_the_middle_of_a_migration_is_no_foreign_log(
    desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from helpdesk.db.migrations import run

    with closing(connect(desk)) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '0001'")

    def upgrade(conn: object, *_: object, since: str) -> None:
        conn.exec_driver_sql("CREATE TABLE later (id INTEGER)")  # type: ignore[attr-defined]
        conn.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{run.HEAD}'")  # type: ignore[attr-defined]

    monkeypatch.setattr(run, "_upgrade", upgrade)
    with closing(connect(desk)) as reader:  # or the log would be gone with the last connection
        reader.execute("SELECT count(*) FROM words").fetchone()
        run.prepare_sqlite(desk)
        killed = crash(desk, tmp_path / "killed")
    assert write_ahead_log.is_left(killed)
    hold(killed).release()


def test_an_index_that_somebody_added_is_no_foreign_log(desk: Path, tmp_path: Path) -> None:
    lock = open_data_file(desk)
    with closing(connect(desk)) as raw:
        raw.execute("CREATE INDEX mine ON comments (created_at)")
        add(raw, 1)
        killed = crash(desk, tmp_path / "killed")
    lock.release()
    open_data_file(killed).release()
    assert words_in(killed) == 1


@pytest.mark.parametrize("left", ["helpdesk.db.lock", "helpdesk.db-wal"])
def test_a_missing_file_is_no_new_desk_beside_what_belonged_to_it(desk: Path, left: str) -> None:
    with closing(connect(desk)) as raw:
        add(raw, 1)
        shutil.copy(desk.with_name("helpdesk.db-wal"), desk.with_name("kept"))
    desk.with_name("kept").rename(desk.with_name("helpdesk.db-wal"))
    desk.unlink()
    for name in {"helpdesk.db.lock", "helpdesk.db-wal"} - {left}:
        desk.with_name(name).unlink()
    assert left in refused(desk)
    desk.with_name(left).unlink()
    open_data_file(desk).release()  # as the sentence says, a new one


@pytest.mark.parametrize("size", [0, 1, 99, 512, 4096, 40_000])
@pytest.mark.parametrize("lock_is_there", [True, False])
def test_a_file_that_was_cut_is_refused(desk: Path, size: int, lock_is_there: bool) -> None:
    os.truncate(desk, size)
    if not lock_is_there:
        desk.with_name("helpdesk.db.lock").unlink()
        with pytest.raises(StartError):
            open_data_file(desk)
        assert desk.stat().st_size == size
    else:
        assert "helpdesk.db" in refused(desk)


class Killed(BaseException):
    """In the place of SIGKILL."""


def killed_half_done(new: Path, **_: object) -> None:
    new.write_bytes(b"SQLite format 3\x00, and what else had come")
    new.with_name(new.name + "-wal").write_bytes(b"likewise")
    raise Killed


def killed(*_: object) -> None:
    raise Killed


@pytest.mark.parametrize(
    ("at", "how", "is_made"), [("prepare_sqlite", killed_half_done, False), ("_sync_directory", killed, True)]
)
def test_a_first_start_that_was_killed_can_be_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str, how: Callable[..., None], is_made: bool
) -> None:
    path = tmp_path / "helpdesk.db"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(data_file, at, how)
        patch.setattr(data_file, "_remove_made", killed)  # nothing is tidied up
        open_data_file(path)
    assert path.exists() is is_made
    open_data_file(path).release()
    assert words_in(path) == 0
    assert {file.name for file in tmp_path.iterdir()} == {"helpdesk.db", "helpdesk.db.lock"}


def test_a_first_start_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(new: Path, **_: object) -> None:
        new.write_bytes(b"half of it")
        raise StartError("no room")

    monkeypatch.setattr(data_file, "prepare_sqlite", fail)
    with pytest.raises(StartError, match="no room"):
        open_data_file(tmp_path / "helpdesk.db")
    assert list(tmp_path.iterdir()) == []


def test_two_first_starts_at_once_make_one_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "helpdesk.db"
    prepare = data_file.prepare_sqlite

    def meanwhile(new: Path, **options: bool) -> None:
        monkeypatch.setattr(data_file, "prepare_sqlite", prepare)
        with pytest.raises(InUse):
            open_data_file(path)
        prepare(new, **options)

    monkeypatch.setattr(data_file, "prepare_sqlite", meanwhile)
    lock = open_data_file(path)
    with pytest.raises(InUse):
        open_data_file(path)
    lock.release()


@pytest.fixture
def held(desk: Path) -> Iterator[Path]:
    """A desk that a server uses."""
    lock = open_data_file(desk)
    yield desk
    lock.release()


def test_a_deleted_lock_file_lets_nobody_in(held: Path) -> None:
    held.with_name("helpdesk.db.lock").unlink()
    with pytest.raises(InUse):
        open_data_file(held)
    assert not held.with_name("helpdesk.db.lock").exists()


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_another_name_of_the_file_lets_nobody_in(
    held: Path, tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    other = tmp_path / "elsewhere" / "desk.db"
    link(held, other)
    with pytest.raises(InUse):
        open_data_file(other)
    with pytest.raises(InUse):
        data_file.open_source_file(other)
    assert [file.name for file in other.parent.iterdir()] == ["desk.db"]


def test_the_lock_holds_after_connections_were_opened_and_closed(held: Path) -> None:
    for _ in range(3):
        with closing(connect(held)) as raw:
            add(raw, 1)
    with pytest.raises(InUse):
        DataLock(held)


def test_sqlite_itself_is_not_kept_out(held: Path) -> None:
    with closing(connect(held)) as raw:
        add(raw, 1)
        done = subprocess.run(  # another process: a backup while the server runs
            [
                "python3",
                "-c",
                f"import sqlite3; print(*sqlite3.connect({str(held)!r}).execute('select count(*) from words'))",
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout.strip() == "(1,)"


def test_a_dangling_link_makes_the_file_where_it_points(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link = tmp_path / "helpdesk.db"
    link.symlink_to(tmp_path / "disk" / "desk.db")
    open_data_file(link).release()
    assert words_in(tmp_path / "disk" / "desk.db") == 0
    assert (tmp_path / "disk" / "desk.db.lock").exists()


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "helpdesk.db")
    with pytest.raises(StartError, match="is no file"):
        open_data_file(tmp_path / "helpdesk.db")


@pytest.mark.parametrize("which", ["helpdesk.db", "helpdesk.db-wal", "."])
def test_a_file_that_cannot_be_written_is_refused(desk: Path, which: str) -> None:
    with closing(connect(desk)) as raw:
        add(raw, 1)
        shutil.copy(desk.with_name("helpdesk.db-wal"), desk.with_name("kept"))
        shutil.copy(desk, desk.with_name("kept.db"))
    desk.with_name("kept").rename(desk.with_name("helpdesk.db-wal"))
    desk.with_name("kept.db").rename(desk)
    protected = desk.parent / which
    if subprocess.run(["chattr", "+i", protected], capture_output=True, check=False).returncode:
        pytest.skip("no file can be made immutable here")
    try:
        said = refused(desk)
        assert "make it writable" in said and str(protected) in said
    finally:
        subprocess.run(["chattr", "-i", protected], check=True)
    open_data_file(desk).release()
    assert words_in(desk) == 1


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="too long"):
        open_data_file(tmp_path / ("d" * 300))


def test_a_name_that_is_no_text_is_a_name(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"b\xfcro?#1.db")
    open_data_file(path).release()
    open_data_file(path).release()
    assert words_in(path) == 0


def flip(path: Path, page: int, page_size: int = 4096) -> None:
    """Damage the header of a page, as a disk does."""
    with path.open("r+b") as file:
        file.seek(page * page_size)
        file.write(b"\xff" * 64)


@pytest.mark.parametrize("page", [1, 5, 20, 40])
def test_a_damaged_file_is_refused_after_a_clean_end(desk: Path, page: int) -> None:
    flip(desk, page)
    assert "damaged" in refused(desk)


def test_a_larger_damaged_file_is_refused_after_a_crash(
    desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integrity, "ALWAYS_MAX_BYTES", 100_000)
    with closing(connect(desk)) as raw:
        add(raw, 1000)
        raw.execute("PRAGMA wal_checkpoint")
        add(raw, 1)
        killed = crash(desk, tmp_path / "killed")
    pages = desk.stat().st_size // 4096
    flip(killed, pages - 20)
    assert "damaged" in refused(killed)
    killed.with_name("helpdesk.db-wal").unlink()
    flip(desk, pages - 20)
    open_data_file(desk).release()  # after a clean end only small files are read as a whole
    monkeypatch.setattr(integrity, "AFTER_CRASH_MAX_BYTES", 100_000)
    desk.with_name("helpdesk.db-wal").write_bytes(b"an unclean end, and nothing in it that SQLite would read")
    open_data_file(desk).release()


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "helpdesk.db"
    path.symlink_to(path)
    with pytest.raises(StartError, match="leads round in a circle"):
        open_data_file(path)
    assert path.is_symlink()


AS_NOBODY = """
import os, sys
from pathlib import Path
from helpdesk.db.engines.data_file import open_data_file
from helpdesk.errors import StartError
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    open_data_file(Path(sys.argv[1]))
except StartError as refusal:
    print(refusal)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to somebody else")
@pytest.mark.parametrize("protected", ["helpdesk.db", "helpdesk.db-wal", "helpdesk.db-shm", "helpdesk.db.lock", "."])
def test_another_users_file_is_refused(desk: Path, protected: str) -> None:
    with closing(connect(desk)) as raw:
        add(raw, 1)
        killed = crash(desk, desk.parent / "killed")
    shutil.copy(killed, killed.with_name("helpdesk.db-shm"))
    for place in (killed.parent, *killed.parent.iterdir()):
        os.chown(place, 65534, 65534)
    os.chown(killed.parent / protected, 0, 0)
    (killed.parent / protected).chmod(0o755 if protected == "." else 0o600)
    for above in killed.parents:
        if above.stat().st_uid == 0 and above != killed.parent and not above.stat().st_mode & 0o001:
            above.chmod(0o711)
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, killed], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "writ" in done.stdout and "choose another --data-dir" in done.stdout
