"""Import scikit-learn and load an artifact: load_only.py MODEL."""

import sys

import joblib

joblib.load(sys.argv[1])
