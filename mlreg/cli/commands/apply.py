"""`mlreg apply`."""

from __future__ import annotations

import sys
from pathlib import Path

from mlreg.cli.kit.parameters import flag, option
from mlreg.cli.kit.values import STDIN, whole_number
from mlreg.cli.options import ChangeOptions
from mlreg.cli.session import SessionOptions, path
from mlreg.errors import CheckFailed, InvalidInput
from mlreg.names import safe

_LARGEST = 1_000_000


def apply(
    session: SessionOptions,
    change: ChangeOptions,
    file: Path = option(
        "-f --file FILE", "The policy file; `-` is stdin.", path, default="mlreg.toml"
    ),
    expect_policy: int | None = option(
        "--expect-policy N", "Fail with exit code 4 unless this policy is in force.", whole_number
    ),
    fail_on_change: bool = flag(
        "--fail-on-change", "End with exit code 10 if anything was not as the file says."
    ),
) -> None:
    """Have policies and traffic be as a file says.

    Shows the difference to what is in force, and puts it in force: all models of the file in one
    transaction, or nothing. A second time it changes nothing. Models that the file does not name
    stay as they are, and so does the traffic of those of which it says nothing about it.

    $ mlreg apply -f mlreg.toml --dry-run
    $ mlreg apply -f mlreg.toml --reason "tighter bounds"
    $ mlreg apply --dry-run --fail-on-change
    """  # fmt: skip
    text = _read(file)
    source = "stdin" if str(file) == STDIN else str(file)
    with session.open_to_read() if change.dry_run else session.open() as registry:
        found = registry.policies.apply(
            text, source=source, expect_policy=expect_policy, change=change
        )
        session.emit(found)
    if fail_on_change and found.changed:
        differs = ", ".join(safe(model.model) for model in found.models if model.lines)
        raise CheckFailed(f"not as {safe(source)} says: {differs}")


def _read(file: Path) -> str:
    try:
        if str(file) == STDIN:
            raw = sys.stdin.buffer.read(_LARGEST + 1)
        else:
            with file.open("rb") as opened:
                raw = opened.read(_LARGEST + 1)
    except OSError as error:
        raise InvalidInput(
            f"{safe(str(file))} cannot be read: {error.strerror}",
            hint="make one: mlreg policy show NAME --toml > mlreg.toml",
        ) from None
    if len(raw) > _LARGEST:
        raise InvalidInput(f"{safe(str(file))} is larger than a policy file can be")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise InvalidInput(f"{safe(str(file))} is no UTF-8") from None
