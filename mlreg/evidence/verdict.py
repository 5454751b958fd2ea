"""From judged metrics to a verdict: the first rule that fits, and a sentence that says why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from mlreg.entities.analyses import Gate, MetricResult
from mlreg.entities.experiments import Design
from mlreg.entities.looks import Limits, PastLook, Ruling
from mlreg.metrics import coverage_of, gate_of
from mlreg.stats.futility import MIN_INFORMATION, MIN_POWER

_T = TypeVar("_T")

# A win that so little among missing labels would undo is said to rest on them.
FRAGILE = 0.05

RUN_TIME, SRM, CROSSOVERS = "run_time", "srm", "crossovers"


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that a verdict rests on; treatments in the order of the design.

    Attributes:
        crossed: For each treatment 1 (better), -1 (worse) or 0.
        ready: Whether each treatment has enough to be judged.
        is_final: Whether no later look will count.
        now: An interval of each treatment that holds now, as it does at any other time.
        ended: For which treatments no later look will count.
        fresh: For which treatments this look counts.
        standing: The last look that counted. What it said of the gain and the futility of a
            treatment for which this one does not count stands, or asking often would be a way to
            get another answer.
    """

    design: Design
    primaries: tuple[MetricResult, ...]
    guardrails: tuple[MetricResult, ...]
    gates: tuple[Gate, ...]
    crossed: Sequence[int]
    ready: Sequence[bool]
    is_final: bool
    now: Sequence[Limits | None]
    ended: tuple[bool, ...]
    fresh: tuple[bool, ...]
    standing: PastLook | None = None

    @cached_property
    def gains(self) -> Sequence[float | None]:
        """How much better each treatment is: the difference, above 0 for an improvement."""
        found = [primary.diff for primary in self.primaries]
        gains = [None if diff is None else self.design.metric.sign * diff for diff in found]
        return self._standing(gains, self.standing.gains if self.standing else ())

    @cached_property
    def worth(self) -> Sequence[bool | None]:
        """Whether each gain is estimated as large as `min_effect`; None without one."""
        least = self.design.min_effect
        worth = [None if least is None or gain is None else gain >= least for gain in self.gains]
        return self._standing(worth, self.standing.worth if self.standing else ())

    @cached_property
    def futile(self) -> Sequence[bool]:
        """Whether each treatment is unlikely to win any more."""
        futile = [_is_futile(self, i) for i in range(len(self.primaries))]
        return self._standing(futile, self.standing.futile if self.standing else ())

    def _standing(self, now: Sequence[_T], before: Sequence[_T]) -> Sequence[_T]:
        """What this look says where it counts, and the last one where it does not."""
        if not before:
            return now
        told = zip(now, before, self.fresh, strict=True)
        return [this if is_fresh else earlier for this, earlier, is_fresh in told]

    def guards(self, treatment: int) -> list[MetricResult]:
        """The guardrails of a treatment."""
        variant = self.primaries[treatment].variant
        return [guard for guard in self.guardrails if guard.variant == variant]

    def told(self, found: MetricResult) -> str:
        """The sentence of a result, with its version where several are tried."""
        return found.sentence if len(self.primaries) == 1 else f"{found.version}: {found.sentence}"

    def has_reversed(self, treatment: int) -> bool:
        """Whether a treatment that crossed is now wholly on the other side of zero."""
        interval = self.now[treatment]
        sign = self.crossed[treatment] * self.design.metric.sign
        return interval is not None and bool(sign) and all(sign * end < 0 for end in interval)

    def is_better(self, treatment: int) -> bool:
        """Whether it has crossed, and is still better where it was last decided, and now."""
        found, sign = self.primaries[treatment], self.design.metric.sign
        limits = found.diff_ci
        is_clear = limits is not None and all(sign * end > 0 for end in limits)
        return self.crossed[treatment] > 0 and is_clear and sign * (found.diff or 0.0) > 0

    def is_out(self, treatment: int) -> bool:
        """Whether a treatment is done with: it is worse, unlikely to win, or has not won."""
        has_lost = self.futile[treatment] or self.ended[treatment]
        is_worse = self.crossed[treatment] < 0 and not self.has_reversed(treatment)
        return is_worse or (has_lost and not self.crossed[treatment])

    def leading(self, winner: str | None = None) -> int:
        """The winner's place, or the treatment that is the furthest ahead without harm."""

        def rank(i: int) -> tuple[bool, bool, bool, bool, int, float]:
            is_harmful = any(guard.passed is False for guard in self.guards(i))
            is_winner = self.primaries[i].version == winner
            is_open = not is_harmful and not self.is_out(i)
            gain = self.gains[i] or 0.0
            return is_winner, not is_harmful, is_open, self.ready[i], self.crossed[i], gain

        return max(range(len(self.primaries)), key=rank)

    def is_doubtful(self, metric: str) -> bool:
        """Whether a gate that failed is about the units, or about what the metric is known of."""
        needs = coverage_of(metric)
        about = {SRM, CROSSOVERS, gate_of(needs) if needs else None}
        return any(gate.gate in about for gate in self.failed("invalid"))

    def failed(self, effect: str) -> list[Gate]:
        """The gates of an effect that failed."""
        return [gate for gate in self.gates if not gate.passed and gate.effect == effect]


