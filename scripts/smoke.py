"""Install the wheel of a folder into a fresh environment and use it as a newcomer would."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

SESSION = (
    ("init",),
    ("register", "sentiment@1.0.0", "--accuracy", "0.9"),
    ("list", "--json"),
    ("--version",),
    ("--help",),
)


def main(folder: Path) -> None:
    """Check what the one wheel in `folder` holds, install it and run a short session."""
    (wheel,) = folder.resolve().glob("*.whl")
    check_contents(wheel)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        bin_folder = install(wheel, root / "venv")
        work = root / "work"
        work.mkdir()
        for arguments in SESSION:
            run([str(bin_folder / "mlreg"), *arguments], work)
    print(f"smoke: {wheel.name} installs and works")


def check_contents(wheel: Path) -> None:
    """The package and its metadata, nothing else; every data file of the source is there."""
    names = {name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")}
    strays = {n for n in names if not n.startswith("mlreg/") and ".dist-info/" not in n}
    source = Path(__file__).resolve().parent.parent
    wanted = {
        path.relative_to(source).as_posix()
        for path in (source / "mlreg").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    missing = wanted - names
    if strays or missing:
        sys.exit(f"smoke: {wheel.name}: strays {sorted(strays)}, missing {sorted(missing)}")


def install(wheel: Path, target: Path) -> Path:
    """A new environment with the wheel and its dependencies; returns its folder of commands."""
    venv.create(target, with_pip=False)
    python = target / "bin" / "python"
    # This environment's pip installs into the other one, which thus needs no ensurepip.
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    run([*pip, "install", "--quiet", "--disable-pip-version-check", str(wheel)], target)
    return python.parent


def run(command: list[str], folder: Path) -> None:
    """Run a command outside the source tree; leave with its output when it fails."""
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("MLREG_", "PYTHONPATH"))
    }
    environment["XDG_CONFIG_HOME"] = str(folder / ".config")
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(
            f"smoke: {' '.join(command)} ended with {done.returncode}\n{done.stdout}{done.stderr}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
