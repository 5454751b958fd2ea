"""Hooks tell each event at least once, whatever happens to whoever delivers."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from mlreg import Channel, Program, Web, trust
from mlreg.clock import DAY, HOUR, SECOND, now
from mlreg.entities.audit import Event
from mlreg.entities.hooks import DeliveryReport
from mlreg.entities.traffic import Change
from mlreg.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from mlreg.registry import Registry
from mlreg.services.hooks.retries import FIRST, LONGEST, is_given_up, wait
from tests.receiving import Receiver, answering, receiver, silent
from tests.support import Clock, dump, raw

SECRET = f"whsec_{base64.b64encode(os.urandom(24)).decode()}"


@pytest.fixture(autouse=True)
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLREG_ALLOW_HOSTS", "127.0.0.1")


@pytest.fixture
def found() -> Iterator[Receiver]:
    with receiver() as receiving:
        yield receiving


def shift(registry: Registry, times: int = 1) -> None:
    """Something that happens: `route`, twice a time."""
    for _ in range(times):
        registry.traffic.route("sentiment", {"1.0.0": 100})
        registry.traffic.route("sentiment", {"2.0.0": 100})


def told(receiving: Receiver) -> list[tuple[str, str]]:
    """The type and the number of each event that was received."""
    bodies = [json.loads(request.body) for request in receiving.requests]
    return [(body["type"], str(body["data"]["seq"])) for body in bodies]


def numbers(report: DeliveryReport) -> tuple[int, int, int, int]:
    return report.delivered, report.failed, report.dead, report.waiting


# --- what is told --------------------------------------------------------------------------------


def test_what_happens_from_now_on_is_told_once_and_in_order(
    serving_registry: Registry, found: Receiver
):
    registry = serving_registry
    registry.hooks.add(["route", "rollback"], Web(found.url()))
    shift(registry)
    registry.versions.alias("sentiment@1.0.0", "old")
    registry.traffic.rollback("sentiment", change=Change(reason="it is worse"))
    assert numbers(registry.hooks.deliver()) == (3, 0, 0, 0)
    assert [kind for kind, _ in told(found)] == ["route", "route", "rollback"]
    last = json.loads(found.requests[-1].body)
    event = registry.audit.events()[-1]
    assert last["data"]["reason"] == "it is worse"
    assert last["data"]["hash"] == event.hash
    assert found.requests[-1].headers["webhook-id"] == f"{event.seq}-{event.hash[:12]}"
    assert numbers(registry.hooks.deliver()) == (0, 0, 0, 0)
    assert len(found.requests) == 3


def test_a_request_is_signed_by_what_the_variable_holds(
    serving_registry: Registry,
    found: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
):
    clock.at = now()  # who verifies looks at their own
    serving_registry.hooks.add(["*"], Web("env:HOOK_URL", "HOOK_SECRET"))
    monkeypatch.setenv("HOOK_URL", found.url())
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    shift(serving_registry)
    assert serving_registry.hooks.deliver().delivered == 2
    for request in found.requests:
        assert Webhook(SECRET).verify(request.body, request.headers)["type"] == "route"
    stored = repr(dump(serving_registry.folder))
    assert SECRET not in stored
    assert found.url() not in stored


def test_only_events_of_its_model_are_told(serving_registry: Registry, found: Receiver):
    registry = serving_registry
    registry.hooks.add(["*"], Web(found.url()), model="sentiment")
    registry.hooks.add(["*"], Web(found.url("/all")), name="all")
    shift(registry)
    registry.hooks.deliver()
    paths = [request.line.split()[1] for request in found.requests]
    assert (paths.count("/hooks"), paths.count("/all")) == (2, 2)


def test_a_hook_is_never_told_of_itself(serving_registry: Registry, found: Receiver):
    registry = serving_registry
    registry.hooks.add(["*"], Web(found.url()), name="one")
    registry.hooks.add(["hook.*"], Web(found.url()), name="two")
    registry.hooks.deliver()
    assert told(found) == [("hook.add", str(registry.audit.events()[-1].seq))]


@pytest.mark.process
def test_a_program_is_told(serving_registry: Registry, tmp_path: Path):
    code = "import sys; open('told', 'a').write(sys.stdin.read() + '\\n')"
    old = Path.cwd()
    os.chdir(tmp_path)
    try:
        hook = serving_registry.hooks.add(["route"], Program([sys.executable, "-c", code]))
    finally:
        os.chdir(old)
    assert hook.target.startswith(sys.executable)
    shift(serving_registry)
    assert serving_registry.hooks.deliver().delivered == 2
    lines = (tmp_path / "told").read_text().splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["route", "route"]


@pytest.mark.parametrize(
    ("patterns", "why"),
    [
        ([], "which events"),
        (["rolback"], "no event rolback"),
        (["nothing.*"], r"no event nothing\.\*"),
        (["roll[b]ack"], "no event"),
        (["\x1b[31m"], r"no event \\x1b"),
        (["x" * 100], "no event"),
    ],
)
def test_patterns_that_can_match_nothing_are_refused(
    registry: Registry, found: Receiver, patterns: list[str], why: str
):
    with pytest.raises(InvalidInput, match=why):
        registry.hooks.add(patterns, Web(found.url()))
    assert registry.hooks.list() == []


def test_near_names_are_offered_and_other_spellings_understood(registry: Registry, found: Receiver):
    with pytest.raises(InvalidInput, match="no event") as refused:
        registry.hooks.add(["rolback"], Web(found.url()))
    assert refused.value.hint == "did you mean rollback?"
    hook = registry.hooks.add(
        ["abtest conclude", "experiment.concluded", "abtest.look"], Web(found.url())
    )
    assert hook.events == ("abtest.conclude", "abtest.look")


def test_targets_that_cannot_be_are_refused(registry: Registry, monkeypatch: pytest.MonkeyPatch):
    refused = [
        (Program([]), "name a program"),
        (Program(["./nothing"]), "no program ./nothing"),
        (Program(["true", "\0"]), "NUL"),
        (Program(["true", "\udcff"]), "not valid Unicode"),
        (Web("http://10.0.0.1/"), "10.0.0.1, which is not on the open internet"),
        (Web("env:a b"), "not the name of a variable"),
        (Web("https://example.com/", "a=b"), "not the name of a variable"),
        (Channel("env:"), "not the name of a variable"),
    ]
    for target, why in refused:
        with pytest.raises(InvalidInput, match=why):
            registry.hooks.add(["rollback"], target)
    for seconds in (0, 301, float("nan")):
        with pytest.raises(InvalidInput, match="an attempt may take"):
            registry.hooks.add(["rollback"], Program(["true"]), timeout_seconds=seconds)
    registry.hooks.add(["rollback"], Program(["true"]), name="mine")
    with pytest.raises(AlreadyExists, match="there is a hook mine"):
        registry.hooks.add(["rollback"], Program(["true"]), name="mine")
    assert [event.action for event in registry.audit.events()] == ["init", "hook.add"]


def test_a_dry_run_adds_removes_and_tells_nothing(serving_registry: Registry, found: Receiver):
    registry = serving_registry
    registry.hooks.add(["route"], Web(found.url()), change=Change(dry_run=True))
    assert registry.hooks.list() == []
    registry.hooks.add(["route"], Web(found.url()))
    registry.hooks.remove("hook-1", change=Change(dry_run=True))
    shift(registry)
    planned = registry.hooks.deliver(dry_run=True)
    assert [one.type for one in planned.deliveries] == ["route", "route"]
    assert found.requests == []
    assert registry.hooks.deliver().delivered == 2
    registry.hooks.remove("hook-1")
    assert registry.hooks.deliveries() == []
    with pytest.raises(NotFound, match="no hook hook-1"):
        registry.hooks.remove("hook-1")


# --- what is not taken ---------------------------------------------------------------------------


def test_what_is_not_taken_is_told_again_later_under_the_same_id(
    serving_registry: Registry, found: Receiver, clock: Clock
):
    registry, found.reply = serving_registry, answering(500)
    registry.hooks.add(["rollback"], Web(found.url()))
    shift(registry)
    registry.traffic.rollback("sentiment")
    assert numbers(registry.hooks.deliver()) == (0, 1, 0, 1)
    assert numbers(registry.hooks.deliver()) == (0, 0, 0, 1)  # not yet
    clock.at += FIRST
    assert numbers(registry.hooks.deliver()) == (0, 1, 0, 1)
    (failed,) = registry.hooks.deliveries(failed=True)
    assert (failed.state, failed.attempts, failed.outcome) == ("pending", 2, "answered 500")
    found.reply = answering(200)
    clock.at += 2 * FIRST
    assert numbers(registry.hooks.deliver()) == (1, 0, 0, 0)
    assert registry.hooks.deliveries(failed=True) == []
    assert len({request.headers["webhook-id"] for request in found.requests}) == 1
    assert len(found.requests) == 3


def test_one_that_is_not_taken_does_not_keep_later_ones_back(
    serving_registry: Registry, found: Receiver, clock: Clock
):
    registry, found.reply = serving_registry, answering(500)
    registry.hooks.add(["route"], Web(found.url()))
    shift(registry)
    registry.hooks.deliver()
    found.reply = answering(200)
    # The first waits for its second attempt; the second goes at once.
    assert numbers(registry.hooks.deliver()) == (1, 0, 0, 1)
    first, second = (int(number) for _, number in told(found))
    assert first < second


def test_a_hook_that_hangs_keeps_no_other_waiting(serving_registry: Registry, found: Receiver):
    registry = serving_registry

    def waiting(connection: socket.socket, over: threading.Event) -> None:
        while len(found.requests) < 6 and not over.wait(0.01):
            pass
        answering(500)(connection, over)

    with receiver(waiting) as hung:
        registry.hooks.add(["route"], Web(hung.url()), name="hung", timeout_seconds=60)
        registry.hooks.add(["route"], Web(found.url()), name="well")
        shift(registry, 3)
        report = registry.hooks.deliver()
        assert numbers(report) == (6, 1, 0, 6)
        assert len(hung.requests) == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_who_sends_for_longer_than_they_may_is_not_waited_for(serving_registry: Registry):
    registry = serving_registry
    with receiver(silent) as hung:
        channel = Channel(hung.url().replace("http://", "json://") + "?cto=60&rto=60")
        registry.hooks.add(["rollback"], channel, timeout_seconds=0.5)
        shift(registry)
        registry.traffic.rollback("sentiment")
        assert numbers(registry.hooks.deliver()) == (0, 1, 0, 1)
        (failed,) = registry.hooks.deliveries()
        assert failed.outcome == "took longer than 0.5 s"


def test_what_is_never_taken_is_given_up_and_the_trail_says_so(
    serving_registry: Registry, found: Receiver, clock: Clock
):
    registry, found.reply = serving_registry, answering(500)
    with receiver() as other:
        registry.hooks.add(["rollback"], Web(found.url()), name="down")
        registry.hooks.add(["hook.dead"], Web(other.url()), name="watcher")
        shift(registry)
        registry.traffic.rollback("sentiment")
        for _ in range(40):
            registry.hooks.deliver(name="down")
            clock.at += 3 * HOUR
        (dead,) = registry.hooks.deliveries("down")
        assert dead.state == "dead"
        event = registry.audit.events()[-1]
        assert (event.action, event.object) == ("hook.dead", "down")
        assert "gave up telling it of event" in event.reason
        assert registry.hooks.deliver().delivered == 1
        assert told(other) == [("hook.dead", str(event.seq))]
    down = registry.hooks.list()[0]
    assert (down.pending, down.dead) == (0, 1)
    # Tried for three days, and not for ever.
    assert 5 < len(found.requests) < 40


def test_a_receiver_that_is_gone_is_not_asked_again_until_it_is_told_anew(
    serving_registry: Registry, found: Receiver
):
    registry, found.reply = serving_registry, answering(410)
    registry.hooks.add(["rollback"], Web(found.url()))
    shift(registry)
    registry.traffic.rollback("sentiment")
    assert numbers(registry.hooks.deliver()) == (0, 0, 1, 0)
    found.reply = answering(200)
    assert numbers(registry.hooks.deliver()) == (0, 0, 0, 0)
    (dead,) = registry.hooks.deliveries(failed=True)
    registry.hooks.redeliver(dead.delivery_id)
    assert numbers(registry.hooks.deliver()) == (1, 0, 0, 0)
    with pytest.raises(NotFound, match="no delivery 99"):
        registry.hooks.redeliver(99)


def test_one_who_was_away_is_told_all_of_it(
    serving_registry: Registry, found: Receiver, clock: Clock
):
    registry = serving_registry
    registry.hooks.add(["route"], Web(found.url()))
    shift(registry, 3)
    clock.at += 30 * DAY
    shift(registry, 2)
    assert numbers(registry.hooks.deliver()) == (10, 0, 0, 0)


@pytest.mark.parametrize("jump", [-DAY, DAY, -400 * DAY])
def test_a_clock_that_jumps_neither_loses_nor_gives_up_anything(
    serving_registry: Registry, found: Receiver, clock: Clock, jump: int
):
    registry, found.reply = serving_registry, answering(500)
    registry.hooks.add(["route"], Web(found.url()))
    shift(registry)
    registry.hooks.deliver()
    clock.at += jump
    found.reply = answering(200)
    registry.hooks.deliver()
    clock.at += LONGEST
    registry.hooks.deliver()
    assert {one.state for one in registry.hooks.deliveries()} == {"delivered"}


# --- whoever delivers ----------------------------------------------------------------------------


def test_two_who_deliver_at_once_tell_it_once(
    serving_registry: Registry, found: Receiver, clock: Clock
):
    serving_registry.hooks.add(["route"], Web(found.url()))
    shift(serving_registry, 10)
    start = threading.Barrier(4)
    failures: list[BaseException] = []

    def deliver() -> None:
        try:
            with Registry(serving_registry.folder, actor="cron", clock=clock) as registry:
                start.wait()
                registry.hooks.deliver()
        except BaseException as error:  # noqa: BLE001  # told to the test below
            failures.append(error)

    threads = [threading.Thread(target=deliver) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(told(found)) == len(set(told(found))) == 20


def test_what_somebody_who_was_killed_had_taken_is_told_when_their_lease_is_over(
    serving_registry: Registry, found: Receiver, clock: Clock
):
    registry = serving_registry
    registry.hooks.add(["route"], Web(found.url()))
    shift(registry)
    with raw(registry.folder) as connection:
        lease = (clock.at + 9 * SECOND,)
        connection.execute("update hooks set lease = 'gone', leased_until = ?", lease)
    assert numbers(registry.hooks.deliver())[:3] == (0, 0, 0)
    clock.at += 9 * SECOND
    assert registry.hooks.deliver().delivered == 2


@pytest.mark.process
def test_what_a_process_was_about_to_tell_when_it_was_killed_is_told_again(
    serving_registry: Registry, found: Receiver, clock: Clock
):
    registry, found.reply = serving_registry, silent
    clock.at = now()
    registry.hooks.add(["rollback"], Web(found.url()), timeout_seconds=100)
    shift(registry)
    registry.traffic.rollback("sentiment")
    mlreg = Path(sys.executable).with_name("mlreg")
    command = [str(mlreg), "--registry", str(registry.folder), "tick"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        for _ in range(6000):
            if found.requests or process.poll() is not None:
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    found.reply = answering(200)
    assert registry.hooks.deliver().delivered == 0
    clock.at = now() + 200 * SECOND
    assert registry.hooks.deliver().delivered == 1
    first, second = (request.headers["webhook-id"] for request in found.requests)
    assert first == second


def test_no_lock_is_held_while_somebody_is_told(serving_registry: Registry, found: Receiver):
    registry = serving_registry
    registry.hooks.add(["route"], Web(found.url()), timeout_seconds=30)
    shift(registry)
    wrote: list[str] = []

    def reply(connection, over) -> None:
        with Registry(registry.folder, actor="other") as other:
            wrote.append(other.versions.alias("sentiment@1.0.0", f"a{len(wrote)}").ref)
        answering(200)(connection, over)

    found.reply = reply
    assert registry.hooks.deliver().delivered == 2
    assert len(wrote) == 2


def test_a_tick_tells_hooks(serving_registry: Registry, found: Receiver):
    registry = serving_registry
    assert registry.tick().told is None
    registry.hooks.add(["route"], Web(found.url()))
    shift(registry)
    turn = registry.tick()
    assert turn.told is not None
    assert turn.told.delivered == 2


# --- whose word counts ---------------------------------------------------------------------------


def elsewhere(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """From here on this is another user."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))


