"""`mlreg abtest analyze`."""

from __future__ import annotations

from mlreg.cli.options import ExperimentArgument
from mlreg.cli.session import SessionOptions
from mlreg.errors import CheckFailed


def analyze(session: SessionOptions, test_id: ExperimentArgument) -> None:
    """Look at a test: what the evidence says, and what is still needed.

    Look as often as you like: the levels are made for it. A look that opens a new slot is
    recorded with its inputs; others only show. Ends with exit code 10 where a gate failed, so
    that no verdict can be trusted.

    $ mlreg abtest analyze tone
    $ mlreg abtest analyze tone --field verdict
    """
    with session.open() as registry:
        analysis = registry.experiments.analyze(test_id)
        session.emit(analysis)
    if analysis.verdict == "invalid":
        failed = ", ".join(gate.gate for gate in analysis.failed_gates) or "the design"
        raise CheckFailed(f"{test_id} has no valid verdict: {failed} failed")