def verdict(findings: Findings) -> Ruling:
    """The verdict.

    Harm that no fault casts doubt on comes first: what harms may be what breaks the gates, as
    failures do that never get a label. Then a fault: its numbers mean nothing. Then other harm,
    which needs no more evidence than its alarm. Then what keeps the rest waiting; a winner last.
    After the final look its verdict stands, unless a fault is found, a guardrail breaks, or its
    winner is worse by now.
    """
    ended = _standing(findings)
    found = ended or ruling(findings)
    if found.verdict == "rollback":
        harm = _harmful(findings, beyond_doubt=True)
        return (harm and ended) or harm or _faulty(findings) or found
    return _faulty(findings) or _too_soon(findings) or found


def ruling(findings: Findings) -> Ruling:
    """The verdict if nothing is found to be broken and the test has run for long enough."""
    return (
        _harmful(findings)
        or _waiting(findings)
        or _winning(findings)
        or _ending(findings)
        or Ruling("continue", None, f"Go on: {_open_reason(findings)}.")
    )


def _standing(findings: Findings) -> Ruling | None:
    """The verdict of the final look, if that has been taken and still holds."""
    ended = findings.standing.ending if findings.standing is not None else None
    if ended is None:
        return None
    concerned = [
        i for i, found in enumerate(findings.primaries) if ended.winner in (None, found.version)
    ]
    if all(any(guard.passed is False for guard in findings.guards(i)) for i in concerned):
        return None
    if ended.winner is not None and not findings.is_better(concerned[0]):
        return None
    # Engines before the third called a test that ended undecided invalid.
    return ended._replace(verdict="inconclusive") if ended.verdict == "invalid" else ended


def _faulty(findings: Findings) -> Ruling | None:
    broken = findings.failed("invalid")
    return Ruling("invalid", None, f"Invalid: {broken[0].detail}.") if broken else None


def _harm(findings: Findings, treatment: int, *, beyond_doubt: bool = False) -> MetricResult | None:
    """What shows a treatment to be harmful; None if nothing does."""
    harms = [guard for guard in findings.guards(treatment) if guard.passed is False]
    if findings.crossed[treatment] < 0 and not findings.has_reversed(treatment):
        harms.append(findings.primaries[treatment])
    shown = (harm for harm in harms if not (beyond_doubt and findings.is_doubtful(harm.metric)))
    return next(shown, None)


def _harmful(findings: Findings, *, beyond_doubt: bool = False) -> Ruling | None:
    harms = [_harm(findings, i, beyond_doubt=beyond_doubt) for i in range(len(findings.primaries))]
    worst = harms[findings.leading()]
    if not all(harms) or worst is None:
        return None
    return Ruling("rollback", None, f"Roll back: {findings.told(worst)}.")


def _waiting(findings: Findings) -> Ruling | None:
    """What has too little data for a verdict."""
    waits = [gate for gate in findings.failed("wait") if gate.gate != RUN_TIME]
    if not waits:
        return None
    if findings.is_final:
        return Ruling("inconclusive", None, f"The test is over undecided: {waits[0].detail}.")
    return Ruling("continue", None, f"No verdict yet: {waits[0].detail}.")


def _too_soon(findings: Findings) -> Ruling | None:
    waits = findings.failed("wait")
    if all(gate.gate != RUN_TIME for gate in waits):
        return None
    return Ruling("continue", None, f"No verdict yet: {waits[0].detail}.")


