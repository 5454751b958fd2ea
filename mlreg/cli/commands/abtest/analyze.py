"""`mlreg abtest analyze`."""

from __future__ import annotations

from mlreg.cli.options import TEST
from mlreg.cli.session import SessionOptions
from mlreg.errors import CheckFailed, Inconclusive


def analyze(session: SessionOptions, test_id: str = TEST) -> None:
    """Look at a test: what the evidence says, and what is still needed.

    Look as often as you like: the levels are made for it. A look that opens a new slot is
    recorded with its inputs; others only show. Ends with exit code 10 where a gate says that the
    numbers cannot be trusted, and with 11 where it is too early for a verdict, or
    over without one.

    $ mlreg abtest analyze tone
    $ mlreg abtest analyze tone --field verdict
    """
    with session.open_to_read() as registry:
        analysis = registry.experiments.analyze(test_id)
        session.emit(analysis)
    names = ", ".join(gate.gate for gate in analysis.failed_gates)
    if analysis.verdict == "invalid":
        raise CheckFailed(f"{test_id} cannot be trusted: {names} failed")
    if analysis.verdict == "inconclusive":
        raise Inconclusive(f"{test_id} is over and undecided")
    if analysis.verdict == "continue" and names:
        raise Inconclusive(f"{test_id} has no verdict yet: {names} not reached")
