"""A program that uses mlreg as a library, and is given one artifact after the other.

Run with a folder that holds a registry and `cases.json`; after each case its effects are written to
`N.json` there. Whoever started this sees by their absence which artifact ended or stopped it.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import mlreg

DESCRIPTOR = 40
ADDRESS_SPACE = 6 << 30
HUGE = 900 << 10
HONEST = "honest@1.0.0"


def main() -> None:
    place = Path(sys.argv[-1])
    told = json.loads((place / "cases.json").read_text())
    signals: list[int] = []
    signal.signal(signal.SIGUSR1, lambda number, _: signals.append(number))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open("/dev/null", os.O_RDONLY), DESCRIPTOR)
    keywords: dict[str, Any] = {"trust": True} if "--trust" in told["register"] else {}
    with mlreg.open(place) as registry:
        _register_honest(registry, place)
        for number, case in enumerate(told["cases"]):
            signals.clear()
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            effects = _play(registry, case, number, keywords)
            after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            effects += ["memory"] * (after - before > HUGE) + ["signalled"] * bool(signals)
            effects += _unharmed(registry)
            written = place / f"{number}.writing"
            written.write_text(json.dumps(effects))
            written.rename(place / f"{number}.json")


def _register_honest(registry: mlreg.Registry, place: Path) -> None:
    import joblib
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(TfidfVectorizer(), LogisticRegression())
    joblib.dump(model.fit(["good", "bad"], ["yes", "no"]), place / "honest.joblib")
    registry.versions.register(HONEST, place / "honest.joblib")
    registry.traffic.activate(HONEST)


def _play(registry: mlreg.Registry, case: dict[str, str], number: int, how: Any) -> list[str]:
    os.chdir(case["home"])
    os.environ["TMPDIR"] = case["tmp"]
    effects: list[str] = []
    effects += _register_and_ask(registry, f"m{number}", case, {**how, "check": True})
    if not any(said.startswith("said register predict") for said in effects):
        # As somebody who did not want to wait for the check.
        effects += _register_and_ask(registry, f"n{number}", case, {**how, "check": False})
    return effects


def _register_and_ask(
    registry: mlreg.Registry, name: str, case: dict[str, str], how: Any
) -> list[str]:
    from tests.torture.attacks.stage import tells

    asked = case["ask"] if case["kind"] == "text" else json.loads(case["ask"])
    step = "register" if how["check"] else "unchecked"
    try:
        registry.versions.register(f"{name}@1.0.0", case["artifact"], input=case["kind"], **how)
        registry.traffic.activate(f"{name}@1.0.0")
        step += " predict"
        answer = registry.predictions.predict(asked, model=name)
        said = f"said {step}: {answer.prediction!r}"
    except mlreg.MlregError as error:
        said = f"said {step}: {type(error).__name__} {error}"
    except BaseException as error:  # noqa: BLE001  what the caller would get
        said = f"said {step}: {type(error).__name__} {error}"
        return [f"raised {type(error).__name__}", said[:200], *tells(said)]
    return [said[:200], *tells(said)]


def _unharmed(registry: mlreg.Registry) -> list[str]:
    """What has happened to the caller itself."""
    effects = []
    try:
        os.fstat(DESCRIPTOR)
    except OSError:
        effects.append("descriptor lost")
        with contextlib.suppress(OSError):
            os.dup2(os.open("/dev/null", os.O_RDONLY), DESCRIPTOR)
    try:
        if registry.predictions.predict("good", model="honest").prediction != "yes":
            effects.append("poisoned")
    except Exception as error:  # noqa: BLE001
        effects.append(f"poisoned: {type(error).__name__} {error}"[:120])
    return effects


if __name__ == "__main__":
    main()
