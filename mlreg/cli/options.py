"""The types of arguments and options, and the bundles that commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer

from mlreg.cli.kit.bundles import Bundle
from mlreg.cli.kit.completion import (
    complete_experiment,
    complete_model,
    complete_ref,
    complete_selector,
)
from mlreg.entities.traffic import Change, Strategy
from mlreg.errors import InvalidInput
from mlreg.names import safe

T = TypeVar("T")

_DECIMAL = re.compile(r"[+]?[0-9]{1,30}(\.[0-9]{1,30})?", re.ASCII)
_NUMBER = re.compile(r"[+-]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})([eE][+-]?[0-9]{1,3})?")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


def parser(read: Callable[[str], T]) -> Callable[[Any], Any]:
    """A parser for Typer, which also calls it with defaults that are values already."""

    def parse(raw: Any) -> Any:
        return read(raw) if isinstance(raw, str) else raw

    return parse


def percent(text: str) -> float:
    """A percentage: a plain decimal of ASCII digits."""
    if not _DECIMAL.fullmatch(text):
        raise InvalidInput(
            f"{safe(text)} is not a percentage", hint="write it as a plain number: 20 or 2.5"
        )
    return float(text)


def number(text: str) -> float:
    """A finite number in ASCII digits."""
    value = float(text) if _NUMBER.fullmatch(text) else float("inf")
    if abs(value) == float("inf"):
        raise InvalidInput(f"{safe(text)} is not a number", hint="write it like 0.93 or 1e-3")
    return value


def amount(text: str) -> float:
    """A number, or one in percent: `0.1` and `10%` are the same."""
    return number(text[:-1]) / 100 if text.endswith("%") else number(text)


def whole_number(text: str) -> int:
    """A number of things: ASCII digits alone."""
    if not _WHOLE_NUMBER.fullmatch(text):
        raise InvalidInput(f"{safe(text)} is not a whole number")
    return int(text)


def limit(text: str) -> int:
    """How many rows to show: 1 to 100 000."""
    value = whole_number(text)
    if not 1 <= value <= 100_000:
        raise InvalidInput(f"the number of rows lies between 1 and 100,000, not at {value}")
    return value


def pair(text: str) -> tuple[str, str]:
    """`KEY=VALUE`, divided at the first equals sign."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise InvalidInput(f"{safe(text)} is not of the form NAME=VALUE")
    return key, value


def pairs(texts: list[str] | None, value: Callable[[str], T]) -> dict[str, T]:
    """Repeated `KEY=VALUE` as a mapping.

    Raises:
        InvalidInput: A key stands twice, or a value cannot be read.
    """
    found: dict[str, T] = {}
    for text in texts or ():
        key, raw = pair(text)
        if key in found:
            raise InvalidInput(f"{safe(key)} was given twice")
        found[key] = value(raw)
    return found


def moment(text: str | None) -> int | None:
    """An instant, or a duration back from now, in microseconds; None for none."""
    if text is None:
        return None
    from mlreg import clock

    return clock.parse_moment(text, now=clock.now())


def prediction_id(text: str) -> int:
    """The id of a prediction.

    Raises:
        InvalidInput: It cannot be one.
    """
    if not _WHOLE_NUMBER.fullmatch(text) or int(text) == 0:
        raise InvalidInput(
            f"{safe(text)!r} is not the id of a prediction", hint="it is a number: see mlreg log"
        )
    return int(text)


def segment_key(text: str | None) -> str | None:
    """The key in `segment:KEY`; None for none.

    Raises:
        InvalidInput: It is written otherwise.
    """
    if text is None:
        return None
    kind, colon, key = text.partition(":")
    if kind != "segment" or not colon or not key:
        raise InvalidInput(f"{safe(text)} is nothing to report by", hint="--by segment:country")
    return key


RefArgument = Annotated[
    str,
    typer.Argument(
        metavar="REF",
        show_default=False,
        help="name@1.2.0, name@latest, name@ALIAS, or an id such as model-3f9a0c55d1e2.",
        autocompletion=complete_ref,
    ),
]
ExperimentArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        show_default=False,
        help="The experiment.",
        autocompletion=complete_experiment,
    ),
]
NameArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]",
        show_default=False,
        help="The model; may be left out where there is only one.",
        autocompletion=complete_model,
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="NAME",
        help="The model; may be left out where there is only one.",
        autocompletion=complete_model,
    ),
]
VersionOption = Annotated[
    str | None,
    typer.Option(
        "--version",
        metavar="VERSION",
        help="A version, an alias or latest.",
        autocompletion=complete_selector,
    ),
]
StrategyOption = Annotated[
    Strategy | None,
    typer.Option(
        "--strategy",
        help="How a version is picked; sticky gives a user the same one each time.",
    ),
]
LimitOption = Annotated[
    int, typer.Option("-n", "--limit", metavar="N", parser=parser(limit), help="How many to show.")
]
SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="TIME", help="From this on: 24h, 7d, 2026-11-20 or an ISO time in UTC."
    ),
]
AlphaOption = Annotated[
    float,
    typer.Option(
        "--alpha", metavar="A", parser=parser(amount), help="Chance of a winner that is none."
    ),
]
PowerOption = Annotated[
    float,
    typer.Option(
        "--power",
        metavar="P",
        parser=parser(amount),
        help="Chance to find the change if it is real.",
    ),
]
CorrectOption = Annotated[
    bool | None,
    typer.Option("--correct/--incorrect", show_default=False, help="Whether the answer was right."),
]
ValueOption = Annotated[
    list[str] | None,
    typer.Option("--value", metavar="NAME=F", help="A number, such as a rating; repeatable."),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
ActorOption = Annotated[
    str | None,
    typer.Option("--actor", metavar="NAME", help="Who does it; else the setting, else the user."),
]
ReasonOption = Annotated[
    str,
    typer.Option(
        "--reason",
        metavar="TEXT",
        show_default=False,
        help="Why; kept in the history and the audit trail.",
    ),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Show what would result; change nothing.")
]


def read_change(
    reason: ReasonOption = "",
    actor: ActorOption = None,
    dry_run: DryRunOption = False,
    expect_revision: Annotated[
        int | None,
        typer.Option(
            "--expect-revision",
            metavar="N",
            parser=parser(whole_number),
            help="Fail with exit code 4 unless this revision is in force.",
        ),
    ] = None,
) -> Change:
    """What the options of a change of traffic amount to."""
    return Change(reason=reason, actor=actor, dry_run=dry_run, expect_revision=expect_revision)


def read_authorship(reason: ReasonOption = "", actor: ActorOption = None) -> Change:
    """What the options of any other change amount to."""
    return Change(reason=reason, actor=actor)


ChangeOptions = Annotated[Change, Bundle(read_change)]
AuthorOptions = Annotated[Change, Bundle(read_authorship)]
