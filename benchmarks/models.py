"""Synthetic texts, two text models of them, and a registry with two versions."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import mlreg

TEXT = "w1 w20 w300 great product"
WORDS = 30_000


def texts(count: int, *, seed: int = 1) -> list[str]:
    """Texts of 5 to 43 words; a few words are frequent, most are rare, as in real ones."""
    rng = random.Random(seed)
    return [
        " ".join(f"w{int(WORDS * rng.random() ** 3)}" for _ in range(rng.randint(5, 43)))
        for _ in range(count)
    ]


def make_model(path: Path, *, features: int) -> Path:
    """Fit a TfidfVectorizer and LogisticRegression with this many features, as a joblib file."""
    import joblib
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    corpus = texts(4000, seed=2)
    labels = ["positive" if random.Random(text).random() < 0.5 else "negative" for text in corpus]
    vectorizer = TfidfVectorizer(max_features=features, ngram_range=(1, 1 + (features > 1000)))
    pipeline: Any = make_pipeline(vectorizer, LogisticRegression())
    pipeline.fit(corpus, labels)
    joblib.dump(pipeline, path)
    return path


def tiny(folder: Path) -> Path:
    """200 features, 11 kB."""
    return make_model(folder / "tiny.joblib", features=200)


def mid(folder: Path) -> Path:
    """20 000 features of one and two words, 1 MB."""
    return make_model(folder / "mid.joblib", features=20_000)


def registry(folder: Path, model: Path) -> None:
    """Create a registry with two versions of a model, the first at 80 %."""
    with mlreg.init(folder) as found:
        for version in ("1.0.0", "2.0.0"):
            found.versions.register(f"sentiment@{version}", model)
        found.traffic.activate("sentiment@1.0.0")
        found.traffic.activate("sentiment@2.0.0", percent=20, strategy="sticky")
