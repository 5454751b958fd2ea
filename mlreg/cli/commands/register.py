"""`mlreg register`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlreg.cli.kit.parameters import argument, flag, option
from mlreg.cli.kit.values import json_or_text, number, pairs
from mlreg.cli.options import PRE, AuthorOptions
from mlreg.cli.session import Session, SessionOptions, path
from mlreg.entities.versions import InputKind
from mlreg.services.numbering import Bump

if TYPE_CHECKING:
    from mlreg.entities.versions import Version
    from mlreg.registry import Registry

ARTIFACT = argument(
    "[ARTIFACT]", "A joblib or pickle file; without one only metadata is kept.", path
)
INPUT = option("--input", "What the model takes, where that cannot be inferred.")
TRUST = flag("--trust", "Let the artifact run any code when it is loaded.")
EXTERNAL = flag("--external", "A program of yours runs it; its answers come in by mlreg record.")
NO_CHECK = flag("--no-check", "Do not load the artifact to see what it is.")


def register(
    session: SessionOptions,
    change: AuthorOptions,
    ref: str = argument("NAME[@VERSION]", "The model and the version, such as sentiment@1.0.0."),
    artifact: Path | None = ARTIFACT,
    bump: Bump | None = option("--bump", "Count up from the highest version instead."),
    pre: str | None = PRE,
    accuracy: float | None = option("--accuracy F", "0 to 1, offline.", number),
    metric: list[str] | None = option("--metric NAME=F", "An offline metric; can be repeated."),
    meta: list[str] | None = option("--meta KEY=VALUE", "JSON or text; can be repeated."),
    tag: list[str] | None = option("--tag T", "A tag; can be repeated."),
    description: str = option("--description S", "For people.", default="", show_default=False),
    parent: str | None = option("--parent VERSION", "The version this one was made from."),
    input: InputKind | None = INPUT,
    trust: bool = TRUST,
    no_check: bool = NO_CHECK,
    external: bool = EXTERNAL,
) -> None:
    """Add a version of a model.

    The first version makes the model. The artifact is copied into the registry under its digest
    and never changes; it is loaded once, through an allow-list, to see that it is a model and what
    it takes.

    $ mlreg register sentiment@1.0.0 model.joblib --accuracy 0.91 --tag nightly
    $ mlreg register sentiment model.joblib --bump minor --parent 1.0.0
    $ mlreg register sentiment model.joblib --bump minor --pre rc
    $ mlreg register chat@1.0.0 --external
    """
    metrics, metadata = pairs(metric, number), pairs(meta, json_or_text)
    with session.open(worker=artifact is not None and not no_check) as registry:
        version = registry.versions.register(
            ref,
            artifact,
            bump=bump,
            pre=pre,
            accuracy=accuracy,
            metrics=metrics,
            metadata=metadata,
            tags=tag or (),
            description=description,
            parent=parent,
            input=input,
            trust=trust,
            check=not no_check,
            external=external,
            change=change,
        )
        session.emit(version)
        tell(session, registry, ref, version)


def tell(session: Session, registry: Registry, ref: str, version: Version) -> None:
    """Say how a lenient version was read, and what comes next."""
    selector = ref.rpartition("@")[2] if "@" in ref else version.version
    if selector != version.version and not ref.startswith("models:"):
        session.note(f"{selector} read as {version.version}")
    suggest_next(session, registry, version)


def suggest_next(session: Session, registry: Registry, version: Version) -> None:
    """Say how a version gets to serve: where others do, with a part of the traffic."""
    if version.digest is None and not version.external:
        session.suggest(f"mlreg attach {version.ref} model.joblib")
    else:
        share = " --traffic 10" if registry.traffic.current(version.name).live else ""
        session.suggest(f"mlreg activate {version.ref}{share}")
