"""Pipes, closed streams, full devices, locales and terminals."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest
import typer

import mlreg
from tests.process.conftest import MLREG, Shell

pytestmark = pytest.mark.process


def test_a_reader_that_has_enough_is_no_error(shell: Shell) -> None:
    done = shell("yes great | head -n 3000 | mlreg predict - --json | head -n 1")
    assert done.returncode == 141
    assert b"Traceback" not in done.stderr
    assert b"error" not in done.stderr
    assert shell("mlreg list | head -n 1").returncode in (0, 141)
    assert shell("mlreg doctor").returncode == 0


def test_results_that_cannot_be_written_are_an_error_in_one_line(shell: Shell) -> None:
    for line in (
        "mlreg list > /dev/full",
        "mlreg list --json >&-",
        "mlreg list --field models >&-",
        "mlreg --help > /dev/full",
        "mlreg list --help >&-",
        "mlreg --version > /dev/full",
    ):
        failed = shell(line)
        assert (failed.returncode, failed.stdout) == (6, b"")
        assert failed.stderr.startswith(b"error: the results could not be written: ") or (
            b'"code": "output_failed"' in failed.stderr
        )
        assert len(failed.stderr.splitlines()) == 1


def test_closed_streams_never_give_their_numbers_to_the_database(shell: Shell) -> None:
    assert shell("mlreg register m@1.0.0 <&- >&- 2>&-").returncode == 6
    assert shell("mlreg list nope 2>&-").returncode == 3
    assert shell("mlreg list <&- 2>&-").returncode == 0
    healthy = shell("mlreg doctor")
    assert (healthy.returncode, b"healthy" in healthy.stdout) == (0, True)
    assert shell("mlreg show m@1.0.0 --field version").stdout == b"1.0.0\n"


def test_a_file_size_limit_is_an_error_and_no_signal(shell: Shell) -> None:
    failed = shell("ulimit -f 0; mlreg activate sentiment@1.0.0 --traffic 30 | cat")
    assert failed.returncode == 6
    assert failed.stderr.startswith(b"error: ")
    assert shell("mlreg route --field arms.traffic_percent").stdout == b"80.0\n20.0\n"


def test_the_c_locale_shows_escapes(shell: Shell) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    shell("mlreg register 模型@1.0.0 --description ünïcode")
    shown = shell("mlreg list", **plain)
    assert shown.returncode == 0
    assert rb"\u6a21\u578b@1.0.0" in shown.stdout
    assert shell("mlreg show 模型@1.0.0", **plain).returncode == 0
    assert shell("mlreg register 模型@2.0.0 没有.joblib", **plain).returncode == 2
    lost = shell("mlreg show 没有", **plain)
    assert (lost.returncode, len(lost.stderr.splitlines()) <= 3) == (3, True)


def test_json_is_the_same_bytes_whatever_the_terminal(shell: Shell) -> None:
    shell("mlreg register 模型@1.0.0")
    surroundings: list[dict[str, str]] = [
        {}, {"COLUMNS": "1"}, {"COLUMNS": "abc"}, {"TERM": "dumb"}, {"NO_COLOR": "1"},
        {"FORCE_COLOR": "1"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ]  # fmt: skip
    for line in ("mlreg list --json", "mlreg list --field models.name"):
        assert len({shell(line, **found).stdout for found in surroundings}) == 1


def test_a_poor_environment_is_enough(shell: Shell) -> None:
    for line in (
        f"env -i {MLREG} list",
        "HOME= mlreg list",
        "HOME=/nonexistent TMPDIR=/nonexistent mlreg list",
        "env -u TERM mlreg list",
        "PYTHONOPTIMIZE=2 mlreg list",
    ):
        done = shell(line)
        assert (done.returncode, done.stderr) == (0, b"")


def test_a_deleted_folder_is_said(shell: Shell) -> None:
    lost = shell("mkdir gone; cd gone; rmdir ../gone; mlreg list")
    assert lost.returncode == 3
    assert lost.stderr.startswith(b"error: the working directory has been deleted")


@pytest.mark.parametrize(
    "command",
    [
        "mlreg",
        "python -m mlreg",
        "PYTHONPATH=. mlreg",
        "PYTHONPATH=:/nonexistent python -m mlreg",
        "PYTHONPATH=./inner mlreg",
    ],
)
def test_nothing_is_imported_from_the_working_folder(
    shell: Shell, folder: Path, command: str
) -> None:
    (folder / "inner").mkdir()
    for name in ("sqlite3", "json", "typer", "joblib", "sklearn", "typing", "unicodedata"):
        for place in (folder, folder / "inner"):
            (place / f"{name}.py").write_text("open('PWNED', 'w')\nraise SystemExit(99)\n")
    unmeasured = {"COVERAGE_PROCESS_CONFIG": ""}  # coverage imports before mlreg has a say
    assert shell(f"{command} list", **unmeasured).returncode == 0
    asked = shell(f"{command} predict great --field prediction", **unmeasured)
    assert asked.stdout == b"positive\n"
    assert not (folder / "PWNED").exists()


def test_what_lies_beside_mlreg_itself_is_found(shell: Shell, folder: Path) -> None:
    """As after `pip install --target`, where its dependencies are its neighbours."""
    target = folder / "target"
    target.mkdir()
    (target / "mlreg").symlink_to(Path(mlreg.__file__).parent)
    for neighbour in Path(typer.__file__).parents[1].iterdir():
        (target / neighbour.name).symlink_to(neighbour)
    assert shell("cd target && python -S -m mlreg list").stdout == shell("mlreg list").stdout


def in_terminal(folder: Path, *arguments: str, columns: int = 80) -> str:
    """What a command shows on a terminal."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm-256color"}
    with subprocess.Popen(
        [MLREG, *arguments], cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ):
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # the terminal's other end is closed
            pass
    os.close(ours)
    return shown.decode()


