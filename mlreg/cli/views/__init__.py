"""What people see: records as blocks of text and tables. Imported only where a person reads."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module

from mlreg.cli.views.blocks import Block, plain

# Which module shows a record. By name, so that a view is imported only with its record.
_MODULES = {
    "Version": "versions",
    "VersionList": "versions",
    "NextVersions": "versions",
    "ModelOverview": "versions",
    "VersionComparison": "comparisons",
    "Revision": "traffic",
    "RevisionChange": "traffic",
    "RevisionList": "traffic",
    "RollbackList": "traffic",
    "Choice": "traffic",
    "Prediction": "predictions",
    "PredictionLog": "predictions",
    "PredictionTrail": "predictions",
    "FeedbackReceipt": "predictions",
    "PerformanceReport": "performance",
    "EventList": "audit",
    "TrustReport": "trust",
    "TrustedVersion": "trust",
    "RowSet": "queries",
    "SettingList": "settings",
    "ConfigEntry": "settings",
    "Experiment": "experiments",
    "ExperimentList": "experiments",
    "StandingList": "standings",
    "Assignment": "experiments",
    "Recorded": "experiments",
    "Analysis": "analyses",
    "Verification": "analyses",
    "SelfTest": "selftests",
    "Plan": "planning",
    "SplitCheck": "planning",
    "Diagnosis": "health",
    "Sentence": "sentences",
}


def blocks(record: object) -> Iterable[Block]:
    """A record as blocks."""
    module = import_module(f"mlreg.cli.views.{_MODULES[type(record).__name__]}")
    shown: Iterable[Block] = module.blocks(record)
    return shown


def show(record: object) -> None:
    """Print a record for people: coloured and fitted on a terminal, plain in a pipe."""
    if sys.stdout.isatty():
        from mlreg.cli.views.terminal import render

        render(blocks(record))
    else:
        from mlreg.cli.stdout import write_text

        write_text(plain(blocks(record)))
