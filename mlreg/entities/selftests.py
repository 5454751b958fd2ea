"""What a self-test found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

Sign = Literal["<=", ">="]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A figure of a simulation and the bound it must keep."""

    check: str
    figure: float
    sign: Sign
    bound: float
    unit: Literal["share", "count"]
    detail: str

    __json__: ClassVar[tuple[str, ...]] = (
        "check",
        "figure",
        "sign",
        "bound",
        "unit",
        "passed",
        "detail",
    )

    @property
    def passed(self) -> bool:
        """Whether the figure keeps its bound."""
        return self.figure <= self.bound if self.sign == "<=" else self.figure >= self.bound


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """All checks of a self-test.

    Attributes:
        users: How many were routed and logged.
        runs: How many tests were simulated on them, of each kind.
        looks: How often each of these was looked at.
    """

    seed: int
    users: int
    runs: int
    looks: int
    seconds: float
    checks: tuple[Check, ...]

    __json__: ClassVar[tuple[str, ...]] = (
        "passed",
        "seed",
        "users",
        "runs",
        "looks",
        "seconds",
        "checks",
    )

    @property
    def passed(self) -> bool:
        """Whether every check did."""
        return all(check.passed for check in self.checks)
