"""What applying a policy file changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDifference:
    """How one policy differs from another, or would.

    Attributes:
        before: The number of the one; 0: none.
        after: The number of the other.
        lines: What is new (`+`), gone (`-`) and changed (`~`), sorted by section.
        revision: The revision of the traffic that goes with it; None where the traffic stays.
    """

    model: str
    before: int
    after: int
    lines: tuple[str, ...] = ()
    revision: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What a policy file has changed, or would."""

    time: datetime
    models: tuple[PolicyDifference, ...]
    dry_run: bool

    __json__: ClassVar[tuple[str, ...]] = ("time", "changed", "models", "dry_run")

    @property
    def changed(self) -> bool:
        """Whether anything was not as the file says."""
        return any(model.lines for model in self.models)
