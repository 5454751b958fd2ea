"""A record model from start to end with the library: of which cultivar is this wine?

    python examples/wine.py [FOLDER]

Two versions are trained on scikit-learn's wine data; the first looks at one of the 13 measures.
There are but 118 wines left to ask them about, and the report says whether that is enough.
"""

from __future__ import annotations

import random
import sys
import tempfile

from sklearn.datasets import load_wine
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mlreg

Wine = dict[str, float]


def main(folder: str) -> None:
    """Register, split the traffic, predict, send the truth back, report."""
    wines, cultivars = load()
    train, later = slice(0, 60), slice(60, None)
    # A DictVectorizer remembers the names of the fields: mlreg reads the signature from it.
    one = make_pipeline(DictVectorizer(sparse=False), SelectKBest(k=1), LogisticRegression())
    all_of_them = make_pipeline(
        DictVectorizer(sparse=False), StandardScaler(), LogisticRegression()
    )
    with mlreg.init(folder) as registry:
        registry.versions.register("wine@1.0.0", one.fit(wines[train], cultivars[train]))
        registry.versions.register("wine@2.0.0", all_of_them.fit(wines[train], cultivars[train]))
        registry.traffic.activate("wine@1.0.0")
        registry.traffic.activate("wine@2.0.0", percent=50, strategy="round-robin")
        answers = registry.predictions.predict_many(wines[later])
        registry.feedback.record_many(
            mlreg.Feedback(prediction_id=answer.prediction_id or 0, label=truth)
            for answer, truth in zip(answers, cultivars[later], strict=True)
        )
        report = registry.performance.report("wine", baseline="1.0.0")
    for entry in report.models:
        print(f"wine@{entry.version}: right about {entry.accuracy:.1%} of {entry.labelled_count}")
    print(f"{report.verdict}: {report.recommendation}")


def load() -> tuple[list[Wine], list[str]]:
    """The wines as records, and their cultivars, in an order that means nothing."""
    data = load_wine()
    records = [dict(zip(data.feature_names, map(float, row), strict=True)) for row in data.data]
    pairs = list(zip(records, (str(data.target_names[i]) for i in data.target), strict=True))
    random.Random(1).shuffle(pairs)
    return [record for record, _ in pairs], [cultivar for _, cultivar in pairs]


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="wine-"))
