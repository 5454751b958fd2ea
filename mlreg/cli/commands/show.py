"""`mlreg show`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import argument, option
from mlreg.cli.kit.values import prediction_id
from mlreg.cli.options import read_ref
from mlreg.cli.session import SessionOptions


def show(
    session: SessionOptions,
    ref: str | None = argument(
        "[REF]",
        "A version (name@1.2.0, an id), a model's name, or the id of a prediction.",
        complete="ref",
    ),
    version: str | None = argument("[VERSION]", "The version, where REF is the model alone."),
    model: str | None = option("--model -m NAME", "The model.", complete="model"),
) -> None:
    """Show everything about a version, a model, or a prediction.

    $ mlreg show sentiment@champion
    $ mlreg show sentiment
    $ mlreg show 1234
    """
    with session.open_to_read() as registry:
        if ref is None or (version is None and model is None and registry.versions.has_model(ref)):
            session.emit(registry.versions.overview(ref or model))
        elif ref.isascii() and ref.isdecimal() and model is None and version is None:
            session.emit(registry.predictions.trail(prediction_id(ref)))
        else:
            session.emit(registry.versions.get(read_ref(ref, version, model)))
