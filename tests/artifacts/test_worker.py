from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlreg.artifacts.child import Server, serve
from mlreg.artifacts.lane import PIECE, Limits
from mlreg.artifacts.objects import ObjectStore
from mlreg.artifacts.process import WorkerProcess
from mlreg.artifacts.runner import Answer, Failure
from mlreg.artifacts.worker import WorkerRunner
from mlreg.errors import ArtifactMissing, ArtifactUnloadable, ArtifactUntrusted
from tests.artifacts.conftest import Store, calling

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
FINE = Answer(0, None)


@pytest.fixture
def make(objects: ObjectStore, misbehaving: Any) -> Iterator[Callable[..., WorkerRunner]]:
    runners = []

    def runner(**options: Any) -> WorkerRunner:
        runners.append(WorkerRunner(objects, **{"timeout_seconds": 20.0} | options))
        return runners[-1]

    yield runner
    for made in runners:
        made.close()


@pytest.fixture
def runner(make: Callable[..., WorkerRunner]) -> WorkerRunner:
    return make()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:1]


def pid_of(runner: WorkerRunner, *, trusted: bool = True) -> int:
    lane = runner._lanes.get(trusted)
    process = lane._process if lane else runner._spare
    assert process
    assert process._pid
    return process._pid


def wait_for_end(pid: int) -> None:
    for _ in range(500):
        if not is_alive(pid):
            return
        time.sleep(0.01)
    raise AssertionError(f"{pid} lives on")


def test_a_model_is_inspected_and_answers(runner, stored: Store, text_pipeline: Any) -> None:
    model = stored(text_pipeline, input="text")
    found = runner.inspect(model.digest, trusted=False)
    assert found.signature.estimator == "TfidfVectorizer → LogisticRegression"
    batch = runner.predict(model, ["great product", "hate it \ud800"])
    assert [answer.output for answer in batch.outcomes] == ["positive", "negative"]
    assert 0 < batch.seconds < 20
    many = runner.predict(model, ["great product"] * (2 * PIECE + 1)).outcomes
    assert many == [batch.outcomes[0]] * (2 * PIECE + 1)


def test_batches_may_be_on_their_way_together(
    runner, stored, text_pipeline, number_pipeline
) -> None:
    text, number = stored(text_pipeline, input="text"), stored(number_pipeline, output="number")
    pending = [
        runner.submit(text, ["great product"] * (3 * PIECE)),
        runner.submit(text, ["hate it"]),
        runner.submit(number, [[1.0, 2.0]]),
        runner.submit(text, ["great product"]),
    ]
    outputs = [call.result().outcomes[-1].output for call in reversed(pending)][::-1]
    assert outputs[0] == outputs[3] == "positive"
    assert outputs[1] == "negative"
    assert outputs[2] == pytest.approx(3.0, abs=0.5)


def test_an_error_of_the_artifact_is_raised_here(runner, objects: ObjectStore) -> None:
    hostile = objects.put_bytes(calling(os.system, "true")).digest
    with pytest.raises(ArtifactUntrusted, match=r"posix\.system"):
        runner.inspect(hostile, trusted=False)
    with pytest.raises(ArtifactMissing, match="is missing from the store"):
        runner.inspect("0" * 64, trusted=False)


def test_an_artifact_that_fails_to_load_fails_each_input(runner, stored, misbehaving) -> None:
    odd = misbehaving.RaisesOnLoad()
    odd.state = 1
    failure = Failure("artifact", "the artifact cannot be loaded: RuntimeError: will not load")
    assert runner.predict(stored(odd, trusted=True), [[1.0], [2.0]]).outcomes == [failure] * 2


def test_what_a_model_prints_or_changes_stays_over_there(
    runner, stored, misbehaving, capfd: pytest.CaptureFixture[str]
) -> None:
    here, mask = Path.cwd(), os.umask(0o77)
    rows = [[1.0], [2.0]]
    try:
        for kind in (misbehaving.Prints, misbehaving.ChangesItsWorld, misbehaving.Prints):
            model = stored(kind(), trusted=True)
            assert runner.predict(model, rows).outcomes == [FINE, FINE]
        assert os.umask(0o77) == 0o77
    finally:
        os.umask(mask)
    assert (Path.cwd(), rows) == (here, [[1.0], [2.0]])
    assert capfd.readouterr() == ("", "")


def test_a_model_sees_no_secret_no_terminal_and_not_the_folder(
    runner, stored, misbehaving, monkeypatch, tmp_path
) -> None:
    monkeypatch.setenv("MLREG_SECRET", "x")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sqlite3.py").write_text("raise SystemExit")
    (tmp_path / "json.py").write_text("raise SystemExit")
    (answer,) = runner.predict(stored(misbehaving.SeesItsProcess(), trusted=True), [[1.0]]).outcomes
    assert answer == Answer("False False True 0 1", None)


