"""From what was asked for to a plan: what a rollout does when nothing else is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

from mlreg.clock import parse_duration
from mlreg.entities.rollouts import KINDS, Draft, Kind, Plan
from mlreg.errors import InvalidInput
from mlreg.evidence.phased import read_check
from mlreg.metrics import find
from mlreg.names import safe
from mlreg.services.splits import basis_points

STEPS = tuple(float(percent) for percent in range(10, 101, 10))
_MOST_CHECKS, _MOST_STEPS, _MOST_PROBES = 20, 100, 1000


def from_policy(section: Mapping[str, Any]) -> Draft:
    """What the `rollout` section of a policy asks for.

    Raises:
        InvalidInput: It has a key that there is not, or a value of another kind.
    """
    kinds: dict[str, tuple[type, ...]] = {
        "strategy": (str,), "interval": (str,), "bake": (str,), "hold_at_most": (str,),
        "on_inconclusive": (str,), "metric": (str,), "min_samples": (int,), "failures": (int,),
        "steps": (list, tuple), "approve": (list, tuple), "checks": (list, tuple),
        "approvers": (list, tuple),
    }  # fmt: skip
    for key, value in section.items():
        if key not in kinds:
            known = ", ".join(sorted(kinds))
            raise InvalidInput(f"a rollout has no {safe(key)}", hint=f"there is {known}")
        if not isinstance(value, kinds[key]) or isinstance(value, bool):
            raise InvalidInput(f"{key} of a rollout is not of the right kind")
        wanted = str if key in ("checks", "approvers") else (int, float)
        if isinstance(value, list | tuple) and not all(isinstance(item, wanted) for item in value):
            raise InvalidInput(f"{key} of a rollout has an item that is not of the right kind")
    return Draft(**section)


def over(draft: Draft, other: Draft) -> Draft:
    """A draft that leaves to another one what it does not say itself."""
    said = {f.name: getattr(draft, f.name) for f in fields(draft)}
    return replace(other, **{name: value for name, value in said.items() if value is not None})


def make_plan(draft: Draft, usual_checks: Sequence[str] = ()) -> Plan:
    """The plan that a draft amounts to.

    Args:
        draft: What is asked for.
        usual_checks: What is checked where nothing is said.

    Raises:
        InvalidInput: It makes no sense.
    """
    kind = draft.strategy or "canary"
    if kind not in KINDS:
        raise InvalidInput(f"strategy must be one of {', '.join(KINDS)}, not {safe(str(kind))}")
    steps = _steps(kind, draft.steps)
    said: dict[str, Any] = {
        "strategy": kind,
        "steps": steps,
        "interval_seconds": _seconds("interval", draft.interval),
        "bake_seconds": _seconds("bake", draft.bake),
        "hold_at_most_seconds": _seconds("hold-at-most", draft.hold_at_most),
        "min_samples": _at_least_one("min-samples", draft.min_samples),
        "failures": _at_least_one("failures", draft.failures),
        "checks": _checks(kind, usual_checks if draft.checks is None else draft.checks),
        "approve": _approve(draft.approve or (), steps),
        "approvers": tuple(draft.approvers or ()),
        "probes": tuple(draft.probes or ()),
        "on_inconclusive": draft.on_inconclusive,
        "metric": draft.metric,
    }
    plan = Plan(**{name: value for name, value in said.items() if value is not None})
    _check(plan)
    return plan


def _check(plan: Plan) -> None:
    if plan.on_inconclusive not in ("hold", "advance", "abort"):
        raise InvalidInput(
            f"on-inconclusive is hold, advance or abort, not {safe(str(plan.on_inconclusive))}"
        )
    if plan.hold_at_most_seconds == 0:
        raise InvalidInput("hold-at-most is no time at all", hint="to end at once: "
                           "--on-inconclusive abort")  # fmt: skip
    if plan.approvers and not plan.approve:
        raise InvalidInput("there are approvers, but no step waits for approval")
    if len(plan.probes) > _MOST_PROBES:
        raise InvalidInput(f"there are at most {_MOST_PROBES:,} probes")
    if plan.probes and plan.strategy != "blue-green":
        raise InvalidInput("probes are asked before the switch of --strategy blue-green")
    if plan.strategy == "ab" and plan.steps[0] in plan.approve:
        raise InvalidInput("an A/B test needs no approval; what follows it may: --approve 100")
    metric = find(plan.metric)
    if metric is None or metric.sums is None:
        raise InvalidInput(f"an A/B test cannot be decided by {safe(plan.metric)}")


def _steps(kind: Kind, given: Sequence[float] | None) -> tuple[float, ...]:
    if kind in ("blue-green", "replace"):
        if given is not None and tuple(given) != (100,):
            raise InvalidInput(f"{kind} has one step, of 100 %", hint="for others: canary")
        return (100.0,)
    usual = STEPS if kind == "canary" else (50.0, 100.0)
    # As traffic has them, in basis points: steps that differ by less are one.
    steps = usual if given is None else tuple(basis_points(percent) / 100 for percent in given)
    if 0 in steps:
        raise InvalidInput("a step of 0 % is none")
    if any(later <= sooner for sooner, later in pairwise(steps)):
        raise InvalidInput(f"the steps do not rise: {_listed(steps)}", hint="like 5,25,50,100")
    if not steps or steps[-1] != 100:
        raise InvalidInput(f"the last step is 100 %, not {_listed(steps[-1:])}",
                           hint=f"like {_listed((*steps, 100))}")  # fmt: skip
    if len(steps) > _MOST_STEPS or (kind == "ab" and len(steps) != 2):
        most = "one share, and 100" if kind == "ab" else f"at most {_MOST_STEPS} steps"
        raise InvalidInput(f"{kind} has {most}")
    return steps


def _checks(kind: Kind, texts: Sequence[str]) -> tuple[str, ...]:
    conditions = [read_check(text) for text in texts]
    checks = tuple(str(condition) for condition in conditions)
    if len(checks) > _MOST_CHECKS:
        raise InvalidInput(f"a rollout has at most {_MOST_CHECKS} checks")
    twice = next((text for text in checks if checks.count(text) > 1), None)
    if twice:
        raise InvalidInput(f"the check {safe(twice)} stands there twice")
    for condition in conditions:
        if condition.reference == "baseline" and kind in ("blue-green", "replace"):
            raise InvalidInput(
                f"{safe(str(condition))}: with {kind} nothing answers beside the version",
                hint="give a limit, such as error_rate <= 5% sure",
            )
    return checks


def _approve(given: Sequence[float], steps: Sequence[float]) -> tuple[float, ...]:
    unknown = [percent for percent in given if percent not in steps]
    if unknown:
        raise InvalidInput(
            f"there is no step of {_listed(unknown)} % to approve",
            hint=f"there is {_listed(steps)}",
        )
    return tuple(float(percent) for percent in given)


def _seconds(what: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return 0.0 if text == "0" else parse_duration(text).total_seconds()
    except InvalidInput as error:
        raise InvalidInput(f"{what}: {error.message}", hint=error.hint) from None


def _at_least_one(what: str, number: int | None) -> int | None:
    if number is not None and number < 1:
        raise InvalidInput(f"{what} is at least 1: nothing goes on without data")
    return number


def _listed(steps: Sequence[float]) -> str:
    return ",".join(f"{percent:g}" for percent in steps)
