"""What pairs of answers to the same inputs say: agreement, changes, and which version is better.

Whoever labels disagreements alone gets the same verdict as whoever labels all inputs: where both
answer alike neither is better, so the difference is the share of disagreements, which needs no
label, times what the labelled ones say. Labels must not be chosen by who is right; `shadow queue`
draws by lot.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mlreg.entities.shadows import (
    AnswerChange,
    AnswerShare,
    Labelled,
    Meeting,
    PairedDifference,
    PairedLatency,
    ShadowComparison,
    ShadowVerdict,
)
from mlreg.names import counted

if TYPE_CHECKING:
    from mlreg.entities.predictions import Scalar
    from mlreg.entities.versions import Version

# Pairs with a label for which the limits of a difference of numbers are tightest.
TUNING = 1000
MOST_CHANGES = 20


def labelled(meetings: Iterable[Meeting]) -> Labelled:
    """Pairs with a label, by who is right."""
    found: Counter[tuple[int | None, int | None]] = Counter()
    for one in meetings:
        if one.is_labelled:
            found[one.live_correct, one.shadow_correct] += one.number
    return Labelled(
        pairs=found.total(),
        both=found[1, 1],
        only_live=found[1, 0],
        only_shadow=found[0, 1],
        neither=found[0, 0],
    )


def changes(meetings: Iterable[Meeting]) -> tuple[AnswerChange, ...]:
    """What became what, the most frequent first."""
    pairs: Counter[tuple[str | None, str | None]] = Counter()
    won: Counter[tuple[str | None, str | None, str]] = Counter()
    for one in meetings:
        if not one.agrees:
            pairs[one.live, one.shadow] += one.number
        if one.is_labelled and one.live_correct != one.shadow_correct:
            winner = "live" if one.live_correct else "shadow"
            won[one.live, one.shadow, winner] += one.number
    return tuple(
        AnswerChange(
            live=_loaded(live),
            shadow=_loaded(shadow),
            pairs=number,
            only_live=won[live, shadow, "live"],
            only_shadow=won[live, shadow, "shadow"],
        )
        for (live, shadow), number in pairs.most_common(MOST_CHANGES)
    )


def answers(meetings: Iterable[Meeting]) -> tuple[AnswerShare, ...]:
    """How often each answer was given, the most frequent first."""
    live: Counter[str | None] = Counter()
    shadow: Counter[str | None] = Counter()
    for one in meetings:
        live[one.live] += one.number
        shadow[one.shadow] += one.number
    return tuple(
        AnswerShare(answer=_loaded(answer), live=live[answer], shadow=shadow[answer])
        for answer, _ in (live + shadow).most_common(MOST_CHANGES)
    )


def of_classes(meetings: Sequence[Meeting], *, alpha: float) -> PairedDifference:
    """By how much the shadow is right more often, by the discordant pairs (McNemar 1947).

    The test is sequential: equal versions make each discordant pair a fair coin, and the Bayes
    factor of a beta mixture against it exceeds 1/alpha at any look with probability alpha at most
    (Robbins 1970).
    """
    from mlreg.stats.paired import discordant_needed, discordant_share, sequential_p_value

    whole = sum(one.number for one in meetings)
    apart = [one for one in meetings if not one.agrees]
    counts = labelled(apart)
    live, shadow = counts.only_live, counts.only_shadow
    p_value = sequential_p_value(live, shadow)
    if not live + shadow:
        return PairedDifference(
            measure="accuracy", estimate=None, lower=None, upper=None, p_value=1.0, alpha=alpha
        )
    # Of all inputs, those on which exactly one is right.
    share = sum(one.number for one in apart) / whole * (live + shadow) / counts.pairs
    limits = discordant_share(live, shadow, alpha=alpha)
    needed = None if p_value <= alpha else discordant_needed(live, shadow, alpha=alpha)
    return PairedDifference(
        measure="accuracy",
        estimate=share * (shadow - live) / (shadow + live),
        lower=share * (2 * limits.low - 1),
        upper=share * (2 * limits.high - 1),
        p_value=p_value,
        alpha=alpha,
        needed=needed and round((needed - live - shadow) * counts.pairs / (live + shadow)),
    )


def of_numbers(rows: Iterable[tuple[float, float, float]], *, alpha: float) -> PairedDifference:
    """By how much the shadow's numbers are further off, from live answer, shadow's and label.

    The limits are a confidence sequence of the mean of the paired differences of absolute errors:
    see `stats.always_valid`.
    """
    from mlreg.stats.always_valid import look
    from mlreg.stats.evidence import difference_evidence
    from mlreg.stats.means import mean_estimate
    from mlreg.stats.moments import Moments

    gaps = [abs(shadow - label) - abs(live - label) for live, shadow, label in rows]
    evidence = difference_evidence(mean_estimate(Moments.from_values(gaps)))
    found = look(evidence, tuning_n=TUNING, alpha=alpha)
    return PairedDifference(
        measure="mae",
        estimate=evidence.estimate,
        lower=found.ci_lower,
        upper=found.ci_upper,
        p_value=found.p_value,
        alpha=alpha,
    )


def latency(pairs: Sequence[tuple[int, int]]) -> PairedLatency | None:
    """Latencies of pairs, from microseconds; None without pairs."""
    if not pairs:
        return None
    live, shadow = (sorted(side) for side in zip(*pairs, strict=True))
    return PairedLatency(
        pairs=len(pairs),
        live_p50_ms=_at(live, 0.5),
        shadow_p50_ms=_at(shadow, 0.5),
        live_p95_ms=_at(live, 0.95),
        shadow_p95_ms=_at(shadow, 0.95),
    )


def compared(
    shadow: Version,
    live: Version,
    meetings: Sequence[Meeting],
    difference: PairedDifference,
    labels: int,
    latency: PairedLatency | None,
) -> ShadowComparison:
    """All that is known of a shadow beside a version that answered."""
    is_number = difference.measure == "mae"
    whole = sum(one.number for one in meetings)
    same = sum(one.number for one in meetings if one.same)
    found = verdict(difference)
    return ShadowComparison(
        shadow=shadow.version,
        shadow_id=shadow.model_id,
        live=live.version,
        live_id=live.model_id,
        pairs=whole,
        replayed=sum(one.replayed for one in meetings),
        same=same,
        agreement=same / whole if whole else None,
        live_failed=sum(one.number for one in meetings if one.live_failed),
        shadow_failed=sum(one.number for one in meetings if one.shadow_failed),
        changes=() if is_number else changes(meetings),
        answers=() if is_number else answers(meetings),
        labelled=None if is_number else labelled(meetings),
        labels=labels,
        difference=difference,
        latency=latency,
        live_confidence=_mean((m.live_confident, m.live_confidence) for m in meetings),
        shadow_confidence=_mean((m.shadow_confident, m.shadow_confidence) for m in meetings),
        verdict=found,
        summary=_sentence((shadow.version, live.version), difference, whole - same, labels),
    )


def _sentence(names: tuple[str, str], difference: PairedDifference, apart: int, labels: int) -> str:
    """The verdict with its numbers, for people."""
    found, between = verdict(difference), " and ".join(names)
    if found != "undecided":
        better, worse = names if found == "shadow-better" else reversed(names)
        sizes = sorted(
            abs(x or 0.0) for x in (difference.estimate, difference.lower, difference.upper)
        )
        if difference.measure == "mae":
            low, size, high = (f"{x:.4g}" for x in sizes)
            said = f"on the same inputs it is off by {size} less"
        else:
            low, size, high = (f"{100 * x:.1f}" for x in sizes)
            said, high = f"it is right on {size} % of the inputs more", f"{high} %"
        return f"{better} is better than {worse}: {said} ({low} to {high})"
    if not apart:
        return f"{between} have given the same answers"
    if not labels:
        return f"{between} disagree on {counted(apart, 'input')}; no label says who is right"
    needed = difference.needed
    more = f"; about {needed:,} more labels on disagreements would decide" if needed else ""
    return f"it is not known which of {between} is better{more}"


def _mean(sums: Iterable[tuple[int, float]]) -> float | None:
    numbers, totals = [0], [0.0]
    for number, total in sums:
        numbers.append(number)
        totals.append(total)
    return math.fsum(totals) / sum(numbers) if sum(numbers) else None


def verdict(difference: PairedDifference) -> ShadowVerdict:
    """Which of the two is better, if that is known."""
    if difference.p_value > difference.alpha or not difference.estimate:
        return "undecided"
    is_more = difference.estimate > 0
    return "shadow-better" if is_more is (difference.measure == "accuracy") else "live-better"


def _at(ordered: Sequence[int], share: float) -> float:
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] / 1000


def _loaded(text: str | None) -> Scalar | None:
    found: Scalar | None = None if text is None else json.loads(text)
    return found
