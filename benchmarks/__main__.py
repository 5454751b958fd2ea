"""`python -m benchmarks`: measure the budgets and print one table."""

from __future__ import annotations

import argparse
import compileall
import math
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import mlreg
from benchmarks import experiments, library, processes, scale, shadows, tripwires, writers
from benchmarks.harness import BASELINES, Line, Plan

Group = Callable[[Plan], list[Line]]

# Each group by the budgets that it measures.
GROUPS: list[tuple[set[str], Group]] = [
    ({"B1", "B10"}, processes.start_up),
    ({"B2"}, processes.one_shot),
    ({"B3"}, library.one_text),
    ({"B4"}, library.many_texts),
    ({"B5"}, library.log_rows),
    ({"B6"}, writers.light_writers),
    ({"B7"}, scale.report),
    ({"B14"}, scale.ticks),
    ({"B8"}, library.routing),
    ({"B9"}, processes.control_plane),
    ({"B11"}, experiments.looks),
    ({"B12"}, shadows.followed),
    ({"B13"}, tripwires.watched),
]


def main() -> int:
    """Measure what is asked for; 1 when a budget is broken and `--enforce` is given."""
    options = parse()
    wanted = set(filter(None, options.only.upper().split(",")))
    compile_all()
    print(environment())
    lines: list[Line] = []
    for budgets, group in GROUPS:
        if not wanted or budgets & wanted:
            for line in run(group, options):
                print(show(line), flush=True)
                lines.append(line)
    broken = [line for line in lines if line.verdict == "FAIL"]
    print(f"{len(lines) - len(broken)} of {len(lines)} kept")
    return int(bool(broken) and options.enforce)


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two minutes instead of eight")
    parser.add_argument("--only", default="", help="some budgets, as in B1,B3")
    parser.add_argument("--rows", type=int, help="rows of the long log of B7")
    parser.add_argument("--enforce", action="store_true", help="end with 1 when one is broken")
    return parser.parse_args()


def run(group: Group, options: argparse.Namespace) -> list[Line]:
    """One group in a folder of its own; a command that fails costs its group, not the others."""
    rows = options.rows or (2_000_000 if options.quick else 10_000_000)
    with tempfile.TemporaryDirectory(prefix="mlreg-bench-") as folder:
        try:
            return group(Plan(folder=Path(folder), quick=options.quick, rows=rows))
        except subprocess.CalledProcessError as error:
            print(f"{error.cmd} ended with {error.returncode}", file=sys.stderr)
            return [Line(budget="-", what=group.__name__, value=math.inf, limit=0)]


def compile_all() -> None:
    """Compile what is measured: some environments forbid Python to do so as it goes."""
    for folder in (Path(mlreg.__file__).parent, BASELINES):
        compileall.compile_dir(folder, quiet=2)


def environment() -> str:
    """What the ratios were measured on."""
    return (
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"{os.cpu_count()} CPUs, {platform.system()} {platform.machine()}, compiled files present"
    )


def show(line: Line) -> str:
    """A line of the table."""
    value = "-" if line.value is None else f"{line.value:.3g} {line.unit}"
    sign = ">=" if line.at_least else "<="
    bound = "" if line.limit is None else f"{sign} {line.limit:g} {line.unit}"
    text = f"{line.budget:4} {line.what:44} {value:>10} {bound:>12}  {line.verdict:12}"
    return f"{text} {line.detail}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