@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        ("Leaves", "the model's process died (exit code 0)"),
        ("DiesOnNegative", "the model's process died (SIGABRT)"),
    ],
)
def test_the_death_of_a_process_is_a_failure_and_the_next_call_works(
    runner, stored, misbehaving, kind, failure
) -> None:
    model = stored(getattr(misbehaving, kind)(), trusted=True)
    assert runner.predict(model, [[-1.0]]).outcomes == [Failure("died", failure)]
    assert runner.predict(stored(misbehaving.Model(), trusted=True), [[1.0]]).outcomes == [FINE]


def test_only_the_culprit_of_a_batch_fails(runner, stored, misbehaving) -> None:
    model = stored(misbehaving.DiesOnNegative(), trusted=True)
    rows = [[1.0]] * (PIECE + 3)
    rows[1] = [-1.0]
    after = runner.submit(model, rows), runner.submit(model, [[1.0]])
    failure = Failure("died", "the model's process died (SIGABRT)")
    outcomes = after[0].result().outcomes
    assert outcomes[:3] == [FINE, failure, FINE]
    assert outcomes.count(failure) == 1
    assert after[1].result().outcomes == [FINE]


def test_a_model_that_keeps_dying_is_not_asked_any_more(runner, stored, misbehaving) -> None:
    model = stored(misbehaving.DiesOnNegative(), trusted=True)
    outcomes = runner.predict(model, [[-1.0]] * 5).outcomes
    died = "the model's process died (SIGABRT)"
    assert [outcome.message for outcome in outcomes] == [
        died,
        died,
        *[f"not asked after 3 failures: {died}"] * 3,
    ]


@pytest.mark.parametrize("kind", ["Hangs", "HangsInC"])
def test_a_model_that_hangs_is_ended_in_time(make, stored, misbehaving, kind: str) -> None:
    runner = make(timeout_seconds=0.5)
    runner.predict(stored(misbehaving.Model(), trusted=True), [[1.0]])
    pid = pid_of(runner)
    started = time.monotonic()
    outcomes = runner.predict(stored(getattr(misbehaving, kind)(), trusted=True), [[1.0]]).outcomes
    assert outcomes == [Failure("timeout", "no answer within 0.5 s")]
    assert time.monotonic() - started < 3
    assert not is_alive(pid)


def test_a_model_that_hangs_while_it_loads_is_not_tried_again_at_once(
    make, stored, misbehaving
) -> None:
    odd = misbehaving.HangsOnLoad()
    odd.state = 1
    model = stored(odd, trusted=True)
    runner = make(load_timeout_seconds=20.0)
    runner.predict(stored(misbehaving.Model(), trusted=True), [[1.0]])
    lane = runner._lanes[True]
    lane._limits = Limits(load=0.5)
    with pytest.raises(ArtifactUnloadable, match=r"cannot be loaded: no answer within 0\.5 s"):
        runner.inspect(model.digest, trusted=True)
    lane._limits = Limits(load=20.0)
    runner.predict(stored(misbehaving.Model(), trusted=True), [[1.0]])
    lane._limits = Limits(load=0.5)
    failure = Failure("timeout", "while the model was loaded: no answer within 0.5 s")
    assert runner.predict(model, [[1.0]] * 3).outcomes == [failure] * 3
    started = time.monotonic()
    assert runner.predict(model, [[1.0]]).outcomes == [failure]
    assert time.monotonic() - started < 0.3


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not limit address space")
def test_a_model_that_eats_memory_is_ended(make, stored, misbehaving) -> None:
    runner = make(memory_limit_bytes=2 << 30)
    outcomes = runner.predict(stored(misbehaving.EatsMemory(), trusted=True), [[1.0]]).outcomes
    assert outcomes == [Failure("died", "ran out of memory (limit 2048 MB)")]


@pytest.mark.parametrize(
    "reply", [b"nonsense", b"[]", b'{"outcomes":[["x",9]],"seconds":1.0}', b'{"outcomes":[]}',
              b'{"outcomes":[["x",0.5]],"seconds":"1"}'],
)  # fmt: skip
def test_a_forged_reply_is_not_believed(runner, stored, misbehaving, reply: bytes) -> None:
    (outcome,) = runner.predict(
        stored(misbehaving.ForgesReplies(reply), trusted=True), [[1.0]]
    ).outcomes
    assert outcome.kind == "died"


