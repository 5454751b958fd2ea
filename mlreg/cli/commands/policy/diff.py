"""`mlreg policy diff`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import option
from mlreg.cli.kit.values import whole_number
from mlreg.cli.options import NameOptions
from mlreg.cli.session import SessionOptions


def diff(
    session: SessionOptions,
    name: NameOptions,
    start: int | None = option("--from N", "The one; else the one before the other.", whole_number),
    to: int | None = option("--to N", "The other; else the one in force.", whole_number),
) -> None:
    """Show how a policy differs from the one before it, or from another.

    $ mlreg policy diff sentiment
    $ mlreg policy diff sentiment --from 3 --to 7
    """
    with session.open_to_read() as registry:
        session.emit(registry.policies.differ(name, number=start, other=to))
