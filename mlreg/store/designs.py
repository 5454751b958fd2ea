"""The stored form of an experiment's design: canonical JSON, which its fingerprint covers."""

from __future__ import annotations

import json

from mlreg.entities.experiments import Design
from mlreg.jsonable import restore
from mlreg.store.rows import restored


def load_design(text: str, experiment: int) -> Design:
    """Read the stored form of the design of an experiment, which is named by its key.

    Raises:
        StoreDamaged: It is none.
    """
    with restored("experiments", experiment):
        stored = json.loads(text)
        for variant in stored["variants"]:
            variant["weight"] = round(variant.pop("traffic_percent") * 100)
        return restore(Design, stored)
