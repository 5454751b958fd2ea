"""Hooks and their deliveries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlreg.cli.views.blocks import BAD, GOOD, Block, Cell, Column, Fields, Line, Table
from mlreg.cli.views.formats import NOTHING, joined, when
from mlreg.entities.documents import DeliveryList, HookList
from mlreg.entities.hooks import Delivery, DeliveryReport, DeliveryState, Hook, HookTest
from mlreg.entities.trust import Standing
from mlreg.names import counted

_DELIVERED: dict[Standing, str] = {
    "own": "yes",
    "key": "yes: by a key that you accepted",
    "unknown": "no: by a key that you have not accepted",
    "broken": "no: the signature does not fit",
}
_STYLE: dict[DeliveryState, str] = {"pending": "yellow", "delivered": "", "dead": "bold red"}


def hook_list(found: HookList) -> Iterable[Block]:
    """All hooks."""
    hooks: Sequence[Hook] = found["hooks"]
    if not hooks:
        yield Line("no hooks: nobody is told of what happens")
        return
    columns = [
        Column("hook"),
        Column("events", wraps=True),
        Column("model"),
        Column("tells", wraps=True),
        Column("by you", wraps=True),
        Column("told", right=True),
        Column("waiting", right=True),
        Column("dead", right=True),
    ]
    yield Table(columns, [_row(hook) for hook in hooks])


def _row(hook: Hook) -> list[str | Cell]:
    signed = f", signed by {hook.secret_env}" if hook.secret_env else ""
    return [
        hook.name,
        joined(hook.events),
        hook.model or "all",
        f"{hook.kind} {hook.target}{signed}",
        Cell(_DELIVERED[hook.standing], "" if hook.counts else "yellow"),
        str(hook.delivered),
        str(hook.pending),
        Cell(str(hook.dead), "bold red" if hook.dead else ""),
    ]


def delivery_list(found: DeliveryList) -> Iterable[Block]:
    """Deliveries."""
    if found["deliveries"]:
        yield _table(found["deliveries"])
    else:
        yield Line("no deliveries")


def delivery_report(report: DeliveryReport) -> Iterable[Block]:
    """What a turn did."""
    if report.deliveries:
        yield _table(report.deliveries)
    yield Line(_sentence(report))
    if report.not_run:
        names = ", ".join(report.not_run)
        yield Line(f"not delivered by you: {names}; see mlreg hook list", "yellow")


def _sentence(report: DeliveryReport) -> str:
    if report.dry_run:
        return f"{counted(len(report.deliveries), 'message')} would be sent"
    if not report.deliveries and not report.waiting:
        return "nothing is due"
    parts = [f"{report.delivered} delivered", f"{report.failed} to be tried again"]
    return ", ".join([*parts, f"{report.dead} given up", f"{report.waiting} waiting"])


def hook_test(found: HookTest) -> Iterable[Block]:
    """How a hook took a test."""
    yield Fields(
        [
            ("hook", found.hook),
            ("told", GOOD if found.succeeded else BAD),
            ("outcome", found.outcome),
        ]
    )
    for line in found.answer.splitlines():
        yield Line(f"  {line}", "dim")


def _table(deliveries: Iterable[Delivery]) -> Table:
    columns = [
        Column("id", right=True),
        Column("hook"),
        Column("event", right=True),
        Column("type"),
        Column("state"),
        Column("tries", right=True),
        Column("outcome", wraps=True),
        Column("next (UTC)", wraps=True),
    ]
    rows = [
        (
            str(one.delivery_id or NOTHING),
            one.hook,
            str(one.event),
            one.type,
            Cell(one.state, _STYLE[one.state]),
            str(one.attempts),
            one.outcome or NOTHING,
            when(one.next_attempt_at) if one.next_attempt_at else NOTHING,
        )
        for one in deliveries
    ]
    return Table(columns, rows)
