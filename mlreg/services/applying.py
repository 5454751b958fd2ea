"""Applying a policy file: policies and traffic of several models in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlreg.clock import from_micros
from mlreg.entities.policies import Applied, PolicyDifference
from mlreg.entities.traffic import Change
from mlreg.errors import InvalidInput
from mlreg.services.policies import put_policy
from mlreg.services.policy_diffs import differences, split_difference
from mlreg.services.policy_files import Wanted, read_policies

if TYPE_CHECKING:
    from mlreg.services.context import Act, Context
    from mlreg.services.traffic import Traffic

_NO_CHANGE = Change()


def apply_file(
    context: Context,
    traffic: Traffic,
    text: str,
    *,
    source: str,
    expect_policy: int | None = None,
    change: Change = _NO_CHANGE,
) -> Applied:
    """Have policies and traffic be as a file says. Models that it does not name stay as they are.

    Args:
        context: The registry.
        traffic: Its traffic.
        text: The file.
        source: What the file is called in errors.
        expect_policy: The number of the policy that must be in force, if the file names one model.
        change: Why and by whom; with `dry_run` it only says what would change.

    Raises:
        InvalidInput: The file says something that cannot be.
        NotFound: It names a model or version that there is not.
        Conflict: The traffic is held by an experiment or a rollout, or a version cannot serve.
        PolicyMoved: Another policy is in force.
    """
    wanted = read_policies(text, source)
    if expect_policy is not None and len(wanted) != 1:
        raise InvalidInput(f"a policy can be expected of one model; the file names {len(wanted)}")
    with context.acting(change, urgent=False) as act:
        found = tuple(_one(act, traffic, n, w, expect_policy) for n, w in wanted.items())
        return Applied(time=from_micros(act.at), models=found, dry_run=change.dry_run)


def _one(
    act: Act, traffic: Traffic, name: str, wanted: Wanted, expected: int | None
) -> PolicyDifference:
    model = act.tx.models.get(name)
    before = act.tx.decisions.policy(model)
    assert before is not None  # for the type checker: without a number there is one
    after = put_policy(act, model, wanted.document, expected=expected)
    lines, revision = differences(before.document, after.document), None
    if wanted.split is not None:
        now = act.tx.traffic.current(model)
        then = traffic.route_within(act, name, wanted.split, strategy=wanted.strategy)
        lines += split_difference(now, then)
        revision = then.number if then.number != now.number else None
    return PolicyDifference(
        model=name, before=before.number, after=after.number, lines=lines, revision=revision
    )
