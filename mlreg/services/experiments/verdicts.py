"""From judged metrics to a verdict: the first rule that fits, and a sentence that says why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mlreg.entities.analyses import Gate, MetricResult
from mlreg.entities.experiments import Design, Recommendation
from mlreg.services.experiments.evaluating import planned_drift
from mlreg.stats.futility import MIN_INFORMATION, MIN_POWER, conditional_power
from mlreg.stats.looks import Look


class Verdict(NamedTuple):
    """What to do, the version that won if one did, and why."""

    verdict: Recommendation
    winner: str | None
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All that a verdict rests on; treatments in the order of the design.

    Attributes:
        crossed: For each treatment 1 (better), -1 (worse) or 0.
        is_final: Whether no later look will count.
    """

    design: Design
    primaries: Sequence[MetricResult]
    guardrails: Sequence[MetricResult]
    gates: Sequence[Gate]
    looks: Sequence[Look]
    crossed: Sequence[int]
    is_final: bool

    @property
    def direction(self) -> int:
        """1 where larger is better, else -1."""
        return 1 if self.design.metric.direction == "up" else -1

    @property
    def leading(self) -> int:
        """The treatment that is the furthest ahead."""

        def rank(i: int) -> tuple[int, float]:
            return self.crossed[i], self.direction * (self.primaries[i].difference or 0.0)

        return max(range(len(self.primaries)), key=rank)

    def failed(self, effect: str) -> list[Gate]:
        """The gates of an effect that failed."""
        return [gate for gate in self.gates if not gate.passed and gate.effect == effect]

    def worth_shipping(self, treatment: int) -> bool | None:
        """Whether the improvement is as large as `min_effect`; None without one."""
        found = self.primaries[treatment].difference
        if self.design.min_effect is None or found is None:
            return None
        return self.direction * found >= self.design.min_effect


def verdict(findings: Findings) -> Verdict:
    """The verdict.

    A fault comes first: its numbers mean nothing. Then harm, which needs no more evidence than
    its alarm. Then what keeps the rest waiting; a winner last.
    """
    return (
        _faulty(findings)
        or _harmful(findings)
        or _waiting(findings)
        or _winning(findings)
        or _ending(findings)
        or Verdict("continue", None, f"Go on: {_open_reason(findings)}.")
    )


def _faulty(findings: Findings) -> Verdict | None:
    broken = findings.failed("invalid")
    return Verdict("invalid", None, f"Invalid: {broken[0].detail}.") if broken else None


def _harmful(findings: Findings) -> Verdict | None:
    broken = {guard.variant: guard for guard in findings.guardrails if guard.passed is False}
    stopped = [
        broken.get(primary.variant) or (primary if sign < 0 else None)
        for primary, sign in zip(findings.primaries, findings.crossed, strict=True)
    ]
    if not all(stopped):
        return None
    worst = stopped[findings.leading]
    return Verdict("rollback", None, f"Roll back: {worst.sentence if worst else ''}.")


def _waiting(findings: Findings) -> Verdict | None:
    waits = findings.failed("wait")
    if not waits:
        return None
    is_over = findings.is_final and any(gate.gate != "run_time" for gate in waits)
    so_far = "The test is over without a verdict" if is_over else "No verdict yet"
    return Verdict("invalid", None, f"{so_far}: {waits[0].detail}.")


def _winning(findings: Findings) -> Verdict | None:
    able = [
        i
        for i, primary in enumerate(findings.primaries)
        if findings.crossed[i] > 0
        and findings.worth_shipping(i) is not False
        and all(g.passed for g in findings.guardrails if g.variant == primary.variant)
    ]
    if not able:
        return None
    best = max(able, key=lambda i: findings.direction * (findings.primaries[i].difference or 0.0))
    found = findings.primaries[best]
    return Verdict("ship", found.version, f"Ship {found.version}: {found.sentence}.")


def _ending(findings: Findings) -> Verdict | None:
    if findings.is_final:
        if any(sign > 0 for sign in findings.crossed):
            reason = f"the test is over, and {_open_reason(findings)}"
        else:
            reason = "the test is over and has shown no improvement; that is no proof of equality"
        return Verdict("stop_futile", None, f"Stop: {reason}.")
    if _is_futile(findings):
        reason = (
            "a gain worth having is unlikely to be found any more; that is no proof of equality"
        )
        return Verdict("stop_futile", None, f"Stop: {reason}.")
    return None


def _open_reason(findings: Findings) -> str:
    won = [p for p, sign in zip(findings.primaries, findings.crossed, strict=True) if sign > 0]
    if won:
        names = {primary.variant for primary in won}
        unsure = [g for g in findings.guardrails if g.variant in names and not g.passed]
        if unsure:
            state = "is broken" if unsure[0].passed is False else "is not yet shown to hold"
            return f"{won[0].version} is better, but the guardrail {unsure[0].margin} {state}"
        return f"{won[0].version} is better, but by less than the gain that is worth shipping"
    best = min(findings.primaries, key=lambda p: 2.0 if p.p_value is None else p.p_value)
    return f"{best.sentence}; the difference may be chance"


def _is_futile(findings: Findings) -> bool:
    """Whether no treatment is likely to win any more; ones that crossed are beyond that."""
    design = findings.design
    if any(findings.crossed) or design.mde is None or design.mode == "fixed":
        return False
    if design.mode == "group-sequential":
        return all(_is_hopeless(findings, look) for look in findings.looks)
    limits = [primary.difference_ci for primary in findings.primaries]
    return all(
        limit is not None and max(findings.direction * end for end in limit) < design.mde
        for limit in limits
    )


def _is_hopeless(findings: Findings, look: Look) -> bool:
    information, final = look.information or 0.0, findings.design.final_boundary
    if not look.is_decision_point or look.z is None or information < MIN_INFORMATION:
        return False
    power = conditional_power(
        findings.direction * look.z,
        information,
        z_final=final or 0.0,
        drift=planned_drift(findings.design),
    )
    return power < MIN_POWER
