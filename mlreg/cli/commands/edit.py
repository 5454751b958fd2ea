"""`mlreg edit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from mlreg.cli.kit.parameters import option
from mlreg.cli.kit.values import pairs
from mlreg.cli.options import AuthorOptions, NameOptions
from mlreg.cli.session import SessionOptions
from mlreg.errors import InvalidInput

if TYPE_CHECKING:
    from mlreg.metrics import Better


def edit(
    session: SessionOptions,
    change: AuthorOptions,
    name: NameOptions,
    value_better: list[str] | None = option(
        "--value-better VALUE=up|down|none",
        "Which way a feedback value is better; can be repeated.",
    ),
) -> None:
    """Change what is kept about a model.

    That is, which way its feedback values are better. From then on perf compares them with a
    verdict and lets them decide, and experiments on value:NAME know the direction. What an
    experiment has frozen stays.

    $ mlreg edit sentiment --value-better clicks=up --value-better refunds=down
    $ mlreg edit sentiment --value-better clicks=none
    """
    wanted = pairs(value_better, lambda word: None if word == "none" else cast("Better", word))
    if not wanted:
        raise InvalidInput("nothing to change", hint="mlreg edit --value-better clicks=up")
    with session.open() as registry:
        session.emit(registry.versions.edit(name, value_better=wanted, change=change))
