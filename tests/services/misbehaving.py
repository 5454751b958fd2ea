"""Estimators that go wrong, each in its own way; registered with `trust`."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.pipeline import Pipeline, make_pipeline


def on_texts(estimator: Any) -> Pipeline:
    """A pipeline that hands texts to the estimator as they are."""
    return make_pipeline(Unchanged(), estimator)


class Unchanged(HashingVectorizer):  # type: ignore[misc]  # untyped
    """By its class it takes texts."""

    def transform(self, texts: Any) -> Any:
        return texts


class Broken(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # untyped
    """Answers by the input: `raise`, `surrogate`, `nan`, `none`, or else the text itself."""

    def __init__(self) -> None:
        self.fitted_ = True

    def fit(self, texts: Any, labels: Any) -> Broken:
        return self

    def predict(self, texts: Any) -> Any:
        return [self._answer(text) for text in texts]

    def _answer(self, text: str) -> Any:
        if text == "raise":
            raise ValueError("I cannot\nanswer \x1b[31m\ud800")
        if text == "exit":
            raise SystemExit(3)
        odd = {"surrogate": "a\ud800", "nan": np.nan, "none": None, "list": [1], "huge": 2**70}
        return odd.get(text, text)


class Choosy(Broken):
    """Raises at what it does not know."""

    def _answer(self, text: str) -> Any:
        if text != "known":
            raise ValueError("unknown")
        return text


class TooFew(Broken):
    """Gives one output whatever it is asked."""

    def predict(self, texts: Any) -> Any:
        return ["one"] if len(texts) > 1 else []
