"""Train three versions of a sentiment model on words that people have rated.

The words are those of VADER's lexicon (Hutto and Gilbert, 2014): ten people rated each of them
between -4, very negative, and 4, very positive. A word is labelled by the sign of their mean.

All versions see the same 4500 words. The first looks at pairs of letters, the second at runs of
two to six letters, which catch stems such as `lov` and `disgust`. The third is the first once more,
after an accident: its labels were mixed up. Another 1500 words, unseen by all, give the accuracy to
register. 600 more stand in for the traffic of the coming weeks.
"""

import json
import random
from importlib.resources import files
from pathlib import Path

import joblib
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

TRAINED_ON, MEASURED_ON, TRAFFIC = 4500, 1500, 600

lines = (files("vaderSentiment") / "vader_lexicon.txt").read_text("utf-8").splitlines()
rated = {word: float(mean) for word, mean, *_ in (line.split("\t") for line in lines if line)}
words = sorted(rated)
random.Random(0).shuffle(words)
labels = ["positive" if rated[word] > 0 else "negative" for word in words]

known = slice(0, TRAINED_ON)
unseen = slice(TRAINED_ON, TRAINED_ON + MEASURED_ON)
later = slice(unseen.stop, unseen.stop + TRAFFIC)

pairs = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 2))
runs = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 6), sublinear_tf=True)
versions = {
    "pairs": make_pipeline(pairs, LogisticRegression(C=5, solver="liblinear")),
    "runs": make_pipeline(runs, LogisticRegression(C=20, solver="liblinear")),
    "mixed": make_pipeline(pairs, LogisticRegression(C=5, solver="liblinear")),
}

scores = {}
for name, pipeline in versions.items():
    taught = labels[known]
    if name == "mixed":
        random.Random(1).shuffle(taught)
    pipeline.fit(words[known], taught)
    scores[name] = round(pipeline.score(words[unseen], labels[unseen]), 3)
    joblib.dump(pipeline, f"{name}.joblib")
    print(f"{name}.joblib: right about {scores[name]:.1%} of {MEASURED_ON} unseen words")

Path("scores.json").write_text(json.dumps(scores))
Path("inputs.txt").write_text("\n".join(words[later]) + "\n", "utf-8")
Path("labels.txt").write_text("\n".join(labels[later]) + "\n", "utf-8")
print(f"inputs.txt, labels.txt: {TRAFFIC} other words, and what people say of them")
