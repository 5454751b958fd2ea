"""`mlreg hook test`."""

from __future__ import annotations

from mlreg.cli.options import HOOK
from mlreg.cli.session import SessionOptions
from mlreg.errors import CheckFailed
from mlreg.names import safe


def test_(session: SessionOptions, hook: str = HOOK) -> None:  # noqa: PT028  # a verb
    """Tell a hook of an event that did not happen, now; exit code 10 if it does not take it.

    The event has the type hook.test. What is answered or printed is shown and not kept.

    $ mlreg hook test hook-1
    """
    with session.open() as registry:
        found = registry.hooks.test(hook)
        session.emit(found)
        if not found.succeeded:
            raise CheckFailed(f"the hook {safe(found.hook)} was not told: {found.outcome}")
