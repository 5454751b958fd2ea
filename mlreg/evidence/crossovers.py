"""Users whom one phase sent to several arms: how many, whom they met first, and what if they count.

They are left out of the comparison, and with them what drove them from one arm to another: a client
that asks the control when the treatment fails takes the failures out with it.
"""

from __future__ import annotations

from dataclasses import replace

from mlreg.entities.analyses import Gate, MetricResult
from mlreg.entities.experiments import Design
from mlreg.evidence.observed import Observed, PhaseSeen
from mlreg.evidence.reports import format_p
from mlreg.evidence.results import at_any_time
from mlreg.evidence.seen import Table, compared
from mlreg.evidence.verdict import CROSSOVERS
from mlreg.stats.srm import THRESHOLD as ALARM
from mlreg.stats.srm import Epoch, sequential_sample_ratio
from mlreg.tallies import Sums

# Shared devices and lost cookies make a few; sticky routing itself makes none.
TOLERATED = 0.01
# Of few users who are lost gross differences are what matters.
CONCENTRATION = 10.0


def crossovers(design: Design, observed: Observed) -> Gate | None:
    """Whether users who met several arms are few, and as many in each arm; None without users."""
    if design.unit != "user":
        return None
    p = min(1.0, min(map(_uneven, observed.phases)) * len(observed.phases), _many(observed))
    torn = [sum(column) for column in zip(*map(_torn, observed.phases), strict=True)]
    firsts = ", ".join(
        f"{variant.variant} first: {count:,}"
        for count, variant in zip(torn, design.variants, strict=True)
    )
    return Gate(
        gate=CROSSOVERS,
        passed=p >= ALARM,
        effect="invalid",
        detail=f"{sum(torn):,} of {observed.exposure[0]:,} users met several arms within a phase "
        f"and are left out ({firsts}; {format_p(p)})"
        if any(torn)
        else "no user met several arms within a phase",
    )


def _torn(phase: PhaseSeen) -> tuple[int, ...]:
    return phase.torn or (0,) * len(phase.users)


def _uneven(phase: PhaseSeen) -> float:
    """That the arms lose as many: who is lost met each arm first as often as the weights say."""
    counts = _torn(phase)
    if not any(counts):
        return 1.0
    weights = tuple(float(weight) for weight in phase.weights)
    epoch = Epoch(counts, weights)
    return sequential_sample_ratio(epoch, concentration=CONCENTRATION).p_value


def _many(observed: Observed) -> float:
    """That no more are lost than is tolerated, at all looks together (Lindon & Malek 2022)."""
    lost = sum(sum(_torn(phase)) for phase in observed.phases)
    users = sum(sum(phase.users) for phase in observed.phases) - lost
    if lost <= TOLERATED * users:
        return 1.0
    return sequential_sample_ratio(Epoch((lost, users - lost), (TOLERATED, 1 - TOLERATED))).p_value


def as_assigned(design: Design, observed: Observed, table: Table) -> tuple[MetricResult, ...]:
    """The metric that decides with all users, each with the arm met first (intention to treat).

    Nothing where nobody met several arms, and for quantiles, which cannot be added up by user.
    """
    name = design.metric.name
    if not any(Sums(*sums).n for row in observed.assigned for sums in row):
        return ()
    sums = tuple(
        tuple(tuple(map(sum, zip(own, torn, strict=True))) for own, torn in zip(*rows, strict=True))
        for rows in zip(observed.sums[name], observed.assigned, strict=True)
    )
    whole = replace(observed, sums={**observed.sums, name: sums})
    metrics = {name: compared(design, whole, design.metric)}
    found = at_any_time(
        design, table._replace(metrics=metrics), [design.metric], role="as_assigned"
    )
    return tuple(found)
