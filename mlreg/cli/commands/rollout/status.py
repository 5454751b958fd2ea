"""`mlreg rollout status`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mlreg.cli.kit.parameters import flag, option
from mlreg.cli.kit.values import seconds
from mlreg.cli.options import ROLLOUT
from mlreg.cli.session import SessionOptions
from mlreg.errors import CheckFailed, Inconclusive

if TYPE_CHECKING:
    from mlreg.entities.rollouts import RolloutStatus
    from mlreg.registry import Registry

_PAUSE = 2.0  # seconds between two looks


def status(
    session: SessionOptions,
    name: str | None = ROLLOUT,
    wait: bool = flag("--wait", "Wait until it has ended, or waits for somebody."),
    tick: bool = flag("--tick", "Meanwhile do what mlreg tick does, for this model."),
    timeout: float | None = option("--timeout TIME", "How long to wait: 30m.", seconds),
) -> None:
    """Say how a rollout stands, and what it waits for.

    With --wait it ends with exit code 0 if the rollout has been completed, 10 if it was aborted,
    and 11 if it is neither: it waits for a person, or the time is over.

    $ mlreg rollout status
    $ mlreg rollout status sentiment --wait --timeout 2h
    """
    with session.open() if tick else session.open_to_read() as registry:
        found = registry.rollouts.status(name)
        if wait or tick:
            found = _ended(registry, found, tick=tick, timeout=timeout)
        session.emit(found)
    if wait or tick:
        _enforce(found)


def _ended(
    registry: Registry, found: RolloutStatus, *, tick: bool, timeout: float | None
) -> RolloutStatus:
    """The rollout once it has ended, waits for somebody, or the time is over."""
    began, rollout_id = time.monotonic(), found.rollout_id
    while True:
        if tick:
            registry.tick(model=found.model)
        found = registry.rollouts.status(rollout_id)
        left = _PAUSE if timeout is None else timeout - (time.monotonic() - began)
        if found.is_over or found.state in ("paused", "awaiting-approval") or left <= 0:
            return found
        time.sleep(min(_PAUSE, left))


def _enforce(found: RolloutStatus) -> None:
    what = f"the rollout {found.rollout_id} is {found.state}"
    if found.state == "aborted":
        raise CheckFailed(f"{what}: {found.reason}", hint="mlreg rollout retry begins it anew")
    if found.state != "completed":
        raise Inconclusive(f"{what}: {found.outlook}")
