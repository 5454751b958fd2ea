#!/usr/bin/env bash
# Four versions are rolled out beside one that serves, each in a registry of its own: a good one goes
# up to 100 %, the others are caught on the way.
#
#   examples/canary.sh [FILE]
#
# FILE has a score and a text on each line, with a tab between; a score above 0 is positive. Left
# out, it is the lexicon of `mlreg demo`. Traffic comes in rounds of 500 requests, half of which are
# labelled at once; between two rounds there is a tick, as cron would make one.
set -euo pipefail

data=$(realpath "${1:-/dev/null}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export PYTHONPATH="$folder" # versions with code of their own are trusted, and found here

cat > faulty.py <<'PYTHON'
"""Versions that have something wrong with them."""

import time
import zlib

from sklearn.base import BaseEstimator, ClassifierMixin


class Raising(ClassifierMixin, BaseEstimator):
    """Fails on one input in ten."""

    def __init__(self, model=None):
        self.model = model

    def predict(self, texts):
        if any(zlib.crc32(text.encode()) % 10 == 0 for text in texts):
            raise ValueError("this one is too hard")
        return self.model.predict(texts)


class Slow(Raising):
    """Takes 20 ms for each text."""

    def predict(self, texts):
        time.sleep(0.02 * len(texts))
        return self.model.predict(texts)
PYTHON

python - "$data" <<'PYTHON'
import random
import sys
from importlib.resources import files

import joblib
from faulty import Raising, Slow
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

if sys.argv[1] == "/dev/null":
    lexicon = (files("vaderSentiment") / "vader_lexicon.txt").read_text("utf-8").splitlines()
    rated = [line.split("\t")[1::-1] for line in lexicon if line]
else:
    with open(sys.argv[1], encoding="utf-8") as lines:
        rated = [line.rstrip("\n").split("\t", 1) for line in lines][1:]
random.Random(0).shuffle(rated)
texts = [text for _, text in rated]
labels = ["positive" if float(score) > 0 else "negative" for score, _ in rated]
half = len(rated) // 2


def trained(longest: int, answers: list[str]):
    words = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, longest), sublinear_tf=True)
    return make_pipeline(words, LogisticRegression(C=20)).fit(texts[:half], answers)


good = trained(5, labels[:half])
shuffled = random.Random(1).sample(labels[:half], half)
versions = {
    "serving": trained(4, labels[:half]),
    "good": good,
    "shuffled": trained(5, shuffled),
    "raising": Raising(good),
    "slow": Slow(good),
}
versions["raising"].classes_ = versions["slow"].classes_ = good.classes_
for name, model in versions.items():
    joblib.dump(model, f"{name}.joblib")
with open("traffic.tsv", "w", encoding="utf-8") as out:
    out.writelines(f"{text}\t{label}\n" for text, label in zip(texts[half:], labels[half:]))
PYTHON

# One round: 500 requests, and the labels of those that came first.
answer() {
  shuf -r -n 500 traffic.tsv > round.tsv
  cut -f1 round.tsv | mlreg predict --file - --field prediction_id 2> errors.txt > ids.txt || [ $? = 7 ]
  { echo prediction_id,label; paste -d, ids.txt <(cut -f2 round.tsv) | sed -n 1,250p; } > labels.csv
  mlreg feedback --file labels.csv --field recorded > recorded.txt
}

roll_out() {
  rm -rf .mlreg
  mlreg init --field folder > init.txt
  mlreg register m@1.0.0 serving.joblib --field version > version.txt
  mlreg register m@2.0.0 "$1.joblib" --trust --input text --field version > version.txt
  mlreg activate m@1.0.0 --field revision > revision.txt
  answer
  mlreg rollout start m@2.0.0 --steps 10,25,50,100 --interval 0 --bake 0 --min-samples 200 \
    --check 'error_rate <= 5% sure' --check 'p95_latency_ms <= 10ms sure' \
    --check 'accuracy >= baseline - 5pt sure' --field rollout_id > rollout.txt
  local state=progressing
  while [ "$state" = progressing ] || [ "$state" = baking ]; do
    answer
    mlreg tick --field decisions.what > decisions.txt
    state=$(mlreg rollout status m --field state)
  done
  local served
  served=$(mlreg sql "select count(*) as n from predictions p join versions v on v.key = p.version
    where v.version = '2.0.0'" --field n)
  echo "$1: $state after $served requests; $(mlreg rollout show m --field reason)"
}

for version in good shuffled raising slow; do
  roll_out "$version"
done
