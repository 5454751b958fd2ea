"""What a check is given, what it finds, and how a finding can be put right."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mlreg.entities.audit import Finding
from mlreg.jsonable import dumps
from mlreg.names import safe
from mlreg.services.checks.trail import Sealed, replay

if TYPE_CHECKING:
    from mlreg.services.context import Context
    from mlreg.store.store import Transaction

_T = TypeVar("_T")

# A check that finds more says how many more there are.
SHOWN = 20


class Mend(NamedTuple):
    """How a problem can be put right: by what can be derived, or by what an event sealed.

    Attributes:
        subject: What the event of the repair names.
        text: What is done, for people.
        before: The state that was found; None where it says nothing.
        after: The state that is put in its place.
        apply: Does it, inside the transaction of the repair.
    """

    subject: str
    text: str
    before: object
    after: object
    apply: Callable[[Transaction], None]


class Problems:
    """Collects what one check finds."""

    def __init__(self) -> None:
        self.mends: list[Mend] = []
        self._shown: list[tuple[str, bool]] = []
        self._failed = self._left_out = 0

    def add(self, detail: str, *, mend: Mend | None = None, is_possible: bool = False) -> None:
        """Note a problem.

        Args:
            detail: What is wrong, with which row.
            mend: How it can be put right.
            is_possible: It may be as it should: a warning.
        """
        if mend is not None:
            self.mends.append(mend)
        if len(self._shown) < SHOWN:
            self._shown.append((detail, is_possible))
        else:
            self._left_out += 1
        self._failed += not is_possible

    def details(self) -> list[str]:
        """What is shown of them."""
        return [detail for detail, _ in self._shown]

    def findings(self, check: str, sound: str) -> list[Finding]:
        """As findings; `sound` is said where there is no problem."""
        if not self._shown:
            return [Finding(check=check, state="ok", detail=sound)]
        found = [
            Finding(check=check, state="warning" if is_possible else "failed", detail=detail)
            for detail, is_possible in self._shown
        ]
        if self._left_out:
            more = f"and {self._left_out:,} more"
            found.append(
                Finding(check=check, state="failed" if self._failed else "warning", detail=more)
            )
        return found


class Examination:
    """One run of the checks, in a `with`.

    Attributes:
        context: The registry.
        advance: Told how many rows of the log were read.
        is_writable: Whether the file itself is sound, so that a repair cannot make it worse.
        is_log_sound: Whether anything may be derived from the log.
    """

    def __init__(self, context: Context, advance: Callable[[int], None]) -> None:
        self.context = context
        self.advance = advance
        self.is_writable = self.is_log_sound = True
        self._kept = ExitStack()

    def __enter__(self) -> Examination:
        return self

    def __exit__(self, *_: object) -> None:
        self._kept.close()

    def keep(self, opened: AbstractContextManager[_T]) -> _T:
        """Enter what is left at the end of the examination."""
        return self._kept.enter_context(opened)

    @cached_property
    def schema(self) -> dict[str, str]:
        """The SQL of each table, index and trigger as the migrations make them."""
        from mlreg.store.engines.migrations import expected_schema

        return expected_schema()

    @cached_property
    def sealed(self) -> Sealed:
        """What the audit trail says of each thing."""
        with self.context.store.read() as tx:
            return replay(tx.events.chain())


def shown(value: object) -> str:
    """A value as a finding quotes it."""
    if value is None:
        return "nothing"
    return safe(value if isinstance(value, str) else dumps(value), longest=60) or "empty"
