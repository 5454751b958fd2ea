"""How often `abtest` and `perf` find what is not there: many runs without effect.

Experiments are peeked at often; reports are asked for once.

    python -m scripts.calibrate --runs 1000

takes hours for all settings; `docs/statistics.md` has what it found.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys

from mlreg.selftest import late_labels, reports, shadows
from mlreg.selftest.experiments import PEEKS, SETTINGS, simulate

LEVEL, BOUND = 0.05, 0.06
# How many tests of rare revenue may be over at half of the units that they need.
EARLY = 0.01


def main() -> None:
    """Print for each setting how often something was found; end with 10 if that is too often."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--only", default="", help="settings whose name has this in it")
    given = parser.parse_args()
    error = math.sqrt(LEVEL * (1 - LEVEL) / given.runs)
    is_sound = True
    for name, setting in SETTINGS.items():
        if given.only in name:
            found = list(simulate(setting, given.runs))
            crossed, decided, naive, agrees, shown, over = (
                sum(column) / given.runs for column in zip(*found, strict=True)
            )
            is_sound &= agrees == 1
            is_sound &= setting.effect > 0 or crossed + shown <= BOUND + 3 * error
            is_sound &= not setting.spread or over <= EARLY + 3 * error
            print(
                f"{name:40} found {crossed:6.1%}  decided {decided:6.1%}  naive {naive:6.1%}"
                f"  only shown {shown:6.1%}  over {over:6.1%}"
                f"  (± {error:.1%}, {given.runs} runs of {PEEKS} peeks)",
                flush=True,
            )
    is_sound &= _are_reports_sound(given.only, given.runs, error)
    is_sound &= _are_shadows_sound(given.only, given.runs, error)
    is_sound &= _are_late_labels_sound(given.only, given.runs, error)
    sys.exit(0 if is_sound else 10)


def _are_reports_sound(only: str, runs: int, error: float) -> bool:
    is_sound = True
    for name, setting in reports.SETTINGS.items():
        if only in name:
            verdicts = [verdict for verdict, _ in reports.simulate(setting, runs)]
            ships, keeps = (verdicts.count(verdict) / runs for verdict in ("ship", "keep"))
            is_sound &= setting.effect > 0 or ships <= BOUND + 3 * error
            print(
                f"perf: {name:46} ship {ships:6.1%}  keep {keeps:6.1%}  ({runs} runs)", flush=True
            )
    return is_sound


def _are_shadows_sound(only: str, runs: int, error: float) -> bool:
    is_sound = True
    for name, setting in shadows.SETTINGS.items():
        if only in name:
            found = list(shadows.simulate(setting, runs))
            told = [run.labels for run in found if run.labels is not None]
            is_sound &= (
                setting.only_live != setting.only_shadow or len(told) / runs <= LEVEL + 3 * error
            )
            mean = f"after {statistics.mean(told):,.0f} labels" if told else ""
            print(
                f"shadow: {name:46} told {len(told) / runs:6.1%} {mean}  ({runs} runs)", flush=True
            )
    return is_sound


def _are_late_labels_sound(only: str, runs: int, error: float) -> bool:
    """Who ships where labels are late; missing ones may mislead if the sentence says so."""
    is_sound = True
    for name, setting in late_labels.SETTINGS.items():
        if only in name:
            found = list(late_labels.simulate(setting, runs))
            ships = sum(verdict == "ship" for verdict, _ in found) / runs
            blind = sum(verdict == "ship" and not is_told for verdict, is_told in found) / runs
            false = blind if setting.told < 1 else ships
            is_sound &= setting.effect > 0 or false <= BOUND + 3 * error
            print(f"labels: {name:58} ship {ships:6.1%}  ({runs} runs)", flush=True)
    return is_sound


if __name__ == "__main__":
    main()
