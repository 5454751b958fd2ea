"""Revisions: the split, its changes and its history."""

from __future__ import annotations

from collections.abc import Iterable

from mlreg.cli.views.blocks import Block, Cell, Column, Fields, Line, Table
from mlreg.cli.views.formats import NOTHING, traffic, when
from mlreg.entities.audit import Event
from mlreg.entities.documents import RevisionChange, RevisionList, RollbackList
from mlreg.entities.traffic import WHOLE, Arm, Choice, Drill, Revision, Rollback

_REASONS = {
    "only-arm": "it is the only version that serves",
    "sticky": "sticky: this user always gets it while this revision is in force",
    "no-unit": "sticky, but no user was named: this is one draw, the next may differ",
    "random": "random: this is one draw, the next may differ",
    "round-robin": "round-robin: this is one turn, the next may differ",
}


def split(revision: Revision) -> Iterable[Block]:
    """Who serves now."""
    if not revision.arms:
        yield Line(f"nothing serves {revision.model}; run: mlreg activate {revision.model}@VERSION")
        return
    yield Line(f"{revision.model}: revision {revision.number}, {_described(revision)}")
    rows = [
        (f"{revision.model}@{arm.version}", _share(arm, revision), arm.model_id)
        for arm in revision.arms
    ]
    yield Table([Column("version"), Column("traffic", right=True), Column("id")], rows)
    yield from _kept(revision)


def revision_change(change: RevisionChange) -> Iterable[Block]:
    """A split beside the one before it."""
    before: Revision | None = change["before"]
    after: Revision = change["after"]
    if not change["is_new"]:
        yield Line("nothing to do")
        yield from split(after)
        return
    would = "would be" if after.dry_run else "is"
    yield Line(f"{after.model} {would} at revision {after.number}: {_described(after)}")
    old = {arm.model_id: arm for arm in before.arms} if before else {}
    new = {arm.model_id: arm for arm in after.arms}
    rows = [
        (
            f"{after.model}@{arm.version}",
            _share(old.get(key), before),
            "→",
            _changed(old.get(key), new.get(key), after),
        )
        for key, arm in (old | new).items()
    ]
    columns = [
        Column("version"),
        Column("before", right=True),
        Column(""),
        Column("would be" if after.dry_run else "now", right=True),
    ]
    if rows:
        yield Table(columns, rows)
    yield from _kept(after)
    if not after.live:
        yield Line(f"nothing serves {after.model} any more", "yellow")
    yield from map(Line, _consequences(change["beside"]))
    if after.cause == "rollback" and before:
        yield from map(Line, _left(before, after))


def _consequences(events: Iterable[Event]) -> Iterable[str]:
    """What a change of traffic did beside it."""
    for event in events:
        before, after = event.before or {}, event.after or {}
        if event.action == "abtest stop":
            yield f"the test {event.object} is stopped"
        elif event.action == "alias":
            was = f", it was {before['version']}" if before.get("version") else ""
            yield f"the alias {after.get('alias')} is {after.get('version')} now{was}"


def _left(before: Revision, after: Revision) -> Iterable[str]:
    """What a rollback did not take back: the versions that go on with less of the traffic."""
    less = [
        arm
        for arm in after.live
        if (old := before.arm_of(arm.version_key)) and old.weight > arm.weight
    ]
    for arm in less:
        yield f"{arm.version} still gets {traffic(arm.traffic_percent)}"
    others = [arm for arm in after.live if arm not in less]
    if less and others:
        most = max(others, key=lambda arm: arm.weight).version
        yield f"everything back to the old one: mlreg rollback {after.model} --to {most}"


def _described(revision: Revision) -> str:
    return f"{revision.strategy}, by {revision.cause}" + (
        f" ({revision.reason})" if revision.reason else ""
    )


def _share(arm: Arm | None, revision: Revision | None) -> str:
    """The share of the requests that an arm answers: whoever is alone answers all."""
    if arm is None:
        return NOTHING
    if arm.role == "shadow":
        return "shadow"
    return traffic(100 if revision and revision.live == (arm,) else arm.traffic_percent)


def _kept(revision: Revision) -> Iterable[Line]:
    """The share that a version alone was given, which it has once another one joins."""
    for arm in revision.live if len(revision.live) == 1 else ():
        if arm.weight < WHOLE:
            yield Line(f"{arm.version} keeps {traffic(arm.traffic_percent)} when another one joins")


def _changed(old: Arm | None, new: Arm | None, after: Revision) -> Cell:
    less, more = (old.weight if old else 0), (new.weight if new else 0)
    style = "green" if more > less else "yellow" if more < less else ""
    return Cell(_share(new, after), style)


def revision_list(found: RevisionList) -> Iterable[Block]:
    """The history of a split."""
    name = found["model"]
    if not found["revisions"]:
        yield Line(f"{name} has had no traffic; run: mlreg activate {name}@VERSION")
        return
    columns = [
        Column("rev", right=True),
        Column("when (UTC)"),
        Column("cause"),
        Column("by"),
        Column("split", wraps=True),
        Column("reason", wraps=True),
    ]
    rows = [
        (str(r.number), when(r.created_at), r.cause, r.actor, _split(r), r.reason or NOTHING)
        for r in found["revisions"]
    ]
    yield Table(columns, rows)


def _split(revision: Revision) -> str:
    shares = [f"{arm.version} {_share(arm, revision)}" for arm in revision.arms]
    strategy = "" if revision.strategy == "random" else f" {revision.strategy}"
    return (", ".join(shares) or "nothing") + strategy


def rollback_list(found: RollbackList) -> Iterable[Block]:
    """Each rollback."""
    if not found["rollbacks"]:
        yield Line("no rollbacks yet")
        return
    columns = [
        Column("when (UTC)"),
        Column("from"),
        Column("to"),
        Column("revision", right=True),
        Column("by"),
        Column("reason", wraps=True),
    ]
    rows = [
        (
            when(r.time),
            r.from_split or NOTHING,
            r.to_split or NOTHING,
            str(r.revision),
            "mlreg" if r.automatic else r.actor,
            _why(r),
        )
        for r in found["rollbacks"]
    ]
    yield Table(columns, rows)


def _why(rollback: Rollback) -> str:
    """The reason that was given, and the finding if that is not the reason itself."""
    given, found = rollback.reason, rollback.finding
    if not found or found.startswith(given[:80]):
        return found or given or NOTHING
    return f"{given}: {found}"


def drill(found: Drill) -> Iterable[Block]:
    """What a rollback would go back to, and whether it can answer."""
    if found.to_split is None:
        yield Line(f"{found.model} has nothing to go back to", "yellow")
        return
    verdict = Cell("passed", "green") if found.passed else Cell("failed", "bold red")
    yield Fields([("drill", verdict), ("would serve", found.to_split)])
    columns = [
        Column("version"), Column("digest"), Column("input"), Column("answer", cut=True),
        Column("took", right=True), Column("", wraps=True),
    ]  # fmt: skip
    rows = [
        (
            tried.version,
            "fits" if tried.digest else NOTHING,
            tried.probe,
            NOTHING if tried.answer is None else str(tried.answer),
            f"{tried.seconds:.2f} s",
            tried.problem or tried.note or "",
        )
        for tried in found.versions
    ]
    yield Table(columns, rows)


def choice(choice: Choice) -> Iterable[Block]:
    """Which version answers, and why."""
    why = _REASONS.get(choice.arm_reason, choice.arm_reason)
    yield Fields(
        [
            ("version", f"{choice.model}@{choice.version}"),
            ("id", choice.model_id),
            ("revision", str(choice.revision)),
            ("why", why),
        ]
    )
