"""Policies and thresholds in their stored form, which is that of a policy file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlreg.entities.decisions import Policy
from mlreg.entities.thresholds import Anomaly, Threshold
from mlreg.errors import NotFound
from mlreg.names import safe


def thresholds_of(policy: Policy) -> tuple[Threshold, ...]:
    """The thresholds that a policy holds a model to."""
    return tuple(
        threshold_of(stored, policy.model) for stored in policy.document.get("thresholds", ())
    )


def named(known: Sequence[Threshold], name: str) -> Threshold:
    """The threshold of a name.

    Raises:
        NotFound: There is none.
    """
    found = next((one for one in known if one.name == name), None)
    if found is None:
        names = ", ".join(safe(one.name) for one in known) or "none"
        raise NotFound(f"there is no threshold {safe(name)}", hint=f"there is {names}")
    return found


def threshold_of(stored: Mapping[str, Any], model: str) -> Threshold:
    """A threshold of its stored form."""
    anomaly = stored.get("anomaly")
    return Threshold(
        name=stored["name"],
        condition=stored.get("condition"),
        anomaly=Anomaly(anomaly["metric"], float(anomaly["sigma"])) if anomaly else None,
        severity=stored.get("severity", "warning"),
        action=stored.get("action", "alert"),
        model=model,
    )


def stored_form(threshold: Threshold) -> dict[str, Any]:
    """A threshold as a policy stores it."""
    what: dict[str, Any] = {"condition": threshold.condition}
    if threshold.anomaly is not None:
        what = {"anomaly": threshold.anomaly._asdict()}
    return {
        "name": threshold.name,
        **what,
        "severity": threshold.severity,
        "action": threshold.action,
    }


def file_form(policy: Policy) -> dict[str, Any]:
    """A policy as the file that `apply` takes, each threshold with its name first."""
    document = dict(policy.document)
    if "thresholds" in document:
        document["thresholds"] = [stored_form(one) for one in thresholds_of(policy)]
    return {"model": {policy.model: document}}
