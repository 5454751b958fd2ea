"""Which events a hook is told of: types such as `rollback`, and patterns such as `rollout.*`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from mlreg.entities.audit import ACTIONS, Event, type_of
from mlreg.errors import InvalidInput
from mlreg.names import safe
from mlreg.store.hooks import HookRow

_OWN = "hook."
_MOST = 50
_PATTERN = re.compile(r"[a-z*][a-z0-9_.*-]{0,63}")
# What the same thing is called elsewhere.
_ELSEWHERE = {
    "experiment.concluded": "abtest.conclude",
    "experiment.started": "abtest.start",
    "experiment.stopped": "abtest.stop",
    "experiment.*": "abtest.*",
}


def check_patterns(patterns: Iterable[str], seen: Iterable[str] = ()) -> tuple[str, ...]:
    """Patterns in their one spelling, each of which may match something.

    Args:
        patterns: As they were typed; the action of an event is its type, too.
        seen: Actions of events that there have been.

    Raises:
        InvalidInput: There are none, or too many, or one can match nothing.
    """
    known = sorted({type_of(action) for action in (*ACTIONS, *seen)})
    found = tuple(dict.fromkeys(_checked(pattern, known) for pattern in patterns))
    if not found:
        raise InvalidInput("which events?", hint=f"such as rollback, or '*': {', '.join(known)}")
    if len(found) > _MOST:
        raise InvalidInput(f"a hook has at most {_MOST} patterns")
    return found


def _checked(pattern: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    spelled = type_of(pattern)
    spelled = _ELSEWHERE.get(spelled, spelled)
    if _PATTERN.fullmatch(spelled) and any(fnmatchcase(name, spelled) for name in known):
        return spelled
    close = get_close_matches(spelled.replace("*", ""), known, n=1)
    meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
    raise InvalidInput(f"there is no event {safe(pattern)}", hint=meant)


def is_told(hook: HookRow, event: Event) -> bool:
    """Whether a hook is told of an event: never of what becomes of itself, which had no end."""
    if event.action.startswith(_OWN) and event.object == hook.name:
        return False
    return hook.model in (None, event.model) and matches(hook.patterns, event)


def matches(patterns: Iterable[str], event: Event) -> bool:
    """Whether an event is of one of these types."""
    found = type_of(event.action)
    return any(fnmatchcase(found, pattern) for pattern in patterns)
