"""For cron: promote the candidate once the evidence favours it, undo nothing, never guess.

    15 3 * * *  cd /srv/models && python nightly.py sentiment

Ends with 0 when nothing needs a person, and with 1 when the report advises against a version that
has traffic, so that a monitor can tell. Who looks each night until a difference shows will find
some that are not there; so the candidate has to win twice, in two weeks that share no prediction.
"""

from __future__ import annotations

import sys
import time
from itertools import pairwise

import mlreg
from mlreg.entities.reports import PerformanceReport

DAY = 24 * 3600 * 1_000_000


def main(name: str) -> int:
    """Report, and promote where two windows agree."""
    with mlreg.open(actor="nightly") as registry:
        revision = registry.traffic.current(name)
        now = time.time_ns() // 1000
        edges = [now - 14 * DAY, now - 7 * DAY, now]
        reports = [
            registry.performance.report(name, since=since, until=until)
            for since, until in pairwise(edges)
        ]
        for report in reports:
            print(f"{report.since:%F} to {report.until:%F}: {report.recommendation}")
        if any(report.verdict == "keep" for report in reports):
            return 1
        winner = agreed(reports)
        if winner and len(revision.live) > 1:
            # If somebody moves the traffic meanwhile, their decision stands and this one fails.
            change = mlreg.Change(
                reason=reports[-1].recommendation, expect_revision=revision.number
            )
            registry.traffic.promote(winner, change=change)
            print(f"promoted {winner}")
    return 0


def agreed(reports: list[PerformanceReport]) -> str | None:
    """The id of the version that every report says to ship."""
    best = {report.best if report.verdict == "ship" else None for report in reports}
    return best.pop() if len(best) == 1 else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