def test_a_hook_of_somebody_else_is_not_delivered_until_their_key_is_accepted(
    serving_registry: Registry, found: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    registry = serving_registry
    registry.hooks.add(["route"], Program(["touch", str(tmp_path / "PWNED")]), name="exec")
    registry.hooks.add(["route"], Web(found.url()), name="url")
    shift(registry)
    key = trust.public_key()
    elsewhere(monkeypatch, tmp_path / "other")
    report = registry.hooks.deliver()
    assert (numbers(report), report.not_run) == ((0, 0, 0, 0), ("exec", "url"))
    assert [hook.standing for hook in registry.hooks.list()] == ["unknown", "unknown"]
    with pytest.raises(Conflict, match="the hook exec was added by tester") as refused:
        registry.hooks.test("exec")
    assert str(key) in refused.value.hint
    assert not (tmp_path / "PWNED").exists()
    trust.accept_key(str(key), "a colleague")
    assert registry.hooks.deliver(name="url").delivered == 2


@pytest.mark.parametrize(
    "change",
    [
        "target = json_set(target, '$.argv[1]', '/tmp/other')",
        "name = 'other'",
        "patterns = '[\"*\"]'",
        "timeout_seconds = 299",
        "model = 1",
        "created_by = 'root'",
    ],
)
def test_a_hook_that_somebody_changed_is_not_delivered(
    serving_registry: Registry, tmp_path: Path, change: str
):
    registry = serving_registry
    registry.hooks.add(["route"], Program(["touch", str(tmp_path / "told")]))
    with raw(registry.folder) as connection:
        connection.execute(f"update hooks set {change}")  # noqa: S608
    shift(registry)
    assert len(registry.hooks.deliver().not_run) == 1
    (hook,) = registry.hooks.list()
    assert hook.standing == "broken"
    with pytest.raises(Conflict, match="was altered since it was signed") as refused:
        registry.hooks.test(hook.name)
    assert "trust accept" not in str(refused.value.hint)
    assert not (tmp_path / "told").exists()


def test_a_registry_cannot_allow_its_own_addresses(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("MLREG_ALLOW_HOSTS")
    (registry.folder / "config.toml").write_text('allow_hosts = "127.0.0.1"\n')
    with (
        pytest.warns(match="sets allow_hosts, which no registry can say"),
        Registry(registry.folder) as opened,
        pytest.raises(InvalidInput, match="not on the open internet"),
    ):
        opened.hooks.add(["route"], Web("http://127.0.0.1:1/"))


def test_what_may_be_secret_is_shown_nowhere(registry: Registry):
    hook = registry.hooks.add(["route"], Web("https://hooks.example.com/T0/hunter2?k=hunter2"))
    assert hook.target == "https://hooks.example.com/…"
    assert "hunter2" not in repr((registry.hooks.list(), registry.audit.events()))


def test_a_test_says_how_it_went_and_leaves_nothing(serving_registry: Registry, found: Receiver):
    registry = serving_registry
    registry.hooks.add(["route"], Web(found.url()))
    before = len(registry.audit.events())
    found.reply = answering(500, body="out of order")
    outcome = registry.hooks.test("hook-1")
    assert (outcome.succeeded, outcome.outcome, outcome.answer) == (
        False,
        "answered 500",
        "out of order",
    )
    assert told(found)[0][0] == "hook.test"
    assert len(registry.audit.events()) == before
    assert registry.hooks.deliveries() == []


# --- in this process -----------------------------------------------------------------------------


def test_a_function_is_called_after_the_commit(serving_registry: Registry):
    registry, heard = serving_registry, list[tuple[Event, int]]()

    def listener(event: Event) -> None:
        with Registry(registry.folder) as other:  # what it sees, others see
            heard.append((event, other.audit.events()[-1].seq))

    registry.on("rollback", listener)
    shift(registry)
    registry.traffic.rollback("sentiment", change=Change(dry_run=True))
    registry.traffic.rollback("sentiment")
    ((event, last),) = heard
    assert event == registry.audit.events()[-1]
    assert last == event.seq


def test_a_function_that_raises_breaks_nothing(
    serving_registry: Registry, caplog: pytest.LogCaptureFixture
):
    registry, heard = serving_registry, list[str]()

    def raising(event: Event) -> None:
        raise RuntimeError("no")

    registry.on("*", raising)
    registry.on("route", lambda event: heard.append(event.action))
    shift(registry)
    assert heard == ["route", "route"]
    assert "told of route, a listener failed" in caplog.text
    with pytest.raises(InvalidInput, match="no event rolback"):
        registry.on("rolback", raising)


def test_what_failed_is_not_heard_of(serving_registry: Registry):
    heard: list[Event] = []
    serving_registry.on("*", heard.append)
    with pytest.raises(NotFound, match="no version"):
        serving_registry.versions.alias("sentiment@9.0.0", "x")
    assert heard == []


# --- when it is tried again ----------------------------------------------------------------------


@given(st.integers(1, 10_000), st.floats(0, 1), st.floats(0, 1e8))
def test_a_wait_has_a_cap_and_never_less_than_was_asked_for(
    attempts: int, draw: float, asked: float
):
    found = wait(attempts, asked_seconds=asked, draw=draw)
    assert FIRST // 2 <= found <= LONGEST
    assert found >= min(LONGEST, int(asked * SECOND))
    assert wait(attempts + 1, draw=draw) >= wait(attempts, draw=draw)


def test_nothing_is_given_up_by_a_jump_of_the_clock_alone():
    assert not is_given_up(1, first_at=0, now=1000 * DAY)
    assert not is_given_up(100, first_at=0, now=DAY)
    assert is_given_up(5, first_at=0, now=3 * DAY)
