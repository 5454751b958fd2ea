"""When an alert fires and when it is over: a pure state machine over findings and time.

pending -> firing -> resolved. What fails for as long as the condition says fires. What fires is
over once it has held for as long, or for five minutes where the condition says nothing, so that a
value beside its bound does not ring all day. What is not known starts nothing and ends nothing.
"""

from __future__ import annotations

from datetime import timedelta

from mlreg.entities.conditions import State
from mlreg.entities.thresholds import Standing

# How long what fires must hold again where the condition does not say.
CALM = timedelta(minutes=5)

Lasting = timedelta | int | None
"""For how long, or in how many evaluations in a row; None: at once."""


def transition(
    standing: Standing | None, finding: State, lasting: Lasting, now: int
) -> Standing | None:
    """Where an alert stands after an evaluation.

    Args:
        standing: Where it stood; None: there is none.
        finding: What the condition came to.
        lasting: What the condition says behind `for`.
        now: The instant in microseconds.

    Returns:
        The same object where nothing changes; None where there is no alert, or no longer.
    """
    if standing is None:
        if finding != "fail":
            return None
        first = Standing("pending", now, 1, now)
        return _fired(now) if _is_enough(first, lasting, now) else first
    if standing.state == "pending":
        return _pending(standing, finding, lasting, now)
    return _firing(standing, finding, lasting if lasting is not None else CALM, now)


def _pending(standing: Standing, finding: State, lasting: Lasting, now: int) -> Standing | None:
    if finding != "fail":
        return None
    counted = _counted(standing, lasting, now)
    return _fired(now) if _is_enough(counted, lasting, now) else counted


def _firing(standing: Standing, finding: State, calm: Lasting, now: int) -> Standing:
    if finding != "pass":
        return standing if standing.since is None else _fired(now)
    counted = _counted(standing, calm, now)
    if _is_enough(counted, calm, now):
        return Standing("resolved", None, 0, now)
    return counted


def _fired(now: int) -> Standing:
    return Standing("firing", None, 0, now)


def _counted(standing: Standing, lasting: Lasting, now: int) -> Standing:
    """With one evaluation more for the next state; a clock that went back begins anew."""
    if standing.since is None or now < standing.since:
        return standing._replace(since=now, streak=1, evaluated_at=now)
    if isinstance(lasting, int) and now > standing.evaluated_at:
        return standing._replace(streak=standing.streak + 1, evaluated_at=now)
    return standing


def _is_enough(standing: Standing, lasting: Lasting, now: int) -> bool:
    if lasting is None:
        return True
    if isinstance(lasting, int):
        return standing.streak >= lasting
    return now - (standing.since or 0) >= lasting // timedelta(microseconds=1)
