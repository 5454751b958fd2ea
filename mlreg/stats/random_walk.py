"""Exact crossing probabilities of a Brownian motion that is looked at a few times.

The recursion of Armitage, McPherson & Rowe (1969) as used for group sequential designs (Jennison &
Turnbull 2000, chapter 19): carry the density of B(t) = z sqrt(t) over the paths that have not
stopped. Gauss-Legendre panels two standard deviations wide keep every integral exact to about
1e-10.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import ndtr

FAR = 8.0
"""Beyond this many standard deviations lies nothing that matters (6e-16)."""

MIN_STEP = 1e-3
_NODES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """The paths still running at information `t`: points, and the probability at each of them."""

    t: float
    points: Any
    mass: Any

    @classmethod
    def start(cls) -> "Walk":
        """All paths at zero."""
        return cls(t=0.0, points=np.zeros(1), mass=np.ones(1))

    def above(self, t: float, z: float, drift: float = 0.0) -> float:
        """Probability to be still running and to have a statistic of `z` or more at `t`."""
        return self._tail(t, z, drift, sign=1)

    def below(self, t: float, z: float, drift: float = 0.0) -> float:
        """Probability to be still running and to have a statistic of `z` or less at `t`."""
        return self._tail(t, z, drift, sign=-1)

    def go_on(
        self, t: float, low: float, high: float, resolution: float, drift: float = 0.0
    ) -> "Walk":
        """The paths whose statistic at `t` lies between `low` and `high`.

        Args:
            t: Information of the new look.
            low: Lower z; -FAR and beyond means no lower boundary.
            high: Upper z.
            resolution: Standard deviation that the points must resolve, here and at the next look.
            drift: Expected B at t = 1.
        """
        root = t**0.5
        centre = drift * root
        low, high = max(low, centre - FAR), min(high, centre + FAR)
        low = min(low, high)
        points, weights = _panels(low * root, high * root, 2 * resolution)
        sd = (t - self.t) ** 0.5
        gaps = (points[:, None] - self.points[None, :] - drift * (t - self.t)) / sd
        density = np.exp(-0.5 * gaps * gaps) @ self.mass / (sd * np.sqrt(2 * np.pi))
        return Walk(t=t, points=points, mass=density * weights)

    def _tail(self, t: float, z: float, drift: float, *, sign: int) -> float:
        step = t - self.t
        gaps = (self.points + drift * step - z * t**0.5) / step**0.5
        return float(self.mass @ ndtr(sign * gaps))


def spaced(fractions: Sequence[float]) -> list[float]:
    """The looks moved apart to MIN_STEP where they are closer: a step needs points to resolve it.

    Far beyond the planned information a step is that part of what came before, so that the points
    never become more than memory holds. Looks that share less information cross more often, so the
    boundaries err on the safe side.
    """
    moved: list[float] = []
    for t in fractions:
        moved.append(max(t, moved[-1] + MIN_STEP * max(1.0, moved[-1])) if moved else t)
    return moved


def resolutions(fractions: Sequence[float]) -> list[float]:
    """For each look the smaller standard deviation of the steps to it and from it."""
    steps = np.sqrt(np.diff(np.asarray([0.0, *fractions])))
    return np.minimum(steps, np.append(steps[1:], np.inf)).tolist()  # type: ignore[no-any-return]


def crossing_probabilities(
    fractions: Sequence[float], z: Sequence[float], *, drift: float = 0.0, sides: int = 2
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Probability to stop first at each look, above and below.

    Args:
        fractions: Information at each look, increasing, in units of the planned information.
        z: Boundary at each look; with two sides its negative is the lower one.
        drift: Expected z at full information; 0 is the null hypothesis.
        sides: 2, or 1 for a test without a lower boundary.

    Returns:
        Probabilities of stopping above and of stopping below, one for each look.
    """
    fractions = spaced(fractions)
    walk, above, below = Walk.start(), [], []
    for t, critical, resolution in zip(fractions, z, resolutions(fractions), strict=True):
        above.append(walk.above(t, critical, drift))
        below.append(walk.below(t, -critical, drift) if sides == 2 else 0.0)
        lowest = -critical if sides == 2 else -np.inf
        walk = walk.go_on(t, lowest, critical, resolution, drift)
    return tuple(above), tuple(below)


def _panels(low: float, high: float, width: float) -> tuple[Any, Any]:
    """Points and weights that integrate over [low, high] in panels no wider than `width`."""
    unit_points, unit_weights = _legendre()
    edges = np.linspace(low, high, max(1, int(np.ceil((high - low) / width))) + 1)
    half = np.diff(edges)[:, None] / 2
    centre = ((edges[1:] + edges[:-1]) / 2)[:, None]
    return (centre + half * unit_points).ravel(), (half * unit_weights).ravel()


@lru_cache(maxsize=1)
def _legendre() -> tuple[Any, Any]:
    return np.polynomial.legendre.leggauss(_NODES)