def _winning(findings: Findings) -> Ruling | None:
    able = [
        i
        for i in range(len(findings.primaries))
        if findings.is_better(i)
        and findings.ready[i]
        and findings.worth[i] is not False
        and all(guard.passed for guard in findings.guards(i))
    ]
    if not able:
        return None
    found = findings.primaries[max(able, key=lambda i: findings.gains[i] or 0.0)]
    sentence = f"Ship {found.version}: {found.sentence}{_rests_on(found)}."
    return Ruling("ship", found.version, sentence)


def _rests_on(found: MetricResult) -> str:
    """What a gain rests on where many labels are missing; empty if it would stand without them."""
    point, missing = found.tipping_point, found.treatment.missing_rate or 0.0
    if point is None or found.unit != "share" or point > FRAGILE:
        return ""
    return (
        f"; {missing:.0%} of the treatment's labels are missing, and {point * 100:.1f} points less "
        "among these would undo it"
    )


def _ending(findings: Findings) -> Ruling | None:
    has_gained = any(sign > 0 for sign in findings.crossed)
    if findings.is_final:
        return _over(findings) if has_gained else Ruling(
            "stop_futile",
            None,
            "Stop: the test is over and has shown no improvement; that is no proof of equality.",
        )  # fmt: skip
    treatments = range(len(findings.primaries))
    hopeless = [_harm(findings, i) is not None or findings.is_out(i) for i in treatments]
    if all(hopeless) and not has_gained:
        reason = (
            "a gain worth having is unlikely to be found any more; that is no proof of equality"
        )
        return Ruling("stop_futile", None, f"Stop: {reason}.")
    return None


def _over(findings: Findings) -> Ruling:
    """The end of a test with a treatment that is better, and is not shipped."""
    best = _closest(findings)
    unknown = [guard for guard in findings.guards(best) if guard.passed is None]
    broken = [guard for guard in findings.guards(best) if guard.passed is False]
    if findings.has_reversed(best) or broken or (findings.ready[best] and not unknown):
        return Ruling("stop_futile", None, f"Stop: the test is over, and {_open_reason(findings)}.")
    return Ruling("inconclusive", None, f"The test is over undecided: {_open_reason(findings)}.")


def _closest(findings: Findings) -> int:
    """The treatment that is the closest to be shipped: what keeps a better one back says more."""
    best = findings.leading()
    ahead = [i for i, sign in enumerate(findings.crossed) if sign > 0]
    if ahead and findings.crossed[best] <= 0:
        best = max(ahead, key=lambda i: findings.gains[i] or 0.0)
    return best


def _open_reason(findings: Findings) -> str:
    best = _closest(findings)
    found = findings.primaries[best]
    if findings.has_reversed(best):
        was, now = ("better", "worse") if findings.crossed[best] > 0 else ("worse", "better")
        return f"{found.version} was {was} at an earlier look and is {now} by now: {found.sentence}"
    if findings.crossed[best] <= 0:
        is_clear = found.diff_ci is not None and not found.diff_ci[0] <= 0 <= found.diff_ci[1]
        state = "no look that counts has shown it" if is_clear else "the difference may be chance"
        return f"{findings.told(found)}; {state}"
    if not findings.is_better(best):
        return f"{found.version} was better at an earlier look, and may not be: {found.sentence}"
    if not findings.ready[best]:
        return f"{found.version} is better, but has too little data by now to be sure"
    unsure = [guard for guard in findings.guards(best) if not guard.passed]
    if unsure:
        state = "is broken" if unsure[0].passed is False else "is not shown to hold"
        return f"{found.version} is better, but the guardrail {unsure[0].margin} {state}"
    return f"{found.version} is better, but by less than the gain that is worth shipping"


def _is_futile(findings: Findings, treatment: int) -> bool:
    """Whether a treatment is unlikely to win any more."""
    design, found = findings.design, findings.primaries[treatment]
    if findings.crossed[treatment] or design.mde is None or design.mode == "fixed":
        return False
    if design.mode == "always-valid":
        limits = found.diff_ci
        return limits is not None and max(design.metric.sign * end for end in limits) < design.mde
    power, t = found.conditional_power, found.look.t
    return power is not None and t is not None and MIN_INFORMATION <= t < 1 and power < MIN_POWER
