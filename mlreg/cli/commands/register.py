"""`mlreg register`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlreg.cli.options import AuthorOptions, number, pairs, parser
from mlreg.cli.session import Session, SessionOptions, path
from mlreg.cli.streams.lines import json_or_text
from mlreg.entities.versions import InputKind
from mlreg.services.numbering import Bump

if TYPE_CHECKING:
    from mlreg.entities.versions import Version

ArtifactArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[ARTIFACT]",
        parser=path,
        show_default=False,
        help="A joblib or pickle file; without one only metadata is kept.",
    ),
]
InputOption = Annotated[
    InputKind | None,
    typer.Option("--input", help="What the model takes, where that cannot be inferred."),
]
TrustOption = Annotated[
    bool, typer.Option("--trust", help="Let the artifact run any code when it is loaded.")
]
NoCheckOption = Annotated[
    bool, typer.Option("--no-check", help="Do not load the artifact to see what it is.")
]


def register(
    session: SessionOptions,
    ref: Annotated[
        str,
        typer.Argument(
            metavar="NAME[@VERSION]", help="The model and the version, such as sentiment@1.0.0."
        ),
    ],
    change: AuthorOptions,
    artifact: ArtifactArgument = None,
    bump: Annotated[
        Bump | None, typer.Option("--bump", help="Count up from the highest version instead.")
    ] = None,
    accuracy: Annotated[
        float | None,
        typer.Option("--accuracy", metavar="F", parser=parser(number), help="0 to 1, offline."),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", metavar="NAME=F", help="An offline metric; can be repeated."),
    ] = None,
    meta: Annotated[
        list[str] | None,
        typer.Option("--meta", metavar="KEY=VALUE", help="JSON or text; can be repeated."),
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", metavar="T", help="A tag; can be repeated.")
    ] = None,
    description: Annotated[
        str, typer.Option("--description", metavar="S", show_default=False, help="For people.")
    ] = "",
    parent: Annotated[
        str | None,
        typer.Option("--parent", metavar="VERSION", help="The version this one was made from."),
    ] = None,
    input: InputOption = None,  # the option's name
    trust: TrustOption = False,
    no_check: NoCheckOption = False,
) -> None:
    """Add a version of a model.

    The first version makes the model. The artifact is copied into the registry under its digest
    and never changes; it is loaded once, through an allow-list, to see that it is a model and what
    it takes.

    $ mlreg register sentiment@1.0.0 model.joblib --accuracy 0.91 --tag nightly
    $ mlreg register sentiment model.joblib --bump minor --parent 1.0.0
    """
    metrics, metadata = pairs(metric, number), pairs(meta, json_or_text)
    with session.open(worker=artifact is not None and not no_check) as registry:
        version = registry.versions.register(
            ref,
            artifact,
            bump=bump,
            accuracy=accuracy,
            metrics=metrics,
            metadata=metadata,
            tags=tag or (),
            description=description,
            parent=parent,
            input=input,
            trust=trust,
            check=not no_check,
            change=change,
        )
        session.emit(version)
    tell(session, ref, version)


def tell(session: Session, ref: str, version: Version) -> None:
    """Say how a lenient version was read, and what comes next."""
    selector = ref.rpartition("@")[2] if "@" in ref else version.version
    if selector != version.version and not ref.startswith("models:"):
        session.note(f"{selector} read as {version.version}")
    verb = "activate" if version.digest else "attach"
    session.suggest(f"mlreg {verb} {version.ref}{'' if version.digest else ' model.joblib'}")
