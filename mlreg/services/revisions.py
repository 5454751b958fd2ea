"""One way to put a revision in force, for every verb and experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mlreg.clock import from_micros
from mlreg.entities.traffic import CHAMPION, CROWNING, Cause, Change, Revision
from mlreg.errors import RevisionMoved
from mlreg.jsonable import JsonValue, jsonable
from mlreg.names import check_text
from mlreg.services.context import Act

if TYPE_CHECKING:
    from mlreg.entities.conditions import Finding
    from mlreg.store.models import ModelRow


def in_force(act: Act, model: ModelRow) -> Revision:
    """The revision that a change starts from.

    Raises:
        RevisionMoved: It is not the one that the change expects.
    """
    now = act.tx.traffic.current(model)
    check_expected(now, act.change)
    return now


def check_expected(now: Revision, change: Change) -> None:
    """Refuse a change that expects another revision.

    Raises:
        RevisionMoved: It does.
    """
    if change.expect_revision not in (None, now.number):
        raise RevisionMoved(
            f"{now.model} is at revision {now.number}, not {change.expect_revision}",
            hint=f"see who moved it: mlreg history {now.model}",
        )


def put(
    act: Act,
    now: Revision,
    wanted: Revision,
    cause: Cause,
    *,
    why: str = "",
    findings: Sequence[Finding] = (),
    is_confirmed: bool = False,
) -> Revision:
    """Put the arms, strategy and salt that are wanted in force, as the next revision.

    Nothing is written where they are in force already, or for a dry run. A promotion moves the
    alias `champion` either way.

    Args:
        act: The change under way.
        now: The revision in force.
        wanted: What is to follow it.
        cause: What made it.
        why: The reason where the change gives none.
        findings: What a rollback rests on, where a gate makes it.
        is_confirmed: What was put in force as a trial has proved good: that is a revision too.

    Returns:
        The revision that is in force afterwards, or would be.
    """
    after = replace(
        wanted,
        number=now.number + 1,
        arms=tuple(sorted(wanted.arms, key=lambda arm: arm.version_key)),
        cause=cause,
        reason=check_text(act.change.reason, "reason") or why,
        actor=act.actor,
        created_at=from_micros(act.at),
        dry_run=act.change.dry_run,
    )
    is_new = not (now.same_traffic_as(after) and now.salt == after.salt) or is_confirmed
    if is_new and not after.dry_run:
        _append(act, now, after, {"findings": jsonable(findings)} if findings else {})
    if cause in CROWNING and not after.dry_run:
        _crown(act, after)
    return after if is_new else replace(now, dry_run=after.dry_run)


def _append(act: Act, now: Revision, after: Revision, found: dict[str, JsonValue]) -> None:
    start = {"from_revision": now.number} if after.cause == "rollback" else {}
    act.tx.traffic.append(after, {**start, **found})
    act.tx.events.append(
        action=after.cause,
        object=after.model,
        actor=act.actor,
        at=act.at,
        model_key=after.model_key,
        model=after.model,
        reason=after.reason,
        before=now if now.number else None,
        # What the evidence is, the audit trail has to seal as well.
        after=_plain(after) | found if found else after,
    )


def _plain(revision: Revision) -> dict[str, JsonValue]:
    plain = jsonable(revision)
    assert isinstance(plain, dict)  # for the type checker
    return plain


def _crown(act: Act, after: Revision) -> None:
    """Let `champion` follow a promotion, and a rollback to a version that had it before."""
    holder = act.tx.versions.find_alias(after.model_key, CHAMPION)
    if holder is None and after.cause == "rollback":
        return
    first = max(after.live, key=lambda arm: arm.weight)
    own = holder and after.arm_of(holder.key)
    if own and own.weight == first.weight:
        return
    ref = f"{after.model}@{first.version}"
    if after.cause == "rollback" and not act.tx.events.has_worn(after.model_key, ref, CHAMPION):
        return
    act.tx.versions.set_alias(after.model_key, CHAMPION, first.version_key)
    act.tx.events.append(
        action="alias",
        object=ref,
        actor=act.actor,
        at=act.at,
        model_key=after.model_key,
        model=after.model,
        reason=after.reason,
        before={"alias": CHAMPION, "version": holder and holder.version},
        after={"alias": CHAMPION, "version": first.version},
    )
