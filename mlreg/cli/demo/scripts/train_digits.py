"""Train three versions of a model that reads handwritten digits, from scikit-learn's own data.

Each digit is 8 by 8 shades of grey, 64 numbers. All versions see the same 700 digits. The first
takes each shade for independent of the others (naive Bayes), the second weighs them together
(logistic regression). The third is the first once more, after an accident: its labels were mixed
up. Another 400 digits, unseen by all, give the accuracy to register. 600 more stand in for the
traffic of the coming weeks.
"""

import json
from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

TRAINED_ON, MEASURED_ON, TRAFFIC = 700, 400, 600

shades, digits = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(digits))
shades, digits = shades[order], digits[order]

known = slice(0, TRAINED_ON)
unseen = slice(TRAINED_ON, TRAINED_ON + MEASURED_ON)
later = slice(unseen.stop, unseen.stop + TRAFFIC)

versions = {
    "bayes": make_pipeline(StandardScaler(), GaussianNB()),
    "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "mixed": make_pipeline(StandardScaler(), GaussianNB()),
}

scores = {}
for name, pipeline in versions.items():
    taught = digits[known]
    if name == "mixed":
        taught = np.random.default_rng(1).permutation(taught)
    pipeline.fit(shades[known], taught)
    scores[name] = round(pipeline.score(shades[unseen], digits[unseen]), 3)
    joblib.dump(pipeline, f"{name}.joblib")
    print(f"{name}.joblib: right about {scores[name]:.1%} of {MEASURED_ON} unseen digits")

Path("scores.json").write_text(json.dumps(scores))
rows = [json.dumps(row) for row in shades[later].astype(int).tolist()]
Path("inputs.txt").write_text("\n".join(rows) + "\n")
Path("labels.txt").write_text("\n".join(map(str, digits[later])) + "\n")
print(f"inputs.txt, labels.txt: {TRAFFIC} other digits, and what they are")
