"""Whether those who are to be told of what happens are told."""

from __future__ import annotations

from mlreg.clock import HOUR, to_micros
from mlreg.names import counted, safe
from mlreg.services.checks.findings import Examination, Problems
from mlreg.services.hooks.patterns import is_told
from mlreg.services.hooks.records import hook_record
from mlreg.store.hooks import HookRow

_MOST_EVENTS = 1000


def hooks(exam: Examination, found: Problems) -> str:
    """Which hooks are not delivered here, were given up, or wait for somebody to deliver."""
    with exam.context.store.read() as tx:
        rows, counts = tx.hooks.all(), tx.hooks.counts()
    for row in rows:
        hook, name = hook_record(row, counts), safe(row.name)
        if hook.standing == "broken":
            found.add(f"{name} was changed after it was signed: remove it, and add it anew")
        elif not hook.counts:
            how = f"mlreg trust accept --from {safe(hook.key)}"
            found.add(f"{name} is not delivered by this user: {how}", is_possible=True)
        if hook.dead:
            gone = counted(hook.dead, "message")
            how = f"mlreg hook deliveries {name} --failed"
            found.add(f"{name} did not take {gone}, given up: {how}", is_possible=True)
        if hook.counts and _is_behind(exam, row):
            found.add(f"{name} has waited for an hour: does mlreg tick run?", is_possible=True)
    return f"{counted(len(rows), 'hook')} told of what happens"


def _is_behind(exam: Examination, hook: HookRow) -> bool:
    """Whether something of an hour ago was not even noted to be told."""
    with exam.context.store.read() as tx:
        events = tx.events.after(hook.seen, limit=_MOST_EVENTS)
    now = exam.context.clock()
    return any(is_told(hook, e) and to_micros(e.time) < now - HOUR for e in events)
