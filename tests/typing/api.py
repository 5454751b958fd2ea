"""The typed face of the library: this is checked, and never run."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import mlreg
from mlreg.entities.predictions import FeedbackReceipt, Prediction, Scalar
from mlreg.entities.reports import PerformanceReport
from mlreg.entities.traffic import Arm, Revision
from mlreg.entities.versions import Version


def main_job(pipeline: object, folder: Path) -> None:
    """What a user writes, with the types that an editor then shows."""
    with mlreg.open(folder) as registry:
        assert_type(registry, mlreg.Registry)
        assert_type(registry.versions.register("m@1.0.0", pipeline, accuracy=0.9), Version)
        assert_type(registry.versions.list(), list[Version])
        revision = registry.traffic.activate("m@1.0.0", percent=20, strategy="sticky")
        assert_type(revision, Revision)
        assert_type(revision.arms, tuple[Arm, ...])
        answer = registry.predictions.predict({"age": 3}, unit="ada", segment={"country": "de"})
        assert_type(answer, Prediction)
        assert_type(answer.prediction, Scalar | None)
        if answer.prediction_id is not None:
            receipt = registry.feedback.record(answer.prediction_id, "yes", values={"rating": 5})
            assert_type(receipt, FeedbackReceipt)
        for each in registry.predictions.predict_many([mlreg.Request("x", unit="ada"), "y"]):
            assert_type(each, Prediction)
        assert_type(registry.performance.report(by="country"), PerformanceReport)
        change = mlreg.Change(reason="better", dry_run=True, expect_revision=3)
        assert_type(registry.traffic.promote("m@latest", change=change), Revision)
        try:
            registry.traffic.rollback("m")
        except mlreg.MlregError as error:
            assert_type(error.code, str)
