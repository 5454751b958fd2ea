"""Models: the names that own versions and traffic."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from mlreg.errors import InvalidInput, NotFound
from mlreg.names import check_name, name_key, safe
from mlreg.store.engines import Connection

if TYPE_CHECKING:
    from mlreg.metrics import Better

BY_NAME = "select key, name, salt from models where name = :name"
BY_NAME_KEY = "select key, name, salt from models where name_key = :name_key"
NAMES = "select name from models order by name"
INSERT = """
    insert into models (name, name_key, salt, created_at) values (:name, :name_key, :salt, :at)
    returning key, name, salt
"""
DIRECTIONS = "select name, better from value_directions where model = :model order by name"
SET_DIRECTION = """
    insert into value_directions (model, name, better) values (:model, :name, :better)
    on conflict (model, name) do update set better = excluded.better
"""
DROP_DIRECTION = "delete from value_directions where model = :model and name = :name"
NEXT_TURN = "select next_turn from models where key = :key"
TAKE_TURNS = """
    update models set next_turn = next_turn + :count where key = :key returning next_turn - :count
"""


class ModelRow(NamedTuple):
    """A model: its key, its name, and the salt of its sticky routing."""

    key: int
    name: str
    salt: str


class Models:
    """Reads and writes the table `models` on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, name: str) -> ModelRow | None:
        """The model of exactly this name, or None."""
        if not name.isprintable():
            return None  # no name is so, and no engine takes a lone surrogate
        row = self._connection.execute(BY_NAME, {"name": name}).fetchone()
        return ModelRow(*row) if row else None

    def get(self, name: str | None) -> ModelRow:
        """The model of this name; without a name, the only one there is.

        Raises:
            InvalidInput: It can be no name, or none was given and there are several models.
            NotFound: There is none.
        """
        if name is None:
            return self._only()
        found = self.find(check_name(name))
        if found is None:
            raise NotFound(f"there is no model {safe(name)}", hint=self._known())
        return found

    def names(self) -> list[str]:
        """The names of all models, in order."""
        return [name for (name,) in self._connection.execute(NAMES)]

    def ensure(self, name: str, *, at: int) -> ModelRow:
        """The model of this name, made if need be.

        Raises:
            InvalidInput: Another model's name differs only in case or form.
        """
        found = self.find(name)
        if found:
            return found
        key = name_key(name)
        twin = self._connection.execute(BY_NAME_KEY, {"name_key": key}).fetchone()
        if twin:
            raise InvalidInput(
                f"the name {safe(name)} is too like the model {safe(twin[1])}",
                hint=f"use {safe(twin[1])}, or a name that differs in more than case",
            )
        values = {"name": name, "name_key": key, "salt": os.urandom(8).hex(), "at": at}
        return ModelRow(*self._connection.execute(INSERT, values).fetchone())

    def next_turn(self, key: int) -> int:
        """The turn of round-robin that comes next."""
        return int(self._connection.execute(NEXT_TURN, {"key": key}).fetchone()[0])

    def take_turns(self, key: int, count: int) -> int:
        """Reserve the next `count` turns of round-robin; returns the first."""
        row = self._connection.execute(TAKE_TURNS, {"key": key, "count": count}).fetchone()
        return int(row[0])

    def directions(self, key: int) -> dict[str, Better]:
        """Which way the model's feedback values are better, as far as somebody said."""
        return dict(self._connection.execute(DIRECTIONS, {"model": key}).fetchall())

    def direct(self, key: int, name: str, better: Better | None) -> None:
        """Say which way a feedback value is better; None forgets it."""
        values = {"model": key, "name": name}
        if better is None:
            self._connection.execute(DROP_DIRECTION, values)
        else:
            self._connection.execute(SET_DIRECTION, {**values, "better": better})

    def _only(self) -> ModelRow:
        names = self.names()
        if len(names) == 1:
            return self.get(names[0])
        if not names:
            raise NotFound(
                "the registry has no models yet", hint="run: mlreg register NAME@1.0.0 ARTIFACT"
            )
        raise InvalidInput("which model? name one of them", hint=self._known())

    def _known(self) -> str:
        names = self.names()
        if not names:
            return "the registry has no models yet; run: mlreg register NAME@1.0.0 ARTIFACT"
        listed = ", ".join(safe(name) for name in names[:8])
        return f"there is {listed}" + (f" and {len(names) - 8} more" if len(names) > 8 else "")
