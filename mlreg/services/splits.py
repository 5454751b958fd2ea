"""Splits: percentages as basis points, and versions that share a whole."""

from __future__ import annotations

from dataclasses import replace

from mlreg.entities.traffic import Arm
from mlreg.entities.versions import Version
from mlreg.errors import Conflict, InvalidInput
from mlreg.routing import shares


def basis_points(percent: float) -> int:
    """A percentage as basis points.

    Raises:
        InvalidInput: It is not between 0 and 100, or finer than a hundredth of a percent.
    """
    if not 0 <= percent <= 100:  # NaN fails as well
        raise InvalidInput(f"a share of traffic lies between 0 and 100 percent, not at {percent}")
    points = round(percent * 100)
    if abs(points - percent * 100) > 1e-6:
        raise InvalidInput(f"a share of traffic has at most two decimals, not {percent}")
    return points


def sharing(arms: list[Arm], whole: int) -> list[Arm]:
    """Arms with `whole` shared out in their present proportion; none where nothing is left."""
    if not arms or whole == 0:
        return []
    weights = shares([arm.weight for arm in arms], whole)
    return [replace(arm, weight=weight) for arm, weight in zip(arms, weights, strict=True)]


def check_servable(version: Version) -> Version:
    """The version, if it can be an arm. One without an artifact may run somewhere else.

    Raises:
        Conflict: It is archived.
    """
    if version.status == "archived":
        raise Conflict(
            f"{version.ref} is archived", hint=f"run: mlreg archive {version.ref} --restore"
        )
    return version


def arm_of(version: Version, weight: int) -> Arm:
    """A version as a live arm."""
    return Arm(
        version_key=version.key, model_id=version.model_id, version=version.version, weight=weight
    )
