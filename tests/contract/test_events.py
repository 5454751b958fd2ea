"""The types of events that hooks rest on: those that can happen are known, and no others."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import mlreg.services
from mlreg.entities.audit import ACTIONS
from mlreg.entities.traffic import Cause
from mlreg.services import rollbacks, watching
from mlreg.services.rollouts.states import Action

SERVICES = Path(mlreg.services.__file__).parent
# What writes an event; its action is the keyword `action`, or one of the first three arguments.
WRITERS = {"append", "tell", "_tell", "_record"}


def written() -> Iterator[tuple[str, str]]:
    """The actions that stand as texts where events are written, and where."""
    for path in SERVICES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in WRITERS:
                given = [k.value for k in node.keywords if k.arg == "action"]
                first = [] if name == "append" else node.args[:3]
                for one in (*given, *first):
                    if isinstance(one, ast.Constant) and isinstance(one.value, str):
                        yield one.value, f"{path.relative_to(SERVICES)}, line {node.lineno}"


def test_each_action_that_is_written_can_be_asked_for():
    found = dict(written())
    assert {"config", "alias", "rollout.start", "hook.dead", "abtest start"} <= set(found)
    unknown = {action: place for action, place in found.items() if action not in ACTIONS}
    assert not unknown, "add them to entities.audit.ACTIONS"


def test_each_action_that_is_put_together_can_be_asked_for():
    made = {
        *get_args(Cause),
        *(f"rollout.{action}" for action in get_args(Action)),
        *(watching.FIRING, watching.RESOLVED, watching.ACKNOWLEDGED, watching.SILENCED),
        *(rollbacks.REFUSED, rollbacks.DRILL),
    }
    assert made <= set(ACTIONS)


def test_no_action_is_listed_twice():
    assert len(set(ACTIONS)) == len(ACTIONS)
