"""Version numbers: what to count up from, and which one to give out."""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING, Literal

from mlreg.errors import AlreadyExists, InvalidInput
from mlreg.names import LATEST, Reference, check_new_version, parse_version, safe

if TYPE_CHECKING:
    from semver import Version as SemVer

    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction

Bump = Literal["major", "minor", "patch"]
BUMPS: tuple[Bump, ...] = ("major", "minor", "patch")

_PRE = re.compile(r"[A-Za-z][A-Za-z-]{0,31}")
_FIRST = {"major": "1.0.0", "minor": "0.1.0", "patch": "0.0.1"}


def give_number(
    tx: Transaction, reference: Reference, bump: Bump | None, pre: str | None = None
) -> SemVer:
    """The version number to give out, free to be taken."""
    if pre is not None and bump is None:
        raise InvalidInput("--pre goes with --bump", hint=f"--bump minor --pre {safe(pre)}")
    if reference.model_id:
        raise InvalidInput("register takes a name, not an id", hint="write NAME@1.0.0")
    if bump is not None and bump not in BUMPS:
        raise InvalidInput(f"bump must be one of {', '.join(BUMPS)}, not {safe(bump)}")
    name, selector = str(reference.name), reference.selector
    model = tx.models.find(name)
    if bump and selector:
        raise InvalidInput("give either a version or --bump, not both")
    if selector:
        return _free(tx, model, name, check_new_version(parse_version(selector)))
    base = highest(tx, model)
    if bump:
        return check_new_version(bumped(tx, model, base, bump, pre))
    if base is None:
        return bumped(tx, model, base, "major")
    steps = ", ".join(f"{part} {bumped(tx, model, base, part)}" for part in BUMPS)
    raise InvalidInput(
        f"which version of {safe(name)}? the highest is {base}",
        hint=f"write {safe(name)}@VERSION, or --bump: {steps}",
    )


def highest(tx: Transaction, model: ModelRow | None) -> SemVer | None:
    """What to count up from: the highest release, or prerelease if there is nothing else."""
    versions = [parse_version(n) for n in tx.versions.numbers(model.key)] if model else []
    releases = [version for version in versions if version.prerelease is None]
    return next(iter(releases or versions), None)


def bumped(
    tx: Transaction,
    model: ModelRow | None,
    base: SemVer | None,
    part: Bump,
    pre: str | None = None,
) -> SemVer:
    """The next free number; with `pre` the next free prerelease of that, such as `2.0.0-rc.1`."""
    version = parse_version(_FIRST[part]) if base is None else base.next_version(part)
    while model and tx.versions.taken(model.key, str(version)):
        version = version.next_version(part)
    if pre is None:
        return version
    return next(
        found
        for number in count(1)
        for found in (_prerelease(version, pre, number),)
        if not (model and tx.versions.taken(model.key, str(found)))
    )


def _prerelease(version: SemVer, pre: str, number: int) -> SemVer:
    if not _PRE.fullmatch(pre):
        raise InvalidInput(f"{safe(pre)} cannot name a prerelease", hint="letters, such as rc")
    return parse_version(f"{version}-{pre}.{number}")


def _free(tx: Transaction, model: ModelRow | None, name: str, version: SemVer) -> SemVer:
    taken = tx.versions.taken(model.key, str(version)) if model else None
    if taken == "exists":
        raise AlreadyExists(
            f"{safe(name)}@{version} exists",
            hint=f"see the next ones: mlreg next {safe(name)}; show it: mlreg show {name}@{LATEST}",
        )
    if taken == "deleted":
        raise AlreadyExists(
            f"{safe(name)}@{version} was deleted, and a number is never given out twice",
            hint=f"see the next ones: mlreg next {safe(name)}",
        )
    return version
