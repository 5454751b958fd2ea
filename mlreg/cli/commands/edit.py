"""`mlreg edit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from mlreg.cli.kit.parameters import argument, option
from mlreg.cli.kit.values import number, pairs
from mlreg.cli.options import AuthorOptions, read_name, read_ref
from mlreg.cli.session import SessionOptions
from mlreg.errors import InvalidInput

if TYPE_CHECKING:
    from mlreg.metrics import Better


def edit(
    session: SessionOptions,
    change: AuthorOptions,
    ref: str | None = argument("[NAME|REF]", "A model, or a version of it.", complete="ref"),
    model: str | None = option("--model -m NAME", "The model.", complete="model"),
    value_better: list[str] | None = option(
        "--value-better VALUE=up|down|none",
        "Which way a feedback value is better; can be repeated.",
    ),
    description: str | None = option("--description S", "For people."),
    tag: list[str] | None = option("--tag T", "A tag to add; can be repeated."),
    untag: list[str] | None = option("--untag T", "A tag to take away; can be repeated."),
    metric: list[str] | None = option("--metric NAME=F", "An offline metric; can be repeated."),
) -> None:
    """Change what is said about a version or a model.

    Of a version the description, tags and offline metrics; its artifact and its number never
    change. Of a model, which way its feedback values are better: from then on perf compares them
    with a verdict and lets them decide, and experiments on value:NAME know the direction. What an
    experiment has frozen stays.

    $ mlreg edit sentiment@2.0.0 --description "trained on March" --tag nightly --untag draft
    $ mlreg edit sentiment@2.0.0 --metric auc=0.93
    $ mlreg edit sentiment --value-better clicks=up --value-better refunds=down
    $ mlreg edit sentiment --value-better clicks=none
    """
    wanted = pairs(value_better, lambda word: None if word == "none" else cast("Better", word))
    metrics = pairs(metric, number)
    of_version = description is not None or bool(tag or untag or metrics)
    if not wanted and not of_version:
        raise InvalidInput("nothing to change", hint="mlreg edit NAME@VERSION --description TEXT")
    if wanted and of_version:
        raise InvalidInput("a model and a version of it are changed one after the other")
    with session.open() as registry:
        if wanted:
            name = read_name(ref, model)
            session.emit(registry.versions.edit(name, value_better=wanted, change=change))
            return
        session.emit(
            registry.versions.describe(
                read_ref(ref, None, model),
                description=description,
                metrics=metrics,
                tags=tag or (),
                untag=untag or (),
                change=change,
            )
        )
