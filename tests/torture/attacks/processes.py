"""Processes that a model starts by being asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import LatentDirichletAllocation, SparseCoder
from sklearn.ensemble import BaggingClassifier
from sklearn.feature_selection import mutual_info_classif
from sklearn.linear_model import LogisticRegression, TheilSenRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import FeatureUnion
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from tests.torture.attacks.campaign import attack
from tests.torture.attacks.kit import (
    always,
    arrays,
    before_a_model,
    called,
    chain,
    classifier,
    dumped,
    inner,
    items,
    named,
    poured,
    regressor,
    stack,
    text,
)  # fmt: skip


@attack("A union with two jobs, as many a tutorial has it.", "process")
def union_of_processes(scratch: Path) -> bytes:
    scaler = StandardScaler().fit([[0.0], [1.0]])
    return dumped(chain(FeatureUnion([("a", scaler), ("b", scaler)], n_jobs=2), classifier(2)))


@attack("Columns with two jobs.", "process", ask="[0.5, 0.5]")
def columns_of_processes(scratch: Path) -> bytes:
    parts = [("a", StandardScaler(), [0]), ("b", StandardScaler(), [1])]
    made = ColumnTransformer(parts, n_jobs=1).fit([[0.0, 1.0], [1.0, 0.0]])
    made.n_jobs = 2
    return dumped(chain(made, classifier(2)))


@attack("Bagging with two jobs.", "process")
def bagging_of_processes(scratch: Path) -> bytes:
    made = BaggingClassifier(LogisticRegression(), n_estimators=4).fit(*arrays())
    made.n_jobs = 2
    return dumped(made)


@attack("Several outputs with two jobs.", "process")
def outputs_of_processes(scratch: Path) -> bytes:
    grid, labels = arrays()
    made = MultiOutputClassifier(LogisticRegression()).fit(grid, np.c_[labels, labels])
    made.n_jobs = 2
    return dumped(stack([made], ["predict"], classifier(2)))


@attack("A sparse coder with two jobs, two rows.", "process")
def coder_of_processes(scratch: Path) -> bytes:
    coder = SparseCoder(np.eye(2), transform_algorithm="omp", n_jobs=2)
    return dumped(chain(poured(np.ones((3, 2))), coder, classifier(2)))


@attack("Topics with two jobs.", "process", ask="[1.0, 2.0]")
def topics_of_processes(scratch: Path) -> bytes:
    made = LatentDirichletAllocation(2).fit([[1.0, 2.0], [3.0, 1.0]])
    made.n_jobs = 2
    return dumped(chain(made, classifier(2)))


@attack("A function on the list whose keywords ask for processes.", "process")
def function_of_processes(scratch: Path) -> bytes:
    step = FunctionTransformer(
        mutual_info_classif,
        kw_args={"y": np.arange(12) % 2, "n_jobs": 2, "discrete_features": False},
    )
    one = always(np.array([0.5]))
    return dumped(chain(*one, poured(np.random.RandomState(0).rand(12, 2)), step, classifier(2)))


@attack("A grid search that a stack fits, in two processes.", "process")
def search_of_processes(scratch: Path) -> bytes:
    from sklearn.neighbors import KernelDensity

    search = GridSearchCV(KernelDensity(), {"bandwidth": [0.5, 1.0]}, n_jobs=2, cv=2)
    return dumped(chain(poured(np.arange(8.0).reshape(4, 2)), stack([search], ["fit"])))


@attack(
    "A large array beside two jobs: joblib maps it to a file of its own for the children.",
    "process",
)
def mapped_for_processes(scratch: Path) -> bytes:
    """Above a megabyte joblib dumps arguments into TMPDIR or /dev/shm."""
    grid = np.zeros((1, 200_000))
    scaler = StandardScaler().fit(np.ones((2, 200_000)))
    union = FeatureUnion([("a", scaler), ("b", scaler)], n_jobs=2)
    return dumped(chain(*always(np.array([0.5])), poured(grid), union, regressor(400_000)))


@attack(
    "`joblib.Parallel` is not named, but its spawned children run what `sys.path` has.", "process"
)
def theil_sen_of_processes(scratch: Path) -> bytes:
    from sklearn.multioutput import MultiOutputRegressor

    grid, labels = arrays()
    made = MultiOutputRegressor(TheilSenRegressor(max_subpopulation=10)).fit(
        grid, np.c_[labels, labels]
    )
    made.n_jobs = 2
    return dumped(made)


@attack("`os.system` by a text opcode, before the model.", "process")
def shell_at_load(scratch: Path) -> bytes:
    return before_a_model(
        called(named("posix", "system"), text(f"touch {scratch / 'written'}; sleep 1"))
    )


@attack("`subprocess.Popen` whose process stays.", "process")
def process_that_stays(scratch: Path) -> bytes:
    words = b"](" + text("sleep") + text("61.25") + b"e"
    return before_a_model(called(named("subprocess", "Popen"), words))


@attack("`os.posix_spawn` with the arguments of a tuple.", "process")
def spawned(scratch: Path) -> bytes:
    made = called(
        named("posix", "posix_spawn"), text("/bin/sleep"), items(text("sleep"), text("0.5")), b"}"
    )
    return before_a_model(made)


@attack("`multiprocessing.Process` is made, and started by its own method.", "process")
def started_by_a_method(scratch: Path) -> bytes:
    pool = called(named("multiprocessing", "Pool"), inner(1))
    return before_a_model(pool)
