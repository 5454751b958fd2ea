"""Which versions of a model ran together, and what is known of their users."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mlreg.clock import format_duration, to_micros
from mlreg.entities.predictions import LIVE
from mlreg.entities.traffic import CHAMPION
from mlreg.evidence.reports import compared_metrics, split_problem
from mlreg.evidence.together import Clustered, Together, clustered
from mlreg.metrics import COVERAGE
from mlreg.services.windows import Window
from mlreg.store.predictions import DISORDER
from mlreg.store.summaries import Cells
from mlreg.store.users import Stretch
from mlreg.tallies import Tally

if TYPE_CHECKING:
    from mlreg.entities.traffic import Revision
    from mlreg.entities.versions import Version
    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction

_MOST_REVISIONS = 200
# Rows of the log that a report reads to count users, in less than a second: summaries have none.
MOST_ROWS = 50_000


def usual_baseline(known: Iterable[Version], compared: Iterable[Version]) -> Version | None:
    """What versions are compared with where nobody says: the champion, else the oldest of them."""
    champion = next((v for v in known if CHAMPION in v.aliases), None)
    return champion or min(compared, key=lambda v: v.key, default=None)


class Split(NamedTuple):
    """A revision in which several versions answered.

    Attributes:
        number: Its number.
        revision: Itself; None where the log has it and the history has not.
        tallies: What its versions did, by key.
    """

    number: int
    revision: Revision | None
    tallies: Mapping[int, Tally]

    @property
    def is_by_user(self) -> bool:
        """Whether it split users, and not requests."""
        return self.revision is not None and self.revision.strategy == "sticky"


def splits(tx: Transaction, model: ModelRow, cells: Cells) -> list[Split]:
    """The newest revisions in which several versions answered, the newest first."""
    tallies: dict[int, dict[int, Tally]] = defaultdict(dict)
    for cell, tally in cells.items():
        if cell.role == LIVE and tally.requests:
            tallies[cell.revision][cell.version] = tally
    shared = [number for number, found in tallies.items() if len(found) > 1]
    newest = sorted(shared, reverse=True)[:_MOST_REVISIONS]
    return [Split(n, tx.traffic.find(model, n), tallies[n]) for n in newest]


def ran_together(
    tx: Transaction,
    model: ModelRow,
    found: Sequence[Split],
    seen: Sequence[Version],
    base: Version,
    window: Window,
) -> dict[str, Together]:
    """Each candidate that ran in one revision with the baseline, by its version."""
    sides: dict[str, Together] = {}
    for version in seen:
        both = [s for s in found if {base.key, version.key} <= s.tallies.keys()]
        if version.key == base.key or not both:
            continue
        phases = tuple((s.tallies[base.key], s.tallies[version.key]) for s in both)
        side = Together(phases)
        if any(s.is_by_user for s in both):
            users = _users(tx, model, side, both, (base.key, version.key), window)
            side = Together(phases, users, is_counted=users is not None)
        sides[version.version] = side
    return sides


def _users(
    tx: Transaction,
    model: ModelRow,
    side: Together,
    both: Sequence[Split],
    versions: tuple[int, int],
    window: Window,
) -> Clustered | None:
    """What users do to the errors; None if that takes too many rows of the log."""
    numbers = [s.number for s in both]
    began = min(to_micros(s.revision.created_at) for s in both if s.revision is not None)
    after = tx.traffic.find(model, max(numbers) + 1)
    first = tx.predictions.first_id(max(window.since, began))
    ended = window.until if after is None else to_micros(after.created_at) + DISORDER
    last = tx.predictions.first_id(min(window.until, ended) + 2 * DISORDER)
    if last - first >= MOST_ROWS:
        return None
    measures = [m.name for m in compared_metrics(*side.arms, None)]
    stretch = Stretch(first, last, window.since, window.until, numbers, versions)
    sums = tx.users.sums(stretch, [*measures, COVERAGE])
    return clustered(sums, *versions)


def off_split(found: Sequence[Split], known: set[int]) -> str | None:
    """Why the log contradicts the weights it was routed by; None if it does not.

    A revision whose predictions are not split as it says has lost some of them, and what is left
    of an arm may not be like what was lost. Sticky revisions are passed over: they split users,
    who differ in how much they ask. So are revisions with a version that is deleted: its
    predictions are not among the cells.
    """
    checked = [(s.revision, s.tallies) for s in found if s.revision and len(s.revision.live) > 1]
    for revision, tallies in checked:
        if revision.strategy == "sticky":
            continue
        if all(arm.version_key in known for arm in revision.live):
            tally = [tallies.get(arm.version_key) for arm in revision.live]
            observed = [one.requests if one else 0 for one in tally]
            problem = split_problem(revision, observed, checks=len(checked))
            if problem:
                return problem
    return None


def assumptions(
    together: Mapping[str, Together], live: Mapping[str, Tally], baseline: str
) -> tuple[str, ...]:
    """What the comparisons rest on, and what they leave out."""
    told = []
    for candidate, side in together.items():
        within = sum(arm.requests for arm in side.arms)
        whole = live[baseline].requests + live[candidate].requests
        if within < whole:
            told.append(
                f"{candidate} is compared with {baseline} by the {within:,} of their {whole:,} "
                "predictions from revisions that split traffic between them"
            )
        if side.due is not None:
            told.append(
                f"feedback is seen to take up to {format_duration(side.due_after)}: accuracies, "
                f"errors and values of {candidate} are compared by predictions that are older"
            )
        if side.users is not None:
            told.append(
                f"users were split, and errors are counted by user ({side.users.units:,} or more "
                f"of {baseline} and of {candidate})"
            )
    apart = [v for v in live if v != baseline and v not in together]
    if apart and together:
        told.append(f"not comparable with {baseline}: {', '.join(apart)} (at other times)")
    return tuple(told)
