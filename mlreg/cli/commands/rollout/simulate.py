"""`mlreg rollout simulate`."""

from __future__ import annotations

from pathlib import Path

from mlreg.cli.kit.parameters import option
from mlreg.cli.kit.values import moment, percent, whole_number
from mlreg.cli.options import NameOptions
from mlreg.cli.rollouts import DraftOptions, drafted
from mlreg.cli.session import SessionOptions, path
from mlreg.services.rollouts.simulation import Breaks


def simulate(
    session: SessionOptions,
    name: NameOptions,
    draft: DraftOptions,
    file: Path | None = option(
        "--file -f FILE", "Take the plan from this policy file rather than from the policy.", path
    ),
    since: str = option("--since TIME", "The log from here on: 30d, 2026-11-20.", default="30d"),
    fails: float = option("--fails PCT", "Try one that fails so much more.", percent, default=10),
    slower: float = option(
        "--slower PCT", "Try one that takes so much longer.", percent, default=100
    ),
    wrong: float = option(
        "--wrong PCT", "Try one that is wrong so much more.", percent, default=20
    ),
    runs: int = option("--runs N", "How often each is tried.", whole_number, default=50),
) -> None:
    """Try a plan on what was logged: false aborts, and what a break costs.

    Logged predictions go through the plan, each given to the version or to the baseline by chance.
    So the version is as good as what served: an abort of it is false. Then it is broken, and what
    it answers before the abort is counted.

    $ mlreg rollout simulate sentiment --since 7d
    $ mlreg rollout simulate sentiment -f mlreg.toml --fails 5 --runs 200
    """
    with session.open_to_read() as registry:
        if file is not None:
            draft = drafted(file, registry.traffic.current(name).model, draft)
        breaks = Breaks(fails / 100, slower / 100, wrong / 100)
        found = registry.rollouts.simulate(
            name, draft, since=moment(since) or 0, breaks=breaks, runs=runs
        )
        session.emit(found)
