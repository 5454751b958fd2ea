"""Probes: what a version must answer before it serves anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlreg.artifacts.runner import Failure
from mlreg.errors import MlregError
from mlreg.inputs import check_input
from mlreg.jsonable import dumps
from mlreg.names import safe
from mlreg.services.routes import ready
from mlreg.services.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlreg.entities.rollouts import Probe
    from mlreg.entities.versions import Version
    from mlreg.services.context import Context


def probe(context: Context, version: Version, probes: Sequence[Probe]) -> str:
    """Why a version must not serve; empty where it is intact, loads, and answers its probes.

    It runs the model, so no write must be open.
    """
    try:
        if version.digest is not None:
            context.objects.verify(version.digest)
        if version.trusted and (refusal := Trust(context).refusal(version)):
            raise refusal
        return _first_wrong(context, version, probes) if probes else ""
    except MlregError as error:
        return f"{version.ref} cannot serve: {error.message}"


def _first_wrong(context: Context, version: Version, probes: Sequence[Probe]) -> str:
    loadable = ready(version).loadable
    inputs = [check_input(loadable.signature, asked.input) for asked in probes]
    outcomes = context.runner.predict(loadable, inputs).outcomes
    for number, (asked, outcome) in enumerate(zip(probes, outcomes, strict=True), 1):
        place = f"probe {number} of {len(probes)}"
        if isinstance(outcome, Failure):
            return f"{version.ref} fails {place}: {outcome.message}"
        if asked.is_labelled and outcome.output != asked.label:
            wrong, right = safe(dumps(outcome.output)), safe(dumps(asked.label))
            return f"{version.ref} answers {place} with {wrong}, and {right} is right"
    return ""
