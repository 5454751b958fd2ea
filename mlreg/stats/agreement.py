"""Precision, recall and F1 from counts of (answer, label): of a class, or the mean over classes."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mlreg.stats.estimates import Estimate
from mlreg.stats.proportions import wilson_of_rate
from mlreg.stats.results import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """A score with its standard error.

    Attributes:
        estimate: The score; `n` counts the pairs.
        cases: As how many independent cases a score without any spread is worth.
    """

    estimate: Estimate
    cases: float

    def interval(self, level: float = 0.95) -> Interval:
        """Wilson's, as of so many cases as would know a share as well (Kish 1965).

        The symmetric one of the delta method covers too little where a score is near 1.
        """
        value, variance = self.estimate.value, self.estimate.se**2
        is_known = 0 < variance < math.inf and 0 < value < 1
        return wilson_of_rate(
            value, value * (1 - value) / variance if is_known else self.cases, level
        )


def agreement(
    pairs: Mapping[tuple[str, str], int],
    classes: Collection[str],
    *,
    by_answer: int,
    by_label: int,
) -> Agreement | None:
    """The mean over classes of hits / (weighted answers + weighted labels).

    A pair of class c counts `by_answer` for its answer and `by_label` for its label, and both of
    them as hits if they agree: (1, 0) gives precision, (0, 1) recall, (1, 1) F1. A class without
    answers has precision 0, as one without labels has recall 0. The standard error is that of the
    delta method over multinomial counts, as Takahashi, Yamamoto, Kuchiba & Koyama (2022, Applied
    Intelligence 52) have it for macro-averaged F1.

    Returns:
        None without pairs, or without anything to divide by.
    """
    total, weight = sum(pairs.values()), by_answer + by_label
    hits, sizes = dict.fromkeys(classes, 0), dict.fromkeys(classes, 0)
    for (answer, label), n in pairs.items():
        if answer in sizes:
            sizes[answer] += by_answer * n
            hits[answer] += weight * n * (answer == label)
        if label in sizes:
            sizes[label] += by_label * n
    if not any(sizes.values()):
        return None
    scores = {c: hits[c] / size if size else 0.0 for c, size in sizes.items()}
    pull = {c: total / size / len(sizes) if size else 0.0 for c, size in sizes.items()}
    spread = 0.0
    for (answer, label), n in pairs.items():
        # How much more this pair is than the scores expect of it: the linearised score of a pair.
        gap = weight * pull.get(answer, 0.0) * (answer == label)
        gap -= by_answer * scores.get(answer, 0.0) * pull.get(answer, 0.0)
        gap -= by_label * scores.get(label, 0.0) * pull.get(label, 0.0)
        spread += n * gap * gap
    se = math.sqrt(spread / (total * (total - 1))) if total > 1 else math.inf
    value = math.fsum(scores.values()) / len(scores)
    cases = len(sizes) ** 2 / math.fsum(weight / size for size in sizes.values() if size)
    return Agreement(estimate=Estimate(value=value, se=se, n=total), cases=cases)
