"""What a shell offers behind `name@`: asked by the shells themselves, as far as they are here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlreg.registry import init_registry

pytestmark = [pytest.mark.process, pytest.mark.slow]

BIN = Path(sys.executable).parent
# An interactive shell takes the line apart at COMP_WORDBREAKS; the words are given as it does.
BASH = """
eval "$(_MLREG_COMPLETE=source_bash mlreg)"
case "$COMP_WORDBREAKS" in *@*) ;; *) exit 9 ;; esac
COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_mlreg_completion mlreg
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
FOLLOWS = ["1.0.0", "champion", "1.1.0", "latest"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with init_registry(tmp_path) as registry:
        registry.versions.register("sentiment@1.0.0")
        registry.versions.alias("sentiment@1.0.0", "champion")
        registry.versions.register("sentiment@1.1.0")
        registry.versions.register("other@3.0.0")
    return tmp_path


def run(*words: str, folder: Path, **variables: str) -> list[str]:
    done = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("mlreg show sent", ["sentiment"]),
        ("mlreg show sentiment @", FOLLOWS),
        ("mlreg show sentiment @ 1.", ["1.0.0", "1.1.0"]),
        ("mlreg compare sentiment @ 1.0.0 sentiment @ ch", ["champion"]),
        ("mlreg compare sentiment @ 1.0.0 oth", ["other"]),
        ("mlreg show 'sentiment@1.1'", ["sentiment@1.1.0"]),
    ],
)
def test_bash_offers_what_follows_an_at_though_it_ends_a_word(
    folder: Path, words: str, offered: list[str]
):
    breaks = "COMP_WORDBREAKS=$' \\t\\n\"\\'><=;|&(:@'\n"
    script = breaks + BASH.format(words=words)
    assert run("bash", "--norc", "-c", script, folder=folder) == offered


def test_zsh_and_fish_are_offered_whole_references(folder: Path):
    line = {"_TYPER_COMPLETE_ARGS": "mlreg show sentiment@1.1"}
    zsh = run("mlreg", folder=folder, _MLREG_COMPLETE="complete_zsh", **line)
    assert "sentiment@1.1.0" in " ".join(zsh)
    fish = run(
        "mlreg",
        folder=folder,
        _MLREG_COMPLETE="complete_fish",
        _TYPER_COMPLETE_FISH_ACTION="get-args",
        **line,
    )
    assert fish == ["sentiment@1.1.0"]


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish")
def test_fish_itself_offers_references_and_verbs(folder: Path):
    script = "_MLREG_COMPLETE=source_fish mlreg | source; complete -C '{line}'"
    for line, offered in {
        "mlreg show sentiment@1.": {"sentiment@1.0.0", "sentiment@1.1.0"},
        "mlreg rollb": {"rollback"},
    }.items():
        found = run("fish", "-c", script.format(line=line), folder=folder)
        assert offered <= set(found)
