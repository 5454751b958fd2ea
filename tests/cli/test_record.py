"""`mlreg record`: answers that programs of the user's gave."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.fixture
def chat(run: Run) -> Run:
    run("init")
    for words in ("register chat@1.0.0 --external", "activate chat@1.0.0"):
        assert run(*words.split()).code == 0
    return run


def test_a_shell_script_asks_who_answers_and_records_the_answer(chat: Run) -> None:
    version = chat("route", "chat", "--user", "u1", "--field", "version").out.strip()
    made = chat("record", "chat", "--version", version, "--output", "Hi", "--user", "u1", "--json")
    assert made.json == {
        "model": "chat", "version": "1.0.0", "revision": 1, "prediction_id": 1,
        "recorded": 1, "duplicates": 0, "warning": None, "rollback": None,
    }  # fmt: skip
    said = chat("record", "chat", "--error", "timed out", "--request-id", "A")
    assert said.out == "recorded as prediction 2 of chat@1.0.0\n"
    again = chat("record", "-m", "chat", "--error", "timed out", "--request-id", "A")
    assert again.out == "had been recorded as prediction 2 of chat@1.0.0\n"
    assert chat("record", "--error", "no", "--request-id", "A").code == 4


def test_lines_are_recorded_all_or_none_with_a_word_on_each_that_is_wrong(chat: Run) -> None:
    lines = [{"user": "u", "prediction": "a"}, {"latency_ms": "fast"}, {"version": "9.0.0"}, [], {}]
    sent = "\n".join(map(json.dumps, lines))
    refused = chat("record", "chat", "-", input=sent)
    assert refused.code == 2
    for word in ("line 2: latency_ms must be", "line 3: chat has no version", "line 4: it is no"):
        assert word in refused.err
    assert "nothing was recorded" in refused.err
    assert chat("log", "--json").json["predictions"] == []
    assert chat("record", "-", "--json", input=json.dumps(lines[0])).json["recorded"] == 1


def test_a_late_line_that_belies_an_earlier_one_or_itself_keeps_all_out(chat: Run) -> None:
    lines = [{"output": str(n), "request_id": f"r{n}"} for n in range(1500)]
    wrong = {"output": "x", "request_id": "r0"}
    odd = {"output": "x", "label": "x", "correct": False}
    refused = chat("record", "-", input="\n".join(map(json.dumps, [*lines, wrong, odd])))
    assert refused.code == 2
    assert "line 1501: the request id r0 was used for another answer" in refused.err
    assert "line 1502: x is what was answered, so it is not incorrect" in refused.err
    assert chat("log", "--json").json["predictions"] == []


def test_a_line_that_belies_what_was_recorded_keeps_all_out(chat: Run) -> None:
    chat("record", "chat", "--output", "a", "--request-id", "Q")
    sent = '{"output": "new"}\n{"output": "b", "request_id": "Q"}'
    refused = chat("record", "-", input=sent)
    assert refused.code == 2
    assert "line 2: the request id Q was used for another answer" in refused.err
    assert len(chat("log", "--json").json["predictions"]) == 1


def test_a_retry_of_a_failure_is_known_though_less_of_it_is_kept_by_now(chat: Run) -> None:
    words = ("record", "chat", "--error", "ValueError: of ann", "--request-id", "Q")
    assert chat(*words).code == 0
    assert chat("config", "log_inputs", "hashed").code == 0
    assert chat(*words).out == "had been recorded as prediction 1 of chat@1.0.0\n"
    line = json.dumps({"error": "ValueError: of ann", "request_id": "Q"})
    assert chat("record", "-", input=line).out == "recorded 0 for chat, 1 known already\n"


def test_a_file_is_read_as_a_pipe_is(chat: Run, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text('{"output": 1, "request_id": "a"}\n\n{"output": 2, "request_id": "b"}\n')
    assert chat("record", "--file", path).out == "recorded 2 for chat\n"
    assert chat("record", "--file", path).out == "recorded 0 for chat, 2 known already\n"


@pytest.mark.parametrize(
    "words",
    ["record", "record chat", "record chat other --output x", "record chat - --output x",
     "record - --file x.jsonl", "record chat -m other --output x"],
)  # fmt: skip
def test_a_call_that_says_nothing_or_too_much_is_refused(chat: Run, words: str) -> None:
    assert chat(*words.split(), input="{}").code == 2
    assert chat("log", "--json").json["predictions"] == []


def test_people_and_programs_are_told_of_a_rollback_that_they_cause(chat: Run) -> None:
    for words in ("register chat@2.0.0 --external", "activate chat@2.0.0"):
        assert chat(*words.split()).code == 0
    set_ = "threshold defaults chat --consecutive-failures 2 --action rollback"
    assert chat(*set_.split()).code == 0
    assert chat("record", "chat", "--error", "no", "--json").json["warning"] is None
    tripped = chat("record", "chat", "--error", "no")
    assert tripped.code == 0
    recorded, warning = tripped.out.splitlines()
    assert recorded == "recorded as prediction 2 of chat@2.0.0"
    assert warning.startswith("rolled back: 2.0.0 → 1.0.0: chat@2.0.0: failures_in_a_row is 2")
    shown = chat("rollback", "--history", "--json").json["rollbacks"]
    assert [(one["automatic"], one["to_version"]) for one in shown] == [(True, "1.0.0")]
    assert chat("status", "chat", "--field", "models.serving.version").out == "1.0.0\n"


def test_a_drill_that_fails_ends_with_its_own_exit_code(chat: Run) -> None:
    failed = chat("rollback", "chat", "--drill", "--json")
    assert failed.code == 10
    assert failed.records[0]["passed"] is False
    for words in ("register chat@2.0.0 --external", "activate chat@2.0.0"):
        assert chat(*words.split()).code == 0
    assert chat("rollback", "chat", "--drill", "--field", "to_split").out == "1.0.0\n"
    assert chat("rollback", "chat", "--probe", "x").code == 2
    assert chat("rollback", "chat", "--drill", "--history").code == 2


HUGE = "1" + "0" * 400


@pytest.mark.parametrize(
    ("said", "why"),
    [(f'"latency_ms": {HUGE}', "latency_ms must lie between"),
     (f'"cost": -{HUGE}', "cost must lie between"),
     (f'"confidence": {HUGE}', "confidence must lie between 0 and 1"),
     (f'"values": {{"rating": {HUGE}}}', "the feedback value rating must be a number"),
     ('"revision": 9223372036854775808', "the revision must be a whole number of at most"),
     ('"latency_ms": 1' + "0" * 5000, "a number has too many digits")],
)  # fmt: skip
def test_a_number_beyond_all_bounds_is_refused(chat: Run, said: str, why: str) -> None:
    refused = chat("record", "chat", "-", input=f'{{"output": 1, {said}}}')
    assert refused.code == 2
    assert f"line 1: {why}" in refused.err
    assert chat("log", "--json").json["predictions"] == []


def test_a_value_beyond_all_bounds_is_refused_as_feedback(chat: Run) -> None:
    chat("record", "chat", "--output", "x")
    refused = chat(
        "feedback", "--file", "-", "--format", "jsonl",
        input=f'{{"prediction_id": 1, "rating": {HUGE}}}',
    )  # fmt: skip
    assert refused.code == 2
    assert "the feedback value rating must be a number" in refused.err


@pytest.mark.parametrize(
    "words",
    ["record chat --output x --request-id=", "record chat -", "feedback --key= positive",
     "log --key=", "log --key= --id 1"],
)  # fmt: skip
def test_an_empty_request_id_is_refused(chat: Run, words: str) -> None:
    refused = chat(*words.split(), input='{"output": 1, "request_id": ""}')
    assert refused.code == 2
    assert "there is no request" not in refused.err
    assert chat("log", "--json").json["predictions"] == []
