"""When a delivery that failed is tried again, and when it is given up."""

from __future__ import annotations

import random

from mlreg.clock import DAY, HOUR, SECOND

FIRST = 30 * SECOND
LONGEST = 6 * HOUR
GIVEN_UP_AFTER = 3 * DAY
# A clock that jumps ahead gives nothing up by itself.
LEAST_ATTEMPTS = 5


def wait(attempts: int, *, asked_seconds: float = 0.0, draw: float | None = None) -> int:
    """How long to wait after so many attempts, in microseconds.

    It doubles, up to six hours, and a random part of up to a half comes off: those that failed
    together, as when a receiver was down, do not all come back together.

    Args:
        attempts: How many have failed.
        asked_seconds: What the receiver asked for.
        draw: A number from 0 to 1; None: a random one.
    """
    full = min(LONGEST, FIRST * 2 ** min(attempts - 1, 20))
    share = random.random() if draw is None else draw
    return min(LONGEST, max(int(full * (1 - share / 2)), int(asked_seconds * SECOND)))


def is_given_up(attempts: int, *, first_at: int, now: int) -> bool:
    """Whether a delivery that has failed so often, for so long, is not tried any more."""
    return attempts >= LEAST_ATTEMPTS and now - first_at >= GIVEN_UP_AFTER
