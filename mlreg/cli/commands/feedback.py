"""`mlreg feedback`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mlreg.cli.kit.parameters import argument, flag, option
from mlreg.cli.kit.values import Format, number, pairs, prediction_id
from mlreg.cli.options import ACTOR, CORRECT, DRY_RUN, MODEL, REQUEST_ID, VALUE
from mlreg.cli.session import Session, SessionOptions, path
from mlreg.errors import InvalidInput, NotFound
from mlreg.names import counted, safe

if TYPE_CHECKING:
    from mlreg.entities.predictions import FeedbackReceipt


def feedback(
    session: SessionOptions,
    prediction: str | None = argument("[PREDICTION_ID]", "The id that predict gave."),
    label: str | None = argument("[LABEL]", "The right answer."),
    request_id: str | None = REQUEST_ID,
    model: str | None = MODEL,
    correct: bool | None = CORRECT,
    value: list[str] | None = VALUE,
    file: Path | None = option("--file -f PATH", "CSV, TSV or JSONL with many; - is stdin.", path),
    format: Format | None = option("--format", "Of the file: csv, tsv, jsonl or parquet."),
    strict_labels: bool = flag(
        "--strict-labels", "Refuse labels that are none of the version's classes."
    ),
    dry_run: bool = DRY_RUN,
    actor: str | None = ACTOR,
) -> None:
    """Record what the right answer was.

    A prediction goes by the id that predict gave, or by your own: --request-id or --key. A
    correction is said by saying it anew; the trail keeps both. A file has the columns
    prediction_id (or request_id, or key) and label, and may have correct and others: each other
    column is a named number. Empty cells say nothing. If any row cannot be read, none is recorded.

    $ mlreg feedback 42 positive
    $ mlreg feedback --key ORDER-17 positive
    $ mlreg feedback 42 --incorrect --value rating=2
    $ mlreg feedback --file labels.csv
    """
    if file is not None:
        if prediction is not None or request_id is not None:
            raise InvalidInput("give either a prediction or --file, not both")
        _record_file(session, file, format, model, actor, strict=strict_labels, dry_run=dry_run)
        return
    if request_id is not None:
        if label is not None:
            raise InvalidInput("give either a prediction or a request id, not both")
        prediction, label = None, prediction
    elif prediction is None:
        raise InvalidInput("which prediction?", hint="mlreg feedback PREDICTION_ID LABEL")
    values = pairs(value, number)
    key = None if prediction is None else prediction_id(prediction)
    with session.open(actor=actor) as registry:
        record = partial(
            registry.feedback.record,
            key,
            label,
            request_id=request_id,
            model=model,
            correct=correct,
            values=values,
        )
        receipt = record(dry_run=strict_labels or dry_run)
        _check_labels(receipt, strict=strict_labels)
        session.emit(record() if receipt.dry_run and not dry_run else receipt)


def _record_file(
    session: Session,
    file: Path,
    format: Format | None,  # the option's name
    model: str | None,
    actor: str | None,
    *,
    strict: bool,
    dry_run: bool,
) -> None:
    """Record all feedback of a file, or none of it where a row cannot be read."""
    from mlreg.cli.streams.labels import entries, label_source
    from mlreg.cli.streams.lines import readable_twice
    from mlreg.cli.streams.progress import Progress

    with (
        readable_twice(label_source(file, format)) as origin,
        session.open(actor=actor) as registry,
    ):
        record = registry.feedback.record_many
        if strict or dry_run:
            receipt = record(entries(origin), model=model, dry_run=True)
            _check_labels(receipt, strict=strict)
            total = receipt.recorded + receipt.duplicates + len(receipt.unknown)
        else:
            total = sum(1 for _ in entries(origin))
        if not dry_run:
            with Progress("entries", total=total) as progress:
                receipt = record(entries(origin), model=model, progress=progress.advance)
        session.emit(receipt)
    if receipt.unknown:
        raise NotFound(
            f"{counted(len(receipt.unknown), 'id')} without a prediction; the rest is recorded",
            hint="see them with --json; ids are the ones that predict gave",
        )


def _check_labels(receipt: FeedbackReceipt, *, strict: bool) -> None:
    if strict and receipt.unusual_labels:
        named = ", ".join(map(safe, receipt.unusual_labels))
        raise InvalidInput(
            f"labels that are none of the version's classes: {named}", hint="nothing was recorded"
        )
