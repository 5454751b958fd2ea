"""Checks of parameters. Bad parameters are the caller's mistake and raise; bad data never does."""

import math
from collections.abc import Sequence


def check_fraction(name: str, value: float) -> None:
    """Raise ValueError unless 0 < value < 1; NaN is refused too."""
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie strictly between 0 and 1, got {value!r}")


def check_positive(name: str, value: float) -> None:
    """Raise ValueError unless value is a finite number above zero."""
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name} must be a finite number above 0, got {value!r}")


def check_count(name: str, value: float) -> None:
    """Raise ValueError unless value is a finite number, zero or more."""
    if not (value >= 0 and math.isfinite(value)):
        raise ValueError(f"{name} must be a finite count of 0 or more, got {value!r}")


def check_counts(successes: float, n: float) -> None:
    """Raise ValueError unless 0 <= successes <= n."""
    check_count("n", n)
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie between 0 and n = {n!r}, got {successes!r}")


def check_choice(name: str, value: str, allowed: Sequence[str]) -> None:
    """Raise ValueError unless value is one of the allowed words."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
