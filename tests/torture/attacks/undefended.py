"""What an artifact does to whoever loads it by joblib and asks it: no mlreg anywhere.

Run as `python undefended.py cases.json`; each case is a dictionary with `artifact`, `ask`, `kind`
and `home`. A line of JSON comes back for each. The libraries are imported once; each case runs in a
fork of its own, in a session of its own, so that what it leaves behind can be seen and ended.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

PATIENCE = {"hang": 1.5, "memory": 4.0}  # seconds; an honest model takes a tenth of one
LONGEST = 20.0
ADDRESS_SPACE = 3 << 30
DESCRIPTOR = 40  # one that the victim holds open


_SIGNALS: list[int] = []


def main() -> None:
    import joblib
    import sklearn.ensemble
    import sklearn.neighbors
    import sklearn.svm  # noqa: F401

    signal.signal(signal.SIGUSR1, lambda number, _: _SIGNALS.append(number))
    for case in json.loads(Path(sys.argv[1]).read_text()):
        print(json.dumps(_watch(case, joblib)), flush=True)


def _watch(case: dict[str, str], joblib: Any) -> dict[str, Any]:
    said = Path(case["home"]) / "said"
    _SIGNALS.clear()
    child = os.fork()
    if child == 0:
        _victim(case, said, joblib)
    seen: set[int] = set()
    status: int | None
    deadline = time.monotonic() + PATIENCE.get(case["aim"], LONGEST)
    while True:
        ended, status, usage = os.wait4(child, os.WNOHANG)
        seen |= session(child) - {child}
        if ended:
            break
        if time.monotonic() > deadline or (seen and case["aim"] == "process"):
            os.kill(child, signal.SIGKILL)
            _, _, usage = os.wait4(child, 0)
            status = None
            break
        time.sleep(0.01)
    for left in session(child):
        with contextlib.suppress(ProcessLookupError):
            os.kill(left, signal.SIGKILL)
    return {
        "code": None if status is None else os.waitstatus_to_exitcode(status),
        "hung": status is None,
        "processes": len(seen),
        "signals": len(_SIGNALS),
        "megabytes": usage.ru_maxrss // 1024,
        "said": said.read_text(errors="replace") if said.exists() else "",
    }


def session(leader: int) -> set[int]:
    """The processes of a session."""
    found = set()
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == leader and fields[0] != "Z":
                    found.add(int(entry))
    return found


def _victim(case: dict[str, str], said: Path, joblib: Any) -> None:
    os.setsid()
    sink = os.open(said, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    os.environ.update(HOME=case["home"], TMPDIR=case["tmp"])
    os.chdir(case["home"])
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open("/dev/null", os.O_RDONLY), DESCRIPTOR)
    code = 0
    try:
        model = joblib.load(case["artifact"])
        try:
            print("ANSWER", _answer(model, case), flush=True)
        except Exception:  # noqa: BLE001  some need two
            print("ANSWER", _answer(model, case), flush=True)
        _poisoned()
    except SystemExit:
        atexit._run_exitfuncs()
    except BaseException:  # noqa: BLE001  the artifact may raise what it likes
        traceback.print_exc()
        code = 9
    try:
        os.fstat(DESCRIPTOR)
    except OSError:
        print("DESCRIPTOR LOST")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _answer(model: Any, case: dict[str, str]) -> Any:
    asked = case["ask"] if case["kind"] == "text" else json.loads(case["ask"])
    for method in ("predict_proba", "predict", "transform"):
        if hasattr(model, method):
            given = getattr(model, method)([asked])
            if method == "predict_proba":
                return model.classes_[given[0].argmax()]
            return given
    raise TypeError("no model")


def _poisoned() -> None:
    """Say so if an honest model no longer answers as it did."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    honest = make_pipeline(TfidfVectorizer(), LogisticRegression())
    try:
        answers = honest.fit(["good", "bad"], ["yes", "no"]).predict(["good"]).tolist()
    except Exception:  # noqa: BLE001
        answers = []
    if answers != ["yes"]:
        print("POISONED")


if __name__ == "__main__":
    main()
