"""`mlreg activate`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlreg.cli.asking import can_ask, confirm
from mlreg.cli.changes import emit_change
from mlreg.cli.kit.parameters import option
from mlreg.cli.kit.values import percent
from mlreg.cli.options import STRATEGY, YES, ChangeOptions, RefOptions
from mlreg.cli.session import SessionOptions
from mlreg.entities.traffic import WHOLE, Change, Strategy

if TYPE_CHECKING:
    from mlreg.registry import Registry


def activate(
    session: SessionOptions,
    ref: RefOptions,
    change: ChangeOptions,
    traffic: float = option("--traffic PCT", "Its share, 0 to 100.", percent, default=100),
    strategy: Strategy | None = STRATEGY,
    yes: bool = YES,
) -> None:
    """Give a version its share of the traffic.

    It gets exactly that share; the other live versions share the rest in their present
    proportion, and 100 deactivates them. A version that is alone keeps the share it was given and
    serves everything until another one joins. On a terminal it asks before it ends a split.

    $ mlreg activate sentiment@2.0.0 --traffic 20
    $ mlreg activate sentiment@2.0.0 --traffic 20 --strategy sticky --reason "canary"
    """
    with session.open() as registry:
        if traffic == WHOLE / 100 and can_ask() and not (yes or change.dry_run):
            change = _agreed(registry, ref, change)
        emit_change(
            session,
            registry,
            lambda: registry.traffic.activate(
                ref, percent=traffic, strategy=strategy, change=change
            ),
        )
    session.suggest('mlreg predict "some input"')


def _agreed(registry: Registry, ref: str, change: Change) -> Change:
    """The change, of the very split that the user has agreed to end."""
    version = registry.versions.get(ref)
    now = registry.traffic.current(version.name)
    others = [arm for arm in now.live if arm.version_key != version.key]
    if len(now.live) < 2 or not others:
        return change
    shares = ", ".join(f"{arm.version} with {arm.traffic_percent:g} %" for arm in others)
    confirm(f"giving {version.ref} all traffic and taking out {shares}", yes=False)
    return replace(change, expect_revision=change.expect_revision or now.number)
