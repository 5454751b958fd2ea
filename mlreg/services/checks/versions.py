"""Models, versions and aliases: of a form that they can have, and as they were sealed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from mlreg.errors import InvalidInput, StoreDamaged
from mlreg.jsonable import JsonValue, canonical, jsonable
from mlreg.names import check_alias, check_name, name_key, parse_version, precedence_key, safe
from mlreg.services.checks.findings import Examination, Mend, Problems, shown
from mlreg.services.checks.told import (
    Column,
    as_json,
    as_time,
    compare_row,
    stored_json,
    stored_time,
)
from mlreg.store.models import ModelRow
from mlreg.store.raw_rows import (
    ALIASES,
    METADATA,
    METRICS,
    MODELS,
    TAGS,
    TURNS,
    VERSIONS,
    Row,
    delete,
    insert,
    one,
    rows,
    update,
)
from mlreg.store.rows import UNREADABLE
from mlreg.store.versions import load_signature

if TYPE_CHECKING:
    from mlreg.services.checks.trail import Sealed, SealedVersion, State
    from mlreg.store.engines import Connection
    from mlreg.store.store import Transaction

_DIGEST = re.compile(r"[0-9a-f]{64}")
_SALT = re.compile(r"[0-9a-f]{16}")
# Far beyond what anybody predicts, and far below where adding a turn overflows.
_TURNS = 2**53

_ALWAYS = (
    Column("version"),
    Column("created_at", read=as_time, write=stored_time),
    Column("created_by"),
    Column("external", read=bool, write=int),
)
_ARTIFACT = (
    Column("flavor"),
    Column("digest"),
    Column("size_bytes"),
    Column("signature", read=as_json, write=stored_json),
    Column("trusted", read=bool, write=int),
)
# An event that is gone may have changed it.
_UNSURE = (Column("parent"), Column("description"))
_NAME = Column("name")


def models(exam: Examination, found: Problems) -> str:
    """Names, their folded forms, salts and turns."""
    with exam.context.store.read() as tx:
        all_rows = list(rows(tx.connection, MODELS))
        better = {row["key"]: tx.models.directions(row["key"]) for row in all_rows}
    for row in all_rows:
        told = exam.sealed.models.get(row["key"])
        subject, where = f"model {shown(told or row['name'])}", {"key": row["key"]}
        if told is not None:
            sure = exam.sealed.is_sound
            compare_row(found, subject, "models", where, row, {"name": told}, {_NAME: sure})
        elif problem := _refusal(lambda row=row: check_name(row["name"])):  # type: ignore[misc]  # bound now
            found.add(f"{subject}: {problem}")
        key = name_key(told or row["name"])
        if row["name_key"] != key:
            found.add(
                f"{subject}: name_key is {shown(row['name_key'])}, the name folds to {shown(key)}",
                mend=_derived(subject, "models", where, "name_key", row, key),
            )
        is_now, was = better[row["key"]], exam.sealed.directions.get(row["key"], {})
        if is_now != was:
            stored, sealed = (shown(d) for d in (is_now, was))
            found.add(f"{subject}: better values are {stored}, the audit trail says {sealed}")
        if not _SALT.fullmatch(row["salt"]):
            found.add(f"{subject}: its salt {shown(row['salt'])} is not one that mlreg makes")
        if row["next_turn"] > _TURNS:
            found.add(
                f"{subject}: the next turn is {row['next_turn']}, which nobody has reached",
                mend=_turns_counted(subject, row),
            )
    return f"{len(all_rows)} with names that fit"


def versions(exam: Examination, found: Problems) -> str:
    """Each version against its form and what was sealed of it."""
    sealed = exam.sealed
    with exam.context.store.read() as tx:
        all_rows = list(rows(tx.connection, VERSIONS))
        for row in all_rows:
            told = sealed.versions.get(row["model_id"])
            number = told.state["version"] if told else row["version"]
            name = sealed.models.get(row["model"], row["name"])
            subject = safe(f"{name}@{number}")
            if told:
                _compare(found, subject, row, told, is_sound=sealed.is_sound)
            else:
                _check_form(found, subject, row)
            _check_details(tx.connection, found, subject, row, sealed)
            _check_precedence(found, subject, row, number)
    for model_id in sealed.versions.keys() - {row["model_id"] for row in all_rows}:
        found.add(f"{sealed.versions[model_id].state.get('version')} ({safe(model_id)}) is missing")
    return f"{len(all_rows)} as they were sealed"


def _compare(
    found: Problems, subject: str, row: Row, told: SealedVersion, *, is_sound: bool
) -> None:
    state, where = told.state, {"key": row["key"]}
    # Whoever has no artifact may be given one by an event that is gone.
    has_artifact = is_sound and state.get("digest") is not None
    columns = {**dict.fromkeys(_ALWAYS, is_sound), **dict.fromkeys(_ARTIFACT, has_artifact)}
    columns |= dict.fromkeys(_UNSURE, False)
    compare_row(found, subject, "versions", where, row, state, columns)
    if row["model"] != told.model_key:
        found.add(f"{subject}: it is filed under another model")
    was_deleted, is_archived = row["deleted_at"] is not None, row["archived_at"] is not None
    if was_deleted != told.is_deleted:
        found.add(f"{subject}: {_opposite('deleted', was_deleted)}")
    elif not was_deleted and is_archived != (state.get("status") == "archived"):
        found.add(f"{subject}: {_opposite('archived', is_archived)}")


def _opposite(word: str, holds: bool) -> str:
    one, other = ("", "not ") if holds else ("not ", "")
    return f"it is {one}{word}, the audit trail says that it is {other}{word}"


def _check_form(found: Problems, subject: str, row: Row) -> None:
    """What a version can be, where no event tells what it was."""
    if row["digest"] is None:
        return
    if not _DIGEST.fullmatch(row["digest"]):
        found.add(f"{subject}: its digest {shown(row['digest'])} is none")
    try:
        load_signature(row["signature"])
    except UNREADABLE:
        found.add(f"{subject}: its signature cannot be read")


def _check_precedence(found: Problems, subject: str, row: Row, number: str) -> None:
    try:
        precedence = precedence_key(parse_version(number))
    except InvalidInput as error:
        found.add(f"{subject}: {error.message}")
        return
    if row["precedence"] != precedence:
        found.add(
            f"{subject}: it sorts as {shown(row['precedence'])}, by its number as {precedence}",
            mend=_derived(subject, "versions", {"key": row["key"]}, "precedence", row, precedence),
        )


def _check_details(
    connection: Connection, found: Problems, subject: str, row: Row, sealed: Sealed
) -> None:
    """Metrics, metadata and tags; of these only the metadata never changes."""
    told = sealed.versions.get(row["model_id"])
    for name, stored in _details(connection, row["key"]):
        state = told.state.get(name) if told else None
        if state is None or state == stored:
            continue
        mend = None
        if sealed.is_sound and name == "metadata":
            mend = Mend(
                subject=subject,
                text=f"{subject}: {name} are {shown(state)} again",
                before={name: stored},
                after={name: state},
                apply=partial(_put_metadata, row["key"], state),
            )
        found.add(
            f"{subject}: {name} are {shown(stored)}, the audit trail says {shown(state)}",
            mend=mend,
        )


def _details(connection: Connection, key: int) -> Iterator[tuple[str, JsonValue]]:
    """As events tell them."""
    execute, own = connection.execute, {"version": key}
    yield "metrics", jsonable(dict(execute(METRICS, own).fetchall()))
    yield "metadata", jsonable({name: as_json(text) for name, text in execute(METADATA, own)})
    yield "tags", [tag for (tag,) in execute(TAGS, own)]


def _put_metadata(key: int, state: State, tx: Transaction) -> None:
    delete(tx.connection, "version_metadata", {"version": key})
    for name, value in state.items():
        row = {"version": key, "name": name, "value": canonical(value)}
        insert(tx.connection, "version_metadata", row)


def aliases(exam: Examination, found: Problems) -> str:
    """Each alias against its form, and against where the audit trail points it."""
    with exam.context.store.read() as tx:
        all_rows = list(rows(tx.connection, ALIASES))
    for row in all_rows:
        told = exam.sealed.aliases.get((row["model"], row["alias"]))
        subject = f"alias {shown(row['alias'])} of {shown(row['name'])}"
        problem = _refusal(lambda row=row: check_alias(row["alias"]))  # type: ignore[misc]  # bound now
        if problem is None and (row["owner"] != row["model"] or row["deleted_at"] is not None):
            problem = "it points to no version of its model"
        if problem is not None:
            found.add(f"{subject}: {problem}", mend=_pointed(subject, row, told))
        elif told != row["version"]:
            found.add(
                f"{subject}: it points to {shown(row['version'])}, "
                f"the audit trail says {shown(told)}"
            )
    there = {(row["model"], row["alias"]) for row in all_rows}
    for (model, alias), number in exam.sealed.aliases.items():
        if (model, alias) not in there:
            name = exam.sealed.models.get(model)
            found.add(
                f"alias {shown(alias)} of {shown(name)} is missing, "
                f"the audit trail points it to {shown(number)}"
            )
    return f"{len(all_rows)} as they were sealed"


def _refusal(check: Callable[[], object]) -> str | None:
    try:
        check()
    except (InvalidInput, StoreDamaged) as error:
        return error.message
    return None


def _pointed(subject: str, row: Row, told: str | None) -> Mend:
    """Mends an alias that mlreg could not have made."""

    def apply(tx: Transaction) -> None:
        delete(tx.connection, "aliases", {"model": row["model"], "alias": row["alias"]})
        if told is not None:
            target = tx.versions.select(ModelRow(row["model"], row["name"], ""), told)
            tx.versions.set_alias(row["model"], row["alias"], target.key)

    return Mend(
        subject=subject,
        text=f"{subject} {f'points to {told} again' if told else 'is removed'}",
        before={"alias": row["alias"], "version": row["version"]},
        after={"alias": row["alias"], "version": told},
        apply=apply,
    )


def _turns_counted(subject: str, row: Row) -> Mend:
    def apply(tx: Transaction) -> None:
        turns = one(tx.connection, TURNS, model=row["key"])
        update(tx.connection, "models", {"key": row["key"]}, {"next_turn": turns})

    return Mend(
        subject=subject,
        text=f"{subject}: its turns are counted from the log",
        before={"next_turn": row["next_turn"]},
        after=None,
        apply=apply,
    )


def _derived(
    subject: str, table: str, where: Mapping[str, object], column: str, row: Row, value: object
) -> Mend:
    return Mend(
        subject=subject,
        text=f"{subject}: {column} is derived again",
        before={column: row[column]},
        after={column: value},
        apply=lambda tx: update(tx.connection, table, where, {column: value}),
    )
