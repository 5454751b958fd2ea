"""What must hold before a tag, beyond the checks of every change; ends with 1 and the reasons."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import mlreg

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Print what is missing, or the commands that release."""
    version = mlreg.__version__
    problems = [*tree_problems(version), *changelog_problems(version), *build_problems(version)]
    if problems:
        sys.exit("\n".join(f"release-check: {problem}" for problem in problems))
    print(f"release-check: ready. Next: git tag -a v{version} && git push --tags")


def tree_problems(version: str) -> list[str]:
    """Uncommitted files, or a tag that is there already."""
    dirty, tags = git("status", "--porcelain"), git("tag", "--list", f"v{version}")
    return [
        *(["the tree has uncommitted changes"] if dirty else []),
        *([f"the tag v{version} exists already"] if tags else []),
    ]


def changelog_problems(version: str) -> list[str]:
    """A dated section for this version, with text, and an empty Unreleased above it."""
    text = (ROOT / "CHANGELOG.md").read_text()
    dated = rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$"
    unreleased = re.search(r"^## \[Unreleased\]$(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    return [
        *([] if re.search(dated, text, re.MULTILINE) else [f"CHANGELOG.md has no dated {version}"]),
        *(
            ["CHANGELOG.md still has unreleased entries"]
            if unreleased and unreleased[1].strip()
            else []
        ),
    ]


def build_problems(version: str) -> list[str]:
    """One wheel and one sdist of this version."""
    names = sorted(path.name for path in (ROOT / "dist").glob("*"))
    wanted = [f"mlreg-{version}-py3-none-any.whl", f"mlreg-{version}.tar.gz"]
    return [] if names == wanted else [f"dist/ holds {names}, not {wanted}"]


def git(*arguments: str) -> str:
    """The output of a git command in this project."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
