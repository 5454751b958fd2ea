"""Answers that programs of the user's gave: their options, and many of them from a stream."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from mlreg.cli.kit.parameters import Bundle, option
from mlreg.cli.kit.values import amount, json_or_text, number, pairs, whole_number
from mlreg.cli.options import CORRECT, VALUE
from mlreg.entities.experiments import Outcome

if TYPE_CHECKING:
    from mlreg.cli.session import Session
    from mlreg.registry import Registry

T = TypeVar("T")


def read_answer(
    unit: str | None = option("--user U", "Whom it was about."),
    version: str | None = option(
        "--version V", "Which one answered; as route or assign said.", complete="selector"
    ),
    revision: int | None = option(
        "--revision N", "As route or assign said; else the one in force.", whole_number
    ),
    success: bool | None = option(
        "--success/--failure", "Whether it answered.", show_default=False
    ),
    error: str | None = option("--error TEXT", "Why it did not."),
    output: str | None = option("--output VALUE", "What it answered."),
    confidence: float | None = option("--confidence P", "0 to 1.", amount),
    latency_ms: float | None = option("--latency-ms MS", "How long it took.", number),
    cost: float | None = option("--cost C", "What it cost.", number),
    label: str | None = option("--label L", "The right answer, if known."),
    correct: bool | None = CORRECT,
    values: list[str] | None = VALUE,
    request_id: str | None = option("--request-id ID", "Sent again, it is recorded once."),
) -> Outcome:
    """What the options amount to: each is a field of the outcome."""
    said = dict(locals())
    said["output"] = None if output is None else json_or_text(output)
    said["values"] = pairs(values, number)
    return Outcome(**said)


def record_lines(
    session: Session,
    path: Path,
    check: Callable[[Registry], Callable[[Outcome], None]],
    record: Callable[[Registry], Callable[..., T]],
) -> tuple[int, T]:
    """Record the answers of all lines, or none of them where a line cannot be read.

    Args:
        session: Says which registry.
        path: The lines; - is stdin.
        check: What refuses an answer that cannot be recorded.
        record: What records all.

    Returns:
        How many there were, and what became of them.
    """
    from mlreg.cli.streams.lines import Source, readable_twice
    from mlreg.cli.streams.outcomes import check_all, outcomes
    from mlreg.cli.streams.progress import Progress

    with readable_twice(Source(path, "jsonl")) as origin, session.open() as registry:
        total = check_all(origin, check(registry))
        with Progress("answers", total=total) as progress:
            return total, record(registry)(outcomes(origin), progress=progress.advance)


AnswerOptions = Annotated[Outcome, Bundle(read_answer)]