def test_tables_fit_a_terminal_and_are_coloured_there(folder: Path) -> None:
    from rich.text import Text

    for verb in ("list", "show", "history", "perf", "doctor", "log", "audit", "config", "route"):
        shown = in_terminal(folder, verb)
        assert "\x1b[" in shown
        lines = Text.from_ansi(shown).plain.splitlines()
        assert max(map(len, lines)) <= 80, verb
    assert "\x1b[1mTraffic:\x1b[0m" in in_terminal(folder, "--help")


def test_a_terminal_is_not_tricked_by_what_others_wrote(shell: Shell, folder: Path) -> None:
    shell(r"mlreg register m@1.0.0 --description $'\e]0;owned\a\e[2J[red]x[/foo]:boom:'")
    shown = in_terminal(folder, "show", "m@1.0.0", columns=120)
    assert r"\x1b]0;owned\x07\x1b[2J[red]x[/foo]:boom:" in shown.replace("\r\n", "")
    assert "\x1b]0;" not in shown
    assert "\x1b[2J" not in shown


def test_a_terminal_is_told_what_comes_next(folder: Path) -> None:
    shown = in_terminal(folder, "register", "m@1.0.0")
    assert "next: mlreg attach m@1.0.0 model.joblib" in shown


def test_a_terminal_is_asked_before_something_is_gone(shell: Shell, folder: Path) -> None:
    shell("mlreg promote sentiment@1.0.0")
    for answer, code, live in ((b"n\n", 130, b"1.0.0\n"), (b"y\n", 0, b"")):
        ours, theirs = pty.openpty()
        os.write(ours, answer)
        command = [MLREG, "deactivate", "sentiment@1.0.0"]
        done = subprocess.run(
            command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, check=False
        )
        assert done.returncode == code
        assert shell("mlreg route --field arms.version").stdout == live
        os.close(theirs)
        os.close(ours)


def answered(folder: Path, answer: bytes, *arguments: str) -> int:
    """The exit code of a command that asks on a terminal, and is answered."""
    ours, theirs = pty.openpty()
    os.write(ours, answer)
    done = subprocess.run(
        [MLREG, *arguments], cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, check=False
    )
    os.close(theirs)
    os.close(ours)
    return done.returncode


def test_a_terminal_is_asked_before_a_split_is_ended(
    shell: Shell, folder: Path, artifacts: dict[str, Path]
) -> None:
    shell(f"mlreg register sentiment@3.0.0 {artifacts['text']} --no-check")
    shell(f"mlreg register sentiment@4.0.0 {artifacts['other_text']} --no-check")
    shell("mlreg route sentiment 1.0.0=60 3.0.0=40")
    plain = ("activate", "sentiment@4.0.0")
    assert answered(folder, b"n\n", *plain) == 130
    assert shell("mlreg route --field arms.version").stdout == b"1.0.0\n3.0.0\n"
    assert answered(folder, b"y\n", *plain) == 0
    assert shell("mlreg route --field arms.version").stdout == b"4.0.0\n"
    shell("mlreg route sentiment 1.0.0=60 3.0.0=40")
    assert answered(folder, b"n\n", *plain, "--yes") == 0
    shell("mlreg route sentiment 1.0.0=60 3.0.0=40")
    assert shell("mlreg activate sentiment@4.0.0 < /dev/null").returncode == 0  # does as told


def test_who_registers_beside_a_version_that_serves_is_told_to_give_it_a_part(
    folder: Path, artifacts: dict[str, Path]
) -> None:
    shown = in_terminal(
        folder, "register", "sentiment@3.0.0", str(artifacts["text"]), "--no-check", columns=120
    )
    assert "next: mlreg activate sentiment@3.0.0 --traffic 10" in shown
