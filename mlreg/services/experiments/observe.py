"""Reading from the store what a look is computed from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlreg.clock import to_micros
from mlreg.entities.experiments import Experiment, Phase
from mlreg.evidence.observed import Matrix, Observed, PhaseSeen
from mlreg.metrics import SIZES, is_fed_back, measured
from mlreg.stats.joint_moments import moments_of
from mlreg.stats.phases import average_ratios
from mlreg.stats.ratios import ratio_estimate
from mlreg.store.summaries import Cell, Cells
from mlreg.tallies import CellCounts, Cuts, Marks, Sums, Tally

if TYPE_CHECKING:
    from mlreg.store.store import Transaction
    from mlreg.store.unit_sums import UnitSums

Place = tuple[int, int]  # a revision and a version


def observe(
    tx: Transaction,
    experiment: Experiment,
    *,
    at: int,
    marks: Marks,
    cuts: Cuts,
    window: int | None,
    tallies: Cells | None = None,
) -> Observed:
    """Read the sums of an experiment, whose folds reach up to `marks`.

    Args:
        tx: The transaction.
        experiment: With the phases to read.
        at: The moment, for what depends on time.
        marks: How far it is folded.
        cuts: Of latency quantiles, as they were known at that moment.
        window: The age in microseconds at which labels count; None: it is not known yet.
        tallies: Latencies up to the marks; None takes the summaries, which must reach them.
    """
    units, design, key = tx.experiments.units, experiment.design, experiment.key
    arms, counts = tx.experiments.arm_keys(key), units.counts(key)
    torn = units.torn(key, design.metric.name) if design.unit == "user" else {}
    phases = tuple(_seen(phase, arms, counts, torn) for phase in experiment.phases)
    started, revisions = experiment.started_at, [phase.revision for phase in phases]
    quantiles = [metric.name for metric in design.metrics if metric.kind == "quantile"]
    sums = {
        name: _by_phase(units.sums(key, name), revisions, arms)
        for name in measured(design)
        if cuts or name not in quantiles
    }
    has_ties = len(phases) > 1 and design.unit == "user"
    users, double, excluded = units.participants(key)
    is_added_up = design.metric.kind != "quantile"  # by user
    assigned = {place: sums for place, (_, sums) in torn.items()} if is_added_up else {}
    return Observed(
        at=at,
        started_at=to_micros(started) if started else at,
        predictions=marks.predictions,
        feedback=marks.feedback,
        exposure=(users, sum(sum(phase.alone) for phase in phases), double, excluded),
        phases=phases,
        sums=sums,
        spreads=_spreads(units, key, sums, revisions, arms) if has_ties else {},
        histograms=_histograms(tx, revisions, arms, tallies) if quantiles else (),
        ripe=marks.ripe,
        cuts=cuts,
        assigned=_by_phase(assigned, revisions, arms) if assigned else (),
        window=window if any(map(is_fed_back, sums)) else None,
    )


def _seen(
    phase: Phase,
    arms: list[int],
    counts: Mapping[Place, CellCounts],
    torn: Mapping[Place, tuple[int, Sums]],
) -> PhaseSeen:
    own = [counts.get((phase.revision, arm), CellCounts()) for arm in arms]
    firsts = tuple(torn.get((phase.revision, arm), (0,))[0] for arm in arms)
    return PhaseSeen(
        revision=phase.revision,
        started_at=to_micros(phase.started_at),
        weights=phase.weights,
        users=tuple(cell.users for cell in own),
        alone=tuple(cell.alone for cell in own),
        rows=tuple(cell.requests for cell in own),
        torn=firsts if any(firsts) else (),
    )


def _by_phase(found: dict[tuple[int, int], Sums], revisions: list[int], arms: list[int]) -> Matrix:
    return tuple(
        tuple(tuple(found.get((revision, arm), Sums())) for arm in arms) for revision in revisions
    )


def _spreads(
    units: UnitSums,
    key: int,
    sums: dict[str, Matrix],
    revisions: list[int],
    arms: list[int],
) -> dict[str, Matrix]:
    """For each measure and treatment the variances that tie phases together."""
    return {
        name: tuple(
            units.spread(key, name, _cells(table, revisions, arms, place))
            for place in range(1, len(arms))
        )
        for name, table in sums.items()
        if not name.startswith(SIZES)
    }


def _cells(
    table: Matrix, revisions: list[int], arms: list[int], place: int
) -> list[tuple[int, int, float, float, float]]:
    """For each revision and arm its rate and what a unit's distance from it weighs."""
    pairs = [(moments_of(row[0]), moments_of(row[place])) for row in table]
    weights = average_ratios(pairs, is_share=False).weights
    cells = []
    for revision, pair, weight in zip(revisions, pairs, weights, strict=True):
        if not weight:
            continue
        for side, version in ((0, arms[0]), (1, arms[place])):
            scale = weight / (pair[side].n * pair[side].x.mean)
            rate = ratio_estimate(pair[side]).value
            own = (scale, 0.0) if side == 0 else (0.0, scale)
            cells.append((revision, version, rate, *own))
    return cells


def _histograms(
    tx: Transaction, revisions: list[int], arms: list[int], tallies: Cells | None
) -> Matrix:
    """The latencies of each arm in each phase."""
    if tallies is None:
        tallies = {}
        for arm in arms:
            tallies.update(tx.summaries.all_time(arm))

    def histogram(revision: int, arm: int) -> tuple[tuple[int, int], ...]:
        return tuple(sorted(tallies.get(Cell(arm, revision, 0), Tally()).histogram.items()))

    return tuple(tuple(histogram(revision, arm) for arm in arms) for revision in revisions)
