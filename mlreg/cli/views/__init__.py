"""What people see: records as blocks of text and tables. Imported only where a person reads."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module

from mlreg.cli.views.blocks import Block, plain

# What shows a record. By name, so that a view is imported only with its record.
_VIEWS = {
    "Version": "versions.version",
    "VersionList": "versions.version_list",
    "NextVersions": "versions.next_versions",
    "ModelOverview": "versions.model_overview",
    "VersionComparison": "comparisons.blocks",
    "Revision": "traffic.split",
    "RevisionChange": "traffic.revision_change",
    "RevisionList": "traffic.revision_list",
    "RollbackList": "traffic.rollback_list",
    "Drill": "traffic.drill",
    "Choice": "traffic.choice",
    "Prediction": "predictions.prediction",
    "PredictionLog": "predictions.prediction_log",
    "PredictionTrail": "predictions.prediction_trail",
    "AnswerReceipt": "predictions.answer_receipt",
    "FeedbackReceipt": "predictions.feedback_receipt",
    "PerformanceReport": "performance.blocks",
    "ShadowReport": "shadows.report",
    "DisagreementList": "shadows.disagreements",
    "Replay": "shadows.replay",
    "EventList": "audit.blocks",
    "Turn": "decisions.turn",
    "Story": "decisions.story",
    "DecisionList": "decisions.decision_list",
    "Threshold": "alerts.threshold",
    "ThresholdList": "alerts.threshold_list",
    "Trial": "alerts.trial",
    "Alert": "alerts.alert",
    "AlertList": "alerts.alert_list",
    "Silence": "alerts.silence",
    "Policy": "policies.policy",
    "PolicyList": "policies.policy_list",
    "PolicyDifference": "policies.difference",
    "Applied": "policies.applied",
    "TrustReport": "trust.trust_report",
    "TrustedVersion": "trust.trusted_version",
    "Rollout": "rollouts.rollout",
    "RolloutStatus": "rollouts.rollout_status",
    "RolloutList": "rollouts.rollout_list",
    "Lint": "rollouts.lint",
    "Simulation": "rollouts.simulation",
    "HookList": "hooks.hook_list",
    "HookTest": "hooks.hook_test",
    "DeliveryList": "hooks.delivery_list",
    "DeliveryReport": "hooks.delivery_report",
    "RowSet": "queries.blocks",
    "SettingList": "settings.setting_list",
    "ConfigEntry": "settings.config_entry",
    "Experiment": "experiments.experiment",
    "ExperimentList": "experiments.experiment_list",
    "StandingList": "standings.blocks",
    "Assignment": "experiments.assignment",
    "Recorded": "experiments.recorded",
    "Analysis": "analyses.analysis",
    "Verification": "analyses.verification",
    "SelfTest": "selftests.blocks",
    "Plan": "planning.plan",
    "SplitCheck": "planning.split_check",
    "Diagnosis": "health.blocks",
    "Status": "status.blocks",
    "Sentence": "sentences.blocks",
}


def blocks(record: object) -> Iterable[Block]:
    """A record as blocks."""
    module, _, view = _VIEWS[type(record).__name__].partition(".")
    shown: Iterable[Block] = getattr(import_module(f"mlreg.cli.views.{module}"), view)(record)
    return shown


def show(record: object) -> None:
    """Print a record for people: coloured and fitted on a terminal, plain in a pipe."""
    if sys.stdout.isatty():
        from mlreg.cli.views.terminal import render

        render(blocks(record))
    else:
        from mlreg.cli.stdout import write_text

        write_text(plain(blocks(record)))
