"""The service of experiments: what each part of it adds, as one."""

from __future__ import annotations

from mlreg.services.experiments.outside import Outside


class Experiments(Outside):
    """A/B tests on the traffic of a model."""
