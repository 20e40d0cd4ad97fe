"""The tables as the steps of the schema leave them: their columns, types and keys are declared there, once."""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import NamedTuple

from gateway.store.schema import STEPS


class Table(NamedTuple):
    """A table: its columns in their order, and which of them are its key."""

    name: str
    columns: dict[str, str]
    """Name → type: INTEGER, TEXT or BLOB."""
    key: tuple[str, ...]

    @property
    def replacing(self) -> str:
        """The end of an INSERT that puts a row in the place of the one with its key."""
        others = ", ".join(f"{name} = excluded.{name}" for name in self.columns if name not in self.key)
        return f"ON CONFLICT ({', '.join(self.key)}) DO UPDATE SET {others}"

    @property
    def all_columns(self) -> str:
        return ", ".join(self.columns)


@cache
def tables() -> dict[str, Table]:
    """All tables by name, in the order in which they were made."""
    connection = sqlite3.connect(":memory:")
    try:
        for step in STEPS:
            connection.executescript(step)
        names = connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid"
        ).fetchall()
        found = {}
        for (name,) in names:
            info = connection.execute("SELECT name, type, pk FROM pragma_table_info(?)", (name,)).fetchall()
            key = tuple(column for place, column in sorted((pk, column) for column, _, pk in info if pk))
            found[name] = Table(name, {column: type_ for column, type_, _ in info}, key)
        return found
    finally:
        connection.close()
