"""What may go wrong next: trust that does not count, walls that do not stand, no room to write."""

from __future__ import annotations

from mlreg.clock import HOUR, SECOND, format_duration
from mlreg.errors import MlregError
from mlreg.names import safe
from mlreg.services.checks.findings import Examination, Problems, shown
from mlreg.services.policy_forms import thresholds_of
from mlreg.services.rollbacks import DRILL
from mlreg.store.engines.health import page_problems

# Without a tick for so long, nobody seems to make any.
_LATE = HOUR


def damage(exam: Examination, found: Problems) -> str:
    """What stopped all writes; where the pages are sound they may go on."""
    store = exam.context.store
    reason = store.damage()
    if reason is None:
        return "no program has found any"
    with store.read() as tx:
        is_sound = not page_problems(tx.connection)
    if is_sound:
        store.clear_damage()
        reason = f"nothing was written since {reason}; it is sound now, so writes may go on"
    found.add(reason, is_possible=is_sound)
    return ""


def disk(exam: Examination, found: Problems) -> str:
    """Whether a rollback would go through on a full disk."""
    if problem := exam.context.store.disk_problem():
        found.add(problem, is_possible=True)
    return "there is a reserve for a rollback on a full disk"


def ticks(exam: Examination, found: Problems) -> str:
    """Whether time moves where a policy or a rollout waits for it."""
    with exam.context.store.read() as tx:
        waiting = [policy.model for _, policy in tx.decisions.in_force() if thresholds_of(policy)]
        waiting += [rollout.model for rollout in tx.rollouts.open()]
        last, now = tx.decisions.last_tick(), exam.context.clock()
    if last.at is None:
        said = "none ever came"
    else:
        said = f"the last one came {format_duration((now - last.at) / SECOND)} ago"
    if waiting and (last.at is None or now - last.at > _LATE):
        names = ", ".join(safe(name) for name in dict.fromkeys(waiting))
        found.add(f"{names} needs ticks, and {said}: have cron run mlreg tick", is_possible=True)
    return said if waiting else "nothing waits for a tick"


def drills(exam: Examination, found: Problems) -> str:
    """When it was last tried what a rollback goes back to, for each model that has served."""
    told = []
    with exam.context.store.read() as tx:
        for name in tx.models.names():
            model = tx.models.get(name)
            last = tx.events.newest(DRILL, model.key)
            if last is None:
                told += [f"{safe(name)}: never"] if tx.traffic.number(model.key) > 1 else []
                continue
            told.append(f"{safe(name)}: {last.time:%Y-%m-%d %H:%M} UTC")
            if not (last.after or {}).get("passed"):
                found.add(
                    f"{safe(name)}: the drill of {last.time:%Y-%m-%d %H:%M} UTC failed: "
                    f"{shown((last.after or {}).get('problem'))}; "
                    f"try again: mlreg rollback {safe(name)} --drill",
                    is_possible=True,
                )
    return "the last rollback that was tried: " + "; ".join(told) if told else "none is needed yet"


def trust(exam: Examination, found: Problems) -> str:
    """Which trusted versions may run here, and whether their seals fit."""
    from mlreg.services.trust import Trust

    for version in Trust(exam.context).list().versions:
        if version.standing == "broken":
            found.add(f"{version.ref}: the seal does not fit")
        elif not version.counts:
            found.add(
                f"{version.ref} cannot run here, its trust is {version.standing}: "
                "see mlreg trust list",
                is_possible=True,
            )
    for name in exam.context.settings.unheard:
        found.add(f"config.toml sets {name}, which no registry can allow", is_possible=True)
    return "what may run any code has trust that counts here"


def confinement(exam: Examination, found: Problems) -> str:
    """What stands is found out by a process that is confined, and then reaches for more."""
    from mlreg.artifacts.confinement.measure import measure

    memory = int(exam.context.settings.number("memory_limit_mb")) << 20
    try:
        proof = measure(memory)
    except (MlregError, OSError) as error:
        found.add(f"it cannot be tried: {error}", is_possible=True)
        return ""
    missing = [f"no {name}: {wall.detail}" for name, wall in proof.walls.items() if wall.detail]
    missing += [f"an untrusted model can {deed}" for deed in proof.reached]
    if missing:
        found.add("; ".join(missing), is_possible=True)
    return f"untrusted models are behind {', '.join(proof.walls)}"
