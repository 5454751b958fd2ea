"""What hypothesis draws (arms and tables within the range of real metrics), and small helpers."""

from typing import TypeVar

from hypothesis import strategies as st

from mlreg.stats.moments import Moments

T = TypeVar("T")

alphas = st.sampled_from([0.001, 0.01, 0.05, 0.1, 0.2])
values = st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), max_size=12)
spread_moments = st.builds(
    Moments,
    n=st.integers(2, 10_000),
    mean=st.floats(-1e3, 1e3, allow_subnormal=False),
    variance=st.floats(1e-3, 1e6),
)


@st.composite
def tables(draw, *, max_n=2000, min_n=0):
    """successes_c, n_c, successes_t, n_t."""
    n_c, n_t = draw(st.integers(min_n, max_n)), draw(st.integers(min_n, max_n))
    return draw(st.integers(0, n_c)), n_c, draw(st.integers(0, n_t)), n_t


def swapped(table):
    """The table with the arms exchanged."""
    return (*table[2:], *table[:2])


def known(value: T | None) -> T:
    """The value, which the test expects to be defined."""
    assert value is not None
    return value
