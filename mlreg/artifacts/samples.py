"""Models made on the spot, for what needs a model and not its answers."""

from __future__ import annotations

from typing import Any


def constant_model(answer: str) -> Any:
    """A fitted model of one number that gives the same answer to all."""
    from sklearn.dummy import DummyClassifier

    return DummyClassifier(strategy="most_frequent").fit([[0.0], [1.0], [2.0]], [answer] * 3)
