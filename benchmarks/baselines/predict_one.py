"""What one writes without a registry: predict_one.py MODEL TEXT."""

import sys

import joblib

model = joblib.load(sys.argv[1])
probabilities = model.predict_proba([sys.argv[2]])[0]
best = probabilities.argmax()
print(model.classes_[best], probabilities[best])
