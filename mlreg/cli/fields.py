"""Which fields the result of each command has: known, and checked, before the command runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from importlib import import_module
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from mlreg.cli.output import unknown_field
from mlreg.jsonable import names_of

Given = Mapping[str, Any]
"""The parameters of a command by name."""

# The name of a record below mlreg, the fields of an object by name, several that it may be, or
# None for what is free. A list has the fields of its items.
Shape = str | dict[str, Any] | tuple[Any, ...] | None

_VERSION, _REVISION = "entities.versions.Version", "entities.traffic.Revision"
_LOGGED, _EXPERIMENT = "entities.predictions.LoggedPrediction", "entities.experiments.Experiment"
_TRUSTED, _SETTING = "entities.trust.TrustedVersion", "config.ConfigEntry"
_OVERVIEW, _ANALYSIS = "entities.reports.ModelOverview", "entities.analyses.Analysis"
_HOOK = "entities.hooks.Hook"
_ROLLOUT = "entities.rollouts.Rollout"
_KEY: Shape = {"key": str}
_THRESHOLD, _ALERT = "entities.thresholds.Threshold", "entities.thresholds.Alert"
_POLICY = "entities.decisions.Policy"


def _of_rollback(given: Given) -> Shape:
    if given.get("drill"):
        return "entities.traffic.Drill"
    return {"rollbacks": "entities.traffic.Rollback"} if given.get("history") else _REVISION


def _of_route(given: Given) -> Shape:
    return "entities.traffic.Choice" if given.get("user") is not None else _REVISION


def _of_predict(given: Given) -> Shape:
    answer = "entities.predictions.Prediction"
    return (answer, {"input": None}) if given.get("keep") else answer


def _of_log(given: Given) -> Shape:
    return _LOGGED if given.get("follow") else {"predictions": _LOGGED}


def _of_config(given: Given) -> Shape:
    return {"settings": _SETTING} if given.get("key") is None else _SETTING


def _of_accept(given: Given) -> Shape:
    return _TRUSTED if given.get("giver") is None else _KEY


def _of_revoke(given: Given) -> Shape:
    from mlreg.trust import is_key

    return _KEY if is_key(str(given.get("what"))) else _TRUSTED


def _of_why(given: Given) -> Shape:
    decision = "entities.decisions.Decision"
    return "entities.decisions.Story" if given.get("number") else {"decisions": decision}


# What each command prints, which may depend on its parameters.
RESULTS: dict[str, Shape | Callable[[Given], Shape]] = {
    "init": {"folder": str, "registry": str},
    "register": _VERSION,
    "attach": _VERSION,
    "next": "entities.reports.NextVersions",
    "list": {"models": _VERSION},
    "show": (_VERSION, _OVERVIEW, "entities.predictions.PredictionTrail"),
    "compare": "entities.reports.VersionComparison",
    "edit": (_OVERVIEW, _VERSION),
    "alias": _VERSION,
    "archive": _VERSION,
    "delete": _VERSION,
    "activate": _REVISION,
    "deactivate": _REVISION,
    "route": _of_route,
    "promote": _REVISION,
    "rollback": _of_rollback,
    "history": {"model": str, "revisions": _REVISION},
    "predict": _of_predict,
    "feedback": "entities.predictions.FeedbackReceipt",
    "log": _of_log,
    "perf": "entities.reports.PerformanceReport",
    "shadow report": "entities.shadows.ShadowReport",
    "shadow queue": {"disagreements": "entities.shadows.Disagreement"},
    "replay": "entities.shadows.Replay",
    "tick": "entities.decisions.Turn",
    "status": "entities.status.Status",
    "next-steps": "entities.decisions.Turn",
    "why": _of_why,
    "apply": "entities.policies.Applied",
    "policy show": _POLICY,
    "policy diff": "entities.policies.PolicyDifference",
    "policy history": {"model": str, "policies": _POLICY},
    "policy edit": "entities.policies.Applied",
    "policy rollback": _POLICY,
    "policy schema": None,
    "threshold set": _THRESHOLD,
    "threshold defaults": {"thresholds": _THRESHOLD},
    "threshold list": {"thresholds": _THRESHOLD},
    "threshold remove": _POLICY,
    "threshold test": "entities.thresholds.Trial",
    "alerts": {"alerts": _ALERT},
    "alerts ack": _ALERT,
    "alerts silence": "entities.thresholds.Silence",
    "alerts show": _ALERT,
    "audit": "entities.audit.Event",
    "sql": None,
    "record": "entities.predictions.AnswerReceipt",
    "config": _of_config,
    "doctor": "entities.audit.Diagnosis",
    "selftest": "entities.selftests.SelfTest",
    "demo": "cli.commands.demo.DemoReport",
    "rollout lint": "entities.rollouts.Lint",
    "rollout simulate": "entities.rollouts.Simulation",
    "rollout start": _ROLLOUT,
    "rollout advance": _ROLLOUT,
    "rollout approve": _ROLLOUT,
    "rollout pause": _ROLLOUT,
    "rollout resume": _ROLLOUT,
    "rollout promote": _ROLLOUT,
    "rollout abort": _ROLLOUT,
    "rollout retry": _ROLLOUT,
    "rollout status": "entities.rollouts.RolloutStatus",
    "rollout show": _ROLLOUT,
    "rollout list": {"rollouts": _ROLLOUT},
    "hook add": _HOOK,
    "hook remove": _HOOK,
    "hook test": "entities.hooks.HookTest",
    "hook deliver": "entities.hooks.DeliveryReport",
    "hook list": {"hooks": _HOOK},
    "hook deliveries": {"deliveries": "entities.hooks.Delivery"},
    "trust accept": _of_accept,
    "trust key": _KEY,
    "trust list": "entities.trust.TrustReport",
    "trust revoke": _of_revoke,
    "abtest power": "entities.planning.Plan",
    "abtest srm": "entities.planning.SplitCheck",
    "abtest create": _EXPERIMENT,
    "abtest start": _EXPERIMENT,
    "abtest step": _EXPERIMENT,
    "abtest status": {"experiments": "entities.analyses.Standing"},
    "abtest stop": _EXPERIMENT,
    "abtest analyze": _ANALYSIS,
    "abtest conclude": _ANALYSIS,
    "abtest verify": "entities.analyses.Verification",
    "abtest show": _EXPERIMENT,
    "abtest delete": _EXPERIMENT,
    "abtest list": {"experiments": _EXPERIMENT},
    "abtest assign": "entities.experiments.Assignment",
    "abtest record": {"test_id": str, "recorded": int, "prediction_id": int},
}


def check(command: str, given: Given, path: str) -> None:
    """Refuse a field that the result of a command cannot have.

    Args:
        command: Its name, with that of its group before it.
        given: Its parameters.
        path: The field, dotted.

    Raises:
        InvalidInput: There is no such field; the hint lists those that there are.
    """
    result = RESULTS[command]
    kinds = _kinds(result(given) if callable(result) else result)
    done: list[str] = []
    for name in path.split("."):
        if None in kinds:  # from here on it is as the data say
            return
        known = {field: kind for record in kinds for field, kind in _fields(record).items()}
        if name not in known:
            raise unknown_field(name, done, known)
        found = [_fields(record).get(name, str) for record in kinds]
        kinds = [kind for one in found for kind in _kinds(one)]
        done.append(name)


def _kinds(kind: Any) -> list[Any]:
    """What a value may be: records, objects by field, plain types, or None where it is free."""
    if isinstance(kind, str):
        module, _, name = kind.rpartition(".")
        return [getattr(import_module(f"mlreg.{module}"), name)]
    if isinstance(kind, tuple):
        return [one for part in kind for one in _kinds(part)]
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return [one for part in inner if part is not type(None) for one in _kinds(part)]
    if origin in (tuple, list):
        return [one for part in inner if part is not ... for one in _kinds(part)]
    is_mapping = isinstance(origin, type) and issubclass(origin, Mapping)
    return [None if is_mapping or kind in (None, Any, object) else kind]


def _fields(kind: Any) -> dict[str, Any]:
    """The fields of a record or object with their types; a plain value has none."""
    if isinstance(kind, dict):
        return kind
    if not (is_dataclass(kind) or hasattr(kind, "_fields")):
        return {}
    hints = get_type_hints(kind)
    return {name: hints.get(name) or _computed(kind, name) for name in names_of(kind)}


def _computed(kind: type, name: str) -> Any:
    """The type of a property."""
    return get_type_hints(getattr(kind, name).fget)["return"]