def test_closing_ends_the_process_and_its_children(make, stored, misbehaving) -> None:
    runner = make()
    runner.start()
    pid = pid_of(runner)
    assert is_alive(pid)
    runner.close()
    assert not is_alive(pid)
    runner.close()
    assert runner.predict(stored(misbehaving.Model(), trusted=True), [[1.0]]).outcomes == [FINE]


SCRIPT = """
    import sys
    from pathlib import Path
    from mlreg.artifacts.objects import ObjectStore
    from mlreg.artifacts.runner import Loadable
    from mlreg.artifacts.worker import WorkerRunner
    from mlreg.entities.versions import Signature

    heavy = {"numpy", "sklearn", "joblib", "scipy"}
    runner = WorkerRunner(ObjectStore(Path(sys.argv[1])))
    runner.start()
    print(runner._spare._pid, sorted(heavy & set(sys.modules)), flush=True)
    runner.predict(Loadable(sys.argv[2], "sklearn", True, Signature(input="vector")), [[1.0]])
"""


@pytest.fixture
def parent(objects: ObjectStore, stored: Store, misbehaving: Any) -> Iterator[Any]:
    """A process that waits for an answer of a model that hangs in C."""
    digest = stored(misbehaving.HangsInC(), trusted=True).digest
    paths = os.pathsep.join([os.environ["PYTHONPATH"], str(ROOT)])
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(objects.root), digest],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    yield process
    process.kill()
    process.communicate()


def test_the_parent_imports_nothing_heavy_and_takes_its_child_along(parent: Any) -> None:
    pid, _, heavy = parent.stdout.readline().partition(" ")
    assert heavy.strip() == "[]"
    time.sleep(2.5)
    assert is_alive(int(pid))
    parent.kill()
    wait_for_end(int(pid))


def test_an_interrupt_ends_the_child_and_goes_on(parent: Any) -> None:
    pid = int(parent.stdout.readline().partition(" ")[0])
    time.sleep(1.0)
    parent.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in parent.communicate(timeout=10)[1]
    wait_for_end(pid)


def test_a_process_that_cannot_start_is_a_failure(make, stored, misbehaving, monkeypatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    (outcome,) = make().predict(stored(misbehaving.Model()), [[1.0]]).outcomes
    assert outcome == Failure(
        "died", "while the model was loaded: the model's process died (exit code 1)"
    )


def test_a_process_can_be_started_before_its_runner(objects, stored, misbehaving) -> None:
    process = WorkerProcess(4 << 30)
    process.start()
    runner = WorkerRunner(objects, process=process)
    try:
        assert runner.predict(stored(misbehaving.Model(), trusted=True), [[1.0]]).outcomes == [FINE]
    finally:
        runner.close()
    assert not process.is_running


def test_the_server_answers_until_its_channel_ends(objects, stored, text_pipeline) -> None:
    """The other side, in this process: requests in, replies out."""
    from mlreg.artifacts import wire

    model = stored(text_pipeline, input="text", trusted=True)
    about = {"digest": model.digest, "flavor": "sklearn", "trusted": True}
    requests = [
        {"op": "predict", "inputs": ["x"]} | about,
        {"op": "inspect"} | about,
        {"op": "load", "signature": wire.pack_signature(model.signature)} | about,
        {"op": "predict", "inputs": ["great product"]} | about,
        {"op": "inspect"} | about | {"digest": "0" * 64},
        {"op": "inspect"} | about | {"trusted": False},
    ]
    ours, theirs, (giver, taker) = os.pipe(), os.pipe(), socket.socketpair()
    for request in requests:
        os.write(ours[1], wire.frame(request))
        if request["op"] != "predict":
            handle = objects.open(model.digest)
            socket.send_fds(giver, [b"x"], [handle])
            os.close(handle)
    os.close(ours[1])
    server = Server(taker.detach())
    thread = threading.Thread(target=serve, args=(server, ours[0], theirs[1]))
    thread.start()
    thread.join()
    server._artifacts.close()
    giver.close()
    os.close(theirs[1])
    data = os.read(theirs[0], 1 << 16)
    os.close(theirs[0])
    os.close(ours[0])
    replies = []
    while data:
        end = wire.HEADER + int.from_bytes(data[: wire.HEADER], "big")
        replies.append(wire.parse(data[wire.HEADER : end]))
        data = data[end:]
    assert replies[0] == {"loaded": False}
    assert replies[1]["signature"]["classes"] == ["negative", "positive"]
    assert replies[2] == {"loaded": True}
    assert replies[3]["outcomes"][0][0] == "positive"
    assert replies[4]["error"][0] == "artifact_altered"
    assert replies[5]["error"][0] == "artifact_untrusted"
    assert np.isfinite(replies[3]["seconds"])
