"""How long labels take, while some have yet to come."""

from __future__ import annotations

import math
import random

import pytest

from mlreg.clock import DAY, HOUR, SECOND
from mlreg.stats.delays import rounded_up, usual_delay


def test_without_labels_nobody_knows_how_long_they_take():
    assert usual_delay([]) is None
    assert usual_delay([(5, None), (9, None)]) is None


def test_of_labels_that_all_came_it_is_their_quantile():
    assert usual_delay((1000, delay) for delay in range(1, 101)) == 95
    assert usual_delay((0, 0) for _ in range(10)) == 0


def test_predictions_that_never_get_a_label_change_nothing():
    came = [(1000, delay) for delay in range(1, 101)]
    assert usual_delay([*came, *[(1000, None)] * 5000]) == 95


def test_what_is_too_young_for_its_label_is_no_sign_that_labels_come_soon():
    """Delays of mean 6 among predictions of all ages up to 60: those seen are the short ones."""
    source = random.Random(5)
    seen = []
    for _ in range(20_000):
        age, delay = source.uniform(0, 60), source.expovariate(1 / 6)
        seen.append((round(age * 1000), round(delay * 1000) if delay <= age else None))
    came = sorted(delay for _, delay in seen if delay is not None)
    true = 6 * math.log(20) * 1000
    assert came[round(0.95 * len(came))] < 0.97 * true
    assert usual_delay(seen) == pytest.approx(true, rel=0.03)


def test_kaplan_and_meier_agree_with_a_table_worked_by_hand():
    """Of 5: one label at 1, one gone at 2, one label at 3 of the 3 left, two without up to 9."""
    seen = [(9, 1), (2, None), (9, 3), (9, None), (9, None)]
    assert usual_delay(seen, share=0.42) == 1  # 0.2 of 0.4667 in all
    assert usual_delay(seen, share=0.44) == 3


def test_a_clock_that_was_put_back_makes_no_negative_delay():
    assert usual_delay([(5, -3), (-2, None)]) == 0


@pytest.mark.parametrize(
    ("micros", "length"),
    [
        (0, 0), (1, SECOND), (SECOND, SECOND), (40 * SECOND, 60 * SECOND), (4 * HOUR, 6 * HOUR),
        (DAY, DAY), (DAY + 1, 2 * DAY), (8 * DAY, 10 * DAY), (29 * DAY, 30 * DAY),
        (61 * DAY, 90 * DAY),
    ],
)  # fmt: skip
def test_a_delay_is_rounded_up_to_a_length_that_people_use(micros: int, length: int):
    assert rounded_up(micros) == length
