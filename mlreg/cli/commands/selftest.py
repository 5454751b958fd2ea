"""`mlreg selftest`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import flag, option
from mlreg.cli.kit.values import whole_number
from mlreg.cli.session import SessionOptions
from mlreg.errors import CheckFailed


def selftest(
    session: SessionOptions,
    quick: bool = flag("--quick", "Fewer simulations, with wider bounds."),
    seed: int | None = option("--seed N", "Of the outcomes; else fixed.", whole_number),
) -> None:
    """Simulate tests through the real routing and store.

    In a temporary registry users are split and logged, and thousands of tests with and without an
    effect are replayed on them: is the split right and sticky, how often does a rule that peeks a
    hundred times find what is not there, and how often what is. Ends with exit code 10 where a
    figure is out of its bound.

    $ mlreg selftest --quick
    $ mlreg selftest --json
    """
    from mlreg import selftest as simulation
    from mlreg.cli.streams.progress import Progress

    with Progress("tests", total=simulation.units_done(is_quick=quick)) as progress:
        found = simulation.run(
            is_quick=quick,
            seed=simulation.SEED if seed is None else seed,
            progress=progress.advance,
        )
    session.emit(found)
    if not found.passed:
        failed = ", ".join(check.check for check in found.checks if not check.passed)
        raise CheckFailed(f"out of bounds: {failed}")
