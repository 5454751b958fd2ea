"""One-dimensional root finding; scipy.optimize would cost 200 ms of import for it."""

from collections.abc import Callable


def bisect(
    f: Callable[[float], float],
    low: float,
    high: float,
    *,
    tolerance: float,
    is_rising: bool = True,
) -> float:
    """The point in [low, high] where the monotone `f` crosses zero, within `tolerance`.

    `f` is never asked at the ends, where it may be infinite. Without a crossing the answer is the
    end that `f` points to, so callers choose ends that stand for "beyond every sensible answer".
    """
    while high - low > tolerance:
        middle = (low + high) / 2
        if middle in (low, high):  # no float between them
            break
        low, high = (low, middle) if (f(middle) > 0) == is_rising else (middle, high)
    return (low + high) / 2
