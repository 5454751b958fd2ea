"""`mlreg policy rollback`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import option
from mlreg.cli.kit.values import whole_number
from mlreg.cli.options import MannerOptions, NameOptions
from mlreg.cli.session import SessionOptions


def rollback(
    session: SessionOptions,
    name: NameOptions,
    change: MannerOptions,
    to: int | None = option("--to N", "This one, 0 for none; else the last but one.", whole_number),
) -> None:
    """Put an earlier policy in force again.

    It becomes the next number, so that a second rollback undoes the first.

    $ mlreg policy rollback sentiment --reason "too many alerts"
    $ mlreg policy rollback sentiment --to 3
    """
    with session.open() as registry:
        session.emit(registry.policies.rollback(name, to=to, change=change))
