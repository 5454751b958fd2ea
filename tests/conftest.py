"""What all tests share: small real pipelines, their files, and a registry to try them in.

Pipelines are fitted once a session and must not be changed; a registry is new for each test.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from mlreg import user
from mlreg.registry import Registry, init_registry

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# A machine that is busy with other things makes no test fail.
hypothesis.settings.register_profile(
    "steady", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("steady")

GOOD = ["great product", "love it", "really great, love it", "good value", "great quality"]
BAD = ["terrible product", "hate it", "broke at once", "bad quality", "really terrible"]
CUSTOMERS: list[dict[str, Any]] = [
    {"age": 20.0 + 3 * i, "visits": float(i % 7), "plan": "basic" if i % 3 else "pro"}
    for i in range(20)
]


@pytest.fixture(scope="session", autouse=True)
def _session_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is made once a session, before any test, must not reach the user's own key either."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The user's own folder, for each test anew; their real settings must not reach the tests."""
    for name in list(os.environ):
        if name.startswith("MLREG_"):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("config")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    return home / user.FOLDER


@pytest.fixture(scope="session", autouse=True)
def _hear_interrupts() -> None:
    """A shell that starts the tests in the background has them, and all they start, ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def text_pipeline() -> Pipeline:
    """Texts to `positive` or `negative`."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    labels = ["positive"] * len(GOOD) + ["negative"] * len(BAD)
    return make_pipeline(TfidfVectorizer(), LogisticRegression(C=10)).fit(GOOD + BAD, labels)


@pytest.fixture(scope="session")
def other_text_pipeline() -> Pipeline:
    """The same task, other weights: its artifact has another digest."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    labels = ["positive"] * len(GOOD) + ["negative"] * len(BAD)
    return make_pipeline(CountVectorizer(), LogisticRegression(C=2)).fit(GOOD + BAD, labels)


@pytest.fixture(scope="session")
def record_pipeline() -> Pipeline:
    """Customers (`age`, `visits`, `plan`) to 1, who leaves, or 0."""
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    leaves = [int(customer["visits"] < 3) for customer in CUSTOMERS]
    pipeline = make_pipeline(DictVectorizer(sparse=False), LogisticRegression(max_iter=2000))
    return pipeline.fit(CUSTOMERS, leaves)


@pytest.fixture(scope="session")
def vector_pipeline() -> Pipeline:
    """Three numbers to `high` or `low`."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = [[float(i), float(i % 5), -float(i)] for i in range(20)]
    labels = ["high" if i >= 10 else "low" for i in range(20)]
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels)


@pytest.fixture(scope="session")
def number_pipeline() -> Pipeline:
    """Two numbers to a number near their sum: a regression has no confidence."""
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = [[float(i), float(i % 4)] for i in range(20)]
    return make_pipeline(StandardScaler(), Ridge()).fit(rows, [sum(row) for row in rows])


@pytest.fixture(scope="session")
def artifacts(
    tmp_path_factory: pytest.TempPathFactory,
    text_pipeline: Pipeline,
    other_text_pipeline: Pipeline,
    record_pipeline: Pipeline,
    vector_pipeline: Pipeline,
    number_pipeline: Pipeline,
) -> dict[str, Path]:
    """Each pipeline as a joblib file: `text`, `other_text`, `record`, `vector`, `number`."""
    import joblib

    folder = tmp_path_factory.mktemp("artifacts")
    pipelines = {
        "text": text_pipeline,
        "other_text": other_text_pipeline,
        "record": record_pipeline,
        "vector": vector_pipeline,
        "number": number_pipeline,
    }
    for name, pipeline in pipelines.items():
        joblib.dump(pipeline, folder / f"{name}.joblib")
    return {name: folder / f"{name}.joblib" for name in pipelines}


@pytest.fixture(scope="session")
def artifact(artifacts: dict[str, Path]) -> Path:
    """The text pipeline as a joblib file."""
    return artifacts["text"]


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """An empty registry in `tmp_path`, which runs models in this process."""
    with init_registry(tmp_path, actor="tester") as found:
        yield found


@pytest.fixture
def serving_registry(registry: Registry, artifacts: dict[str, Path]) -> Registry:
    """`sentiment` with 1.0.0 at 80 % and 2.0.0 at 20 %."""
    registry.versions.register("sentiment@1.0.0", artifacts["text"], accuracy=0.85)
    registry.versions.register("sentiment@2.0.0", artifacts["other_text"], accuracy=0.9)
    registry.traffic.activate("sentiment@1.0.0")
    registry.traffic.activate("sentiment@2.0.0", percent=20)
    return registry
