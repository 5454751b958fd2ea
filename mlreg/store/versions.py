"""Versions, their metrics, metadata, tags and aliases."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mlreg.clock import from_micros
from mlreg.entities.predictions import Scalar
from mlreg.entities.traffic import WHOLE
from mlreg.entities.versions import Seal, Signature, Status, Version
from mlreg.errors import InvalidInput, NotFound
from mlreg.jsonable import canonical, restore
from mlreg.names import LATEST, Reference, check_selector, is_version, parse_version, safe
from mlreg.store.engines import Connection
from mlreg.store.models import ModelRow, Models
from mlreg.store.rows import restored

# Status and share are derived from the revision in force, so they are joined and never stored.
SELECT = """
    select v.key, v.model, v.model_id, m.name, v.version, v.description, p.version, v.flavor,
        v.digest, v.size_bytes, v.signature, v.trusted, v.created_at, v.created_by, v.archived_at,
        a.weight, a.role, (
            select count(*) from arms c
            where c.model = a.model and c.revision = a.revision and c.role = 'live'
        ), exists (
            select 1 from experiment_arms t join experiments e on e.key = t.experiment
            where t.version = v.key and t.place > 0 and e.state = 'running'
        ), s.key, s.signature, s.at, s.actor, v.external
    from versions v
    join models m on m.key = v.model
    left join seals s on s.version = v.key
    left join versions p on p.key = v.parent
    left join arms a on a.version = v.key and a.model = v.model
        and a.revision = (select max(number) from revisions r where r.model = v.model)
    where v.deleted_at is null
"""
BY_ID = SELECT + " and v.model_id = :model_id"
BEGINNING = SELECT + " and substr(v.model_id, 1, length(:prefix)) = :prefix order by v.key"
BY_KEY = SELECT + " and v.key = :key"
BY_VERSION = SELECT + " and v.model = :model and v.version = :version"
POINTED_AT = "select version from aliases where model = :model and alias = :alias"
BY_ALIAS = SELECT + f" and v.key = ({POINTED_AT})"
# A release sorts behind its prereleases ('~'), and any release before the best prerelease.
HIGHEST_FIRST = (
    "v.archived_at is not null, v.precedence not like '%~', v.precedence desc, v.key desc"
)
HIGHEST = SELECT + f" and v.model = :model order by {HIGHEST_FIRST} limit 1"
OF_MODEL = SELECT + " and v.model = :model order by v.precedence, v.key"
ALL = SELECT + " order by m.name, v.precedence, v.key"
ANY_OF_VERSION = (
    "select model_id, deleted_at from versions where model = :model and version = :version"
)
NUMBERS = """
    select version from versions where model = :model and deleted_at is null
    order by precedence desc, key desc
"""
INSERT = """
    insert into versions (model_id, model, version, precedence, description, parent, flavor, digest,
        size_bytes, signature, trusted, created_at, created_by)
    values (:model_id, :model, :version, :precedence, :description, :parent, :flavor, :digest,
        :size_bytes, :signature, :trusted, :at, :actor)
    returning key
"""
ATTACH = """
    update versions set flavor = :flavor, digest = :digest, size_bytes = :size_bytes,
        signature = :signature, trusted = :trusted
    where key = :key and digest is null
"""
GIVE_AWAY = "update versions set external = 1 where key = :key"
DESCRIBE = "update versions set description = :description where key = :key"
DROP_METRIC = "delete from version_metrics where version = ? and name = ?"
DROP_TAG = "delete from version_tags where version = ? and tag = ?"
ARCHIVE = "update versions set archived_at = :at where key = :key"
DELETE = "update versions set deleted_at = :at where key = :key"
DELETE_ALIASES = "delete from aliases where version = :key"
CHILDREN = """
    select version from versions where parent = :key and deleted_at is null order by precedence
"""
SIGNATURE = "select signature from versions where key = :key"
SEAL = """
    insert into seals (version, key, signature, at, actor)
    values (:version, :key, :signature, :at, :actor)
