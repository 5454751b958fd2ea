"""All texts of a file at once, one answer a line: predict_file.py MODEL TEXTS."""

import json
import sys
from pathlib import Path

import joblib

model = joblib.load(sys.argv[1])
probabilities = model.predict_proba(Path(sys.argv[2]).read_text().splitlines())
for row, best in zip(probabilities, probabilities.argmax(axis=1), strict=True):
    print(json.dumps({"prediction": str(model.classes_[best]), "confidence": float(row[best])}))
