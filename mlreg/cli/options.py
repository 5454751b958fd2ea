"""The arguments and options that several commands have, and the bundles of them."""

from __future__ import annotations

from typing import Annotated

from mlreg.cli.kit.parameters import Bundle, argument, flag, option
from mlreg.cli.kit.values import amount, limit, whole_number
from mlreg.entities.traffic import Change
from mlreg.errors import InvalidInput
from mlreg.names import safe

REF = argument(
    "REF",
    "name@1.2.0, name@latest, name@ALIAS, or an id such as model-3f9a0c55d1e2.",
    complete="ref",
)
TEST = argument("ID", "The experiment.", complete="experiment")
HOOK = argument("HOOK", "The hook, such as hook-1.", complete="hook")
ROLLOUT = argument("[NAME|ID]", "The model, or a rollout such as sentiment#1.", complete="rollout")
NAME = argument("[NAME]", "The model; may be left out where there is only one.", complete="model")
MODEL = option(
    "--model -m NAME", "The model; may be left out where there is only one.", complete="model"
)
VERSION = option("--version VERSION", "A version, an alias or latest.", complete="selector")
SHADOW = option("--version VERSION", "Only this shadow.", complete="selector")
AGAINST = option(
    "--against VERSION", "Only beside this version that answered.", complete="selector"
)
STRATEGY = option(
    "--strategy", "How a version is picked; sticky gives a user the same one each time."
)
LIMIT = option("-n --limit N", "How many to show.", limit, default=20)
SINCE = option("--since TIME", "From this on: 24h, 7d, 2026-11-20 or an ISO time in UTC.")
UNTIL = option("--until TIME", "Up to this, written likewise.")
ALPHA = option("--alpha A", "Chance of a winner that is none.", amount, default=0.05)
POWER = option("--power P", "Chance to find the change if it is real.", amount, default=0.8)
CORRECT = option("--correct/--incorrect", "Whether the answer was right.", show_default=False)
VALUE = option("--value NAME=F", "A number, such as a rating; repeatable.")
REQUEST_ID = option("--request-id --key ID", "Your own id of the request, such as ORDER-17.")
PRE = option("--pre NAME", "A prerelease, such as rc: 2.0.0-rc.1.")
YES = flag("--yes -y", "Do not ask.")
ACTOR = option("--actor NAME", "Who does it; else the setting, else the user.")
REASON = option(
    "--reason TEXT", "Why; kept in the history and the audit trail.", default="", show_default=False
)
DRY_RUN = flag("--dry-run", "Show what would result; change nothing.")


def read_ref(
    ref: str | None = argument(
        "[REF]",
        "name@1.2.0, name@latest, name@ALIAS, or an id such as model-3f9a0c55d1e2.",
        complete="ref",
    ),
    version: str | None = argument(
        "[VERSION]", "The version, where REF is the model alone.", complete="selector"
    ),
    model: str | None = option(
        "--model -m NAME", "The model, where REF is a version alone.", complete="model"
    ),
) -> str:
    """The reference that is meant; a version alone is of the only model."""
    if ref is None:
        raise InvalidInput("which version?", hint="name it like sentiment@2.0.0")
    if version is not None:
        ref = _joined(ref, version)
    return ref if model is None else _joined(model, ref)


def _joined(name: str, selector: str) -> str:
    if "@" in name or "@" in selector:
        raise InvalidInput(
            f"{safe(name)} and {safe(selector)} name the version twice",
            hint="write name@1.0.0, or name 1.0.0",
        )
    return f"{name}@{selector}"


def read_name(name: str | None = NAME, model: str | None = MODEL) -> str | None:
    """The model that is meant, named either way; None for the only one."""
    if None not in (name, model) and name != model:
        raise InvalidInput(f"which model, {safe(str(name))} or {safe(str(model))}?")
    return name or model


def read_change(
    reason: str = REASON,
    actor: str | None = ACTOR,
    dry_run: bool = DRY_RUN,
    expect_revision: int | None = option(
        "--expect-revision N",
        "Fail with exit code 4 unless this revision is in force.",
        whole_number,
    ),
) -> Change:
    """What the options of a change of traffic amount to."""
    return Change(reason=reason, actor=actor, dry_run=dry_run, expect_revision=expect_revision)


def read_manner(reason: str = REASON, actor: str | None = ACTOR, dry_run: bool = DRY_RUN) -> Change:
    """What the options of a change amount to that waits for nobody."""
    return Change(reason=reason, actor=actor, dry_run=dry_run)


def read_authorship(reason: str = REASON, actor: str | None = ACTOR) -> Change:
    """What the options of any other change amount to."""
    return Change(reason=reason, actor=actor)


RefOptions = Annotated[str, Bundle(read_ref)]
NameOptions = Annotated[str | None, Bundle(read_name)]
ChangeOptions = Annotated[Change, Bundle(read_change)]
MannerOptions = Annotated[Change, Bundle(read_manner)]
AuthorOptions = Annotated[Change, Bundle(read_authorship)]