"""
BREAK_SEAL = "delete from seals where version = :version"
TRUSTED = SELECT + " and v.trusted = 1 order by m.name, v.precedence, v.key"
OBJECT_USERS = "select count(*) from versions where digest = :digest and deleted_at is null"
DIGESTS = """
    select v.digest, m.name || '@' || v.version, v.size_bytes from versions v
    join models m on m.key = v.model
    where v.digest is not null and v.deleted_at is null order by v.key
"""
SET_ALIAS = """
    insert into aliases (model, alias, version) values (:model, :alias, :version)
    on conflict (model, alias) do update set version = excluded.version
"""
DROP_ALIAS = "delete from aliases where model = :model and alias = :alias"
ALIASES = "select alias from aliases where model = :model order by alias"
OWN_ALIASES = "select alias from aliases where version = :version order by alias"
METRICS = "select name, value from version_metrics where version = :version order by name"
METADATA = "select name, value from version_metadata where version = :version order by name"
TAGS = "select tag from version_tags where version = :version order by tag"


class StoredArtifact(NamedTuple):
    """The columns that say where a version's bytes are and how they are called."""

    flavor: str
    digest: str
    size_bytes: int
    signature: Signature
    trusted: bool


class Versions:
    """Reads and writes versions on one connection."""

    def __init__(self, connection: Connection, models: Models) -> None:
        self._connection = connection
        self._models = models
        self._classes: dict[int, tuple[Scalar, ...]] = {}

    def get(self, ref: Reference) -> Version:
        """The version that a reference names; a bare name stands for the only or the latest one.

        Raises:
            NotFound: There is none; the hint says which there are.
        """
        if ref.model_id:
            found = self._one(BY_ID, model_id=ref.model_id)
            if found is None:
                raise NotFound(f"there is no version with the id {ref.model_id}")
            return found
        return self.select(self._models.get(ref.name), ref.selector)

    def beginning(self, prefix: str) -> Version:
        """The one version whose id begins so.

        Raises:
            NotFound: None does.
            InvalidInput: Several do.
        """
        found = self._many(BEGINNING, prefix=prefix)
        if not found:
            raise NotFound(f"there is no version with an id that begins with {prefix}")
        if len(found) > 1:
            said = ", ".join(f"{version.model_id} ({version.ref})" for version in found[:5])
            raise InvalidInput(
                f"{len(found)} ids begin with {prefix}", hint=f"write one of: {said}"
            )
        return found[0]

    def select(self, model: ModelRow, selector: str | None) -> Version:
        """The version of a model by number, alias or `latest` (also without a selector)."""
        if selector is None or selector == LATEST:
            found = self._one(HIGHEST, model=model.key)
        else:
            found = self._selected(model, check_selector(selector))
        if found is None:
            what = f"version {selector}" if selector else "version"
            raise NotFound(f"{safe(model.name)} has no {what}", hint=self._known(model))
        return found

    def _selected(self, model: ModelRow, selector: str) -> Version | None:
        if not is_version(selector):
            return self._one(BY_ALIAS, model=model.key, alias=selector)
        # First as it stands: the full spelling is the usual one, and needs no parser.
        return self._one(BY_VERSION, model=model.key, version=selector) or self._one(
            BY_VERSION, model=model.key, version=str(parse_version(selector))
        )

    def classes(self, key: int) -> tuple[Scalar, ...]:
        """The classes of a version; none where it has none, or they are not known."""
        if not self._classes.get(key):  # an artifact may have been attached meanwhile
            (text,) = self._connection.execute(SIGNATURE, {"key": key}).fetchone()
            signature = load_signature(text)
            self._classes[key] = signature.classes if signature else ()
        return self._classes[key]

    def by_key(self, key: int) -> Version:
        """The version with this key, which must exist."""
        found = self._one(BY_KEY, key=key)
        if found is None:
            raise NotFound("the version has been deleted")
        return found

    def all(self) -> list[Version]:
        """All versions of all models, by name and precedence."""
        return self._many(ALL)

    def of_model(self, model_key: int) -> list[Version]:
        """A model's versions, by precedence."""
        return self._many(OF_MODEL, model=model_key)

    def taken(self, model_key: int, version: str) -> str | None:
        """Why a version number cannot be given out: `exists`, `deleted`, or None."""
        values = {"model": model_key, "version": version}
        row = self._connection.execute(ANY_OF_VERSION, values).fetchone()
        return None if row is None else "deleted" if row[1] is not None else "exists"

    def numbers(self, model_key: int) -> list[str]:
        """A model's version numbers, the highest first."""
        return [number for (number,) in self._connection.execute(NUMBERS, {"model": model_key})]

    def insert(
        self,
        *,
        model_key: int,
        version: str,
        precedence: str,
        description: str,
        parent_key: int | None,
        artifact: StoredArtifact | None,
        actor: str,
        at: int,
    ) -> int:
        """Add a version; returns its key."""
        values = {
            "model_id": f"model-{os.urandom(6).hex()}",
            "model": model_key,
            "version": version,
            "precedence": precedence,
            "description": description,
            "parent": parent_key,
            "actor": actor,
            "at": at,
            **_artifact_columns(artifact),
        }
        return int(self._connection.execute(INSERT, values).fetchone()[0])

    def insert_details(
        self,
        key: int,
        *,
        metrics: Mapping[str, float],
        metadata: Mapping[str, object],
        tags: Iterable[str],
    ) -> None:
        """Add a version's metrics, metadata and tags."""
        many = self._connection.executemany
        many(
            "insert into version_metrics (version, name, value) values (?, ?, ?)",
            [(key, name, value) for name, value in metrics.items()],
        )
        many(
            "insert into version_metadata (version, name, value) values (?, ?, ?)",
            [(key, name, canonical(value)) for name, value in metadata.items()],
        )
        many("insert into version_tags (version, tag) values (?, ?)", [(key, t) for t in tags])

    def give_away(self, key: int) -> None:
        """Let a version that was just added be one that a program of the user's runs."""
        self._connection.execute(GIVE_AWAY, {"key": key})

    def describe(self, key: int, description: str) -> None:
        """Give a version another description."""
        self._connection.execute(DESCRIBE, {"key": key, "description": description})

    def drop_details(self, key: int, *, metrics: Iterable[str], tags: Iterable[str]) -> None:
        """Take away metrics and tags, as far as there are any of these names."""
        many = self._connection.executemany
        many(DROP_METRIC, [(key, name) for name in metrics])
        many(DROP_TAG, [(key, tag) for tag in tags])

    def attach(self, key: int, artifact: StoredArtifact) -> bool:
        """Give a version its artifact; False if it has one already."""
        values = {"key": key, **_artifact_columns(artifact)}
        return bool(self._connection.execute(ATTACH, values).rowcount == 1)

    def archive(self, key: int, at: int | None) -> None:
        """Mark as archived, or with None as not archived."""
        self._connection.execute(ARCHIVE, {"key": key, "at": at})

    def delete(self, key: int, at: int) -> None:
        """Mark as deleted and drop its aliases; the row stays for the log."""
        self._connection.execute(DELETE_ALIASES, {"key": key})
        self._connection.execute(DELETE, {"key": key, "at": at})

    def children(self, key: int) -> list[str]:
        """The version numbers that name this one as their parent."""
        return [number for (number,) in self._connection.execute(CHILDREN, {"key": key})]

    def seal(self, key: int, seal: Seal) -> None:
        """Keep who let a version run any code."""
        self._connection.execute(SEAL, {"version": key, **seal._asdict()})

    def break_seal(self, key: int) -> None:
        """Forget who let a version run any code."""
        self._connection.execute(BREAK_SEAL, {"version": key})

    def trusted(self) -> list[Version]:
        """The versions that somebody let run any code."""
        return self._many(TRUSTED)

    def is_object_used(self, digest: str) -> bool:
        """Whether a version that is not deleted has this digest."""
        return bool(self._connection.execute(OBJECT_USERS, {"digest": digest}).fetchone()[0])

    def digests(self) -> list[tuple[str, str, int]]:
        """Digest, reference and size of every version with an artifact."""
        return [tuple(row) for row in self._connection.execute(DIGESTS)]

    def find_alias(self, model_key: int, alias: str) -> Version | None:
        """The version that an alias points to, or None."""
        return self._one(BY_ALIAS, model=model_key, alias=alias)

    def set_alias(self, model_key: int, alias: str, version_key: int) -> None:
        """Point an alias at a version, taking it from another if need be."""
        values = {"model": model_key, "alias": alias, "version": version_key}
        self._connection.execute(SET_ALIAS, values)

    def drop_alias(self, model_key: int, alias: str) -> None:
        """Remove an alias."""
        self._connection.execute(DROP_ALIAS, {"model": model_key, "alias": alias})

    def _known(self, model: ModelRow) -> str:
        numbers = self.numbers(model.key)
        if not numbers:
            return f"run: mlreg register {safe(model.name)}@1.0.0 ARTIFACT"
        aliases = [alias for (alias,) in self._connection.execute(ALIASES, {"model": model.key})]
        names = ", ".join([*numbers[:6], *(["…"] if len(numbers) > 6 else []), *aliases[:6]])
        return f"there is {names}"

    def _one(self, sql: str, **values: object) -> Version | None:
        row = self._connection.execute(sql, values).fetchone()
        return self._from_row(row) if row else None

    def _many(self, sql: str, **values: object) -> list[Version]:
        rows = self._connection.execute(sql, values).fetchall()
        return [self._from_row(row) for row in rows]

    def _from_row(self, row: tuple) -> Version:  # type: ignore[type-arg]  # mixed columns
        key, weight, role, archived, arms = row[0], row[15], row[16], row[14], row[17]
        live = role == "live"
        # A lone live arm serves everything, whatever weight it keeps for later.
        share = (WHOLE if arms == 1 else weight) if live else 0
        execute = self._connection.execute
        own = {"version": key}
        with restored("versions", key):
            return Version(
                key=key,
                model_key=row[1],
                model_id=row[2],
                name=row[3],
                version=row[4],
                status=_status(
                    live=live,
                    tested=role == "shadow" or bool(row[18]),
                    archived=archived is not None,
                ),
                traffic_percent=share / 100,
                description=row[5],
                metrics=dict(execute(METRICS, own).fetchall()),
                metadata={name: json.loads(value) for name, value in execute(METADATA, own)},
                tags=tuple(tag for (tag,) in execute(TAGS, own)),
                aliases=tuple(alias for (alias,) in execute(OWN_ALIASES, own)),
                parent=row[6],
                flavor=row[7],
                digest=row[8],
                size_bytes=row[9],
                signature=load_signature(row[10]),
                trusted=bool(row[11]),
                created_at=from_micros(row[12]),
                created_by=row[13],
                seal=None if row[19] is None else Seal(*row[19:23]),
                external=bool(row[23]),
            )


def load_signature(text: str | None) -> Signature | None:
    """Read the stored form of a signature."""
    return None if text is None else restore(Signature, json.loads(text))


def _artifact_columns(artifact: StoredArtifact | None) -> dict[str, object]:
    if artifact is None:
        return dict.fromkeys(("flavor", "digest", "size_bytes", "signature")) | {"trusted": 0}
    columns = artifact._asdict()
    return columns | {"signature": canonical(artifact.signature), "trusted": int(artifact.trusted)}


def _status(*, live: bool, tested: bool, archived: bool) -> Status:
    if tested:
        return "testing"
    if live:
        return "active"
    return "archived" if archived else "inactive"
