"""On PostgreSQL too the migrations make what schema.py says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.exc import NoSuchTableError

from helpdesk.db import schema
from helpdesk.db.engines import postgres_connection
from helpdesk.db.migrations.run import prepare_postgres
from helpdesk.errors import StartError
from tests.databases import PostgresDatabases
from tests.services import Postgres

SHAPE = {
    "columns": (
        "SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name"
        " FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'"
    ),
    "indexes": (
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
    ),
    "constraints": (
        "SELECT conname, conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace AND conrelid IS DISTINCT FROM to_regclass('alembic_version')"
    ),
    "functions": "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
}


def shape(url: str) -> dict[str, set[tuple[object, ...]]]:
    """The definition of everything in a database."""
    with postgres_connection.open_engine(url).connect() as conn:
        return {name: {tuple(row) for row in conn.execute(text(query))} for name, query in SHAPE.items()}


@pytest.fixture
def made(postgres: Postgres) -> Iterator[PostgresDatabases]:
    databases = PostgresDatabases(postgres)
    yield databases
    databases.remove_all()


def test_the_migrations_make_what_schema_py_says_on_postgresql(postgres: Postgres, made: PostgresDatabases) -> None:
    postgres.sql("DROP DATABASE IF EXISTS by_schema")
    postgres.sql("CREATE DATABASE by_schema")
    with postgres_connection.open_engine(postgres.url("by_schema")).begin() as conn:
        schema.metadata.create_all(conn)
        for statement in schema.EXTRAS["postgresql"]:
            conn.execute(text(statement))
    migrated, by_schema = shape(made.new_url()), shape(postgres.url("by_schema"))
    postgres.sql("DROP DATABASE by_schema")
    for name in SHAPE:
        assert migrated[name] == by_schema[name], name


@pytest.mark.parametrize("error", [KeyError("stripe"), NoSuchTableError("ticket_counts"), None], ids=repr)
def test_whatever_a_revision_raises_is_one_sentence_and_changes_nothing(
    postgres: Postgres, made: PostgresDatabases, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    url = made.new_url()
    postgres.sql("UPDATE alembic_version SET version_num = '0001'", url.rsplit("/", 1)[1])

    def fail_half_done(config: Config, revision: str) -> None:
        conn = config.attributes["connection"]
        conn.execute(text("DROP TABLE search"))
        if error is not None:
            raise error
        conn.execute(text("SELECT stripe FROM search"))

    monkeypatch.setattr(command, "upgrade", fail_half_done)
    with pytest.raises(StartError, match=r"cannot bring the database desk up to date .*nothing was changed") as refusal:
        prepare_postgres(postgres_connection.open_engine(url), "desk")
    assert "\n" not in str(refusal.value)
    assert postgres.sql("SELECT count(*) FROM search", url.rsplit("/", 1)[1]) == ["0"]
