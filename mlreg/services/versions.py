"""Versions: register, attach, list, show, alias, archive, delete."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from mlreg.entities.traffic import Change
from mlreg.entities.versions import INPUT_KINDS, STATUSES, InputKind, Version
from mlreg.errors import Conflict, InvalidInput, NotFound
from mlreg.names import (
    Reference,
    check_alias,
    is_id,
    parse_reference,
    precedence_key,
    safe,
)
from mlreg.services.context import Context
from mlreg.services.holds import ending
from mlreg.services.intake import check_object, discard, drop_unused, take_in
from mlreg.services.numbering import BUMPS, Bump, bumped, give_number, highest
from mlreg.services.version_details import Details, check_details, tell
from mlreg.store.versions import StoredArtifact

if TYPE_CHECKING:
    from semver import Version as SemVer

    from mlreg.entities.reports import ModelOverview, NextVersions
    from mlreg.metrics import Better
    from mlreg.services.trust import Trust
    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction

_NO_CHANGE = Change()


class Versions:
    """The releases of all models."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @cached_property
    def _trust(self) -> Trust:
        from mlreg.services.trust import Trust

        return Trust(self._context)

    def register(
        self,
        ref: str,
        artifact: object = None,
        *,
        bump: Bump | None = None,
        pre: str | None = None,
        accuracy: float | None = None,
        metrics: Mapping[str, float] | None = None,
        metadata: Mapping[str, object] | None = None,
        tags: Iterable[str] = (),
        description: str = "",
        parent: str | None = None,
        input: InputKind | None = None,  # the word of the command line
        trust: bool = False,
        check: bool = True,
        external: bool = False,
        change: Change = _NO_CHANGE,
    ) -> Version:
        """Add a version of a model; the first one makes the model.

        Args:
            ref: `name@1.2.0`; a bare name with `bump`, or for a model's first version (1.0.0).
            artifact: A path to a joblib or pickle file, a fitted estimator, or None for metadata
                alone.
            bump: Count up from the highest release instead of naming a version.
            pre: With `bump`, the next prerelease of that number: `rc` makes 2.0.0-rc.1.
            accuracy: Short for `metrics={"accuracy": …}`.
            metrics: Scores measured offline, by name.
            metadata: Anything else worth keeping; `cost_per_request` is the cost of a prediction.
            tags: Words to find the version by.
            description: Text for people.
            parent: The version that this one was made from.
            input: What the model takes, where it cannot be inferred.
            trust: Let the artifact run any code when it is loaded; sealed by this user's key.
            check: Load the artifact to prove that it is a model and to infer its signature.
            external: A program of the user's runs it: it has no artifact, can serve, and its
                answers come in by `predictions.record`.
            change: Why and by whom.

        Raises:
            InvalidInput: A name, version or value is wrong.
            AlreadyExists: The version is there, or was deleted: a number is never given out twice.
            ArtifactError: The artifact is no model, is not trusted, or cannot be loaded.
        """
        reference = parse_reference(ref)
        scores = dict(metrics or {}) | ({} if accuracy is None else {"accuracy": accuracy})
        details = check_details(scores, metadata or {}, tags, description)
        if external and artifact is not None:
            raise InvalidInput(f"{safe(ref)} has an artifact, or a program of yours runs it")
        details = details._replace(external=external)
        if input is not None and input not in INPUT_KINDS:
            raise InvalidInput(f"input must be one of {', '.join(INPUT_KINDS)}, not {safe(input)}")
        give = partial(give_number, reference=reference, bump=bump, pre=pre)
        with self._context.store.read() as tx:
            give(tx)
        stored = self._taken_in(artifact, trust=trust, check=check, kind=input)
        try:
            return self._insert(reference, give, stored, details, parent, change)
        except BaseException:
            drop_unused(self._context, stored)
            raise

    def attach(
        self,
        ref: str,
        artifact: object,
        *,
        input: InputKind | None = None,  # the word of the command line
        trust: bool = False,
        check: bool = True,
        change: Change = _NO_CHANGE,
    ) -> Version:
        """Give a version that has only metadata its artifact, once.

        Raises:
            Conflict: The version has an artifact.
            ArtifactError: The artifact is no model, is not trusted, or cannot be loaded.
        """
        with self._context.store.read() as tx:
            _check_bare(self._context.version(tx, ref))
        stored = self._taken_in(artifact, trust=trust, check=check, kind=input)
        if stored is None:
            raise InvalidInput("attach needs an artifact", hint="mlreg attach REF ARTIFACT")
        try:
            with self._context.store.write() as tx:
                before = self._context.version(tx, ref)
                _check_bare(before)
                check_object(self._context, stored)
                tx.versions.attach(before.key, stored)
                after = self._sealed(tx, before.key, change)
                self._record(tx, "attach", after, change, before=before, after=after)
                return after
        except BaseException:
            drop_unused(self._context, stored)
            raise

    def next(self, name: str, *, pre: str | None = None) -> NextVersions:
        """The next major, minor and patch version of a model; with `pre` a prerelease of each."""
        from mlreg.entities.reports import NextVersions

        with self._context.store.read() as tx:
            model = tx.models.get(name)
            base = highest(tx, model)
            latest = None if base is None else str(base)
            steps = {part: str(bumped(tx, model, base, part, pre)) for part in BUMPS}
        return NextVersions(model=model.name, latest=latest, **steps)

    def list(
        self, name: str | None = None, *, status: str | None = None, tag: str | None = None
    ) -> list[Version]:
        """Versions by name and precedence, with their request counts."""
        if status is not None and status not in STATUSES:
            raise InvalidInput(f"status must be one of {', '.join(STATUSES)}, not {safe(status)}")
        with self._context.store.read() as tx:
            found = tx.versions.of_model(tx.models.get(name).key) if name else tx.versions.all()
            counts = tx.summaries.request_counts()
        return [
            replace(version, request_count=counts.get(version.key, 0))
            for version in found
            if status in (None, version.status) and (tag is None or tag in version.tags)
        ]

    def get(self, ref: str) -> Version:
        """One version with its request count; a bare name stands for its latest."""
        with self._context.store.read() as tx:
            found = self._context.version(tx, ref)
            counts = tx.summaries.request_counts()
        return replace(found, request_count=counts.get(found.key, 0))

    def has_model(self, name: str) -> bool:
        """Whether there is a model of this name."""
        with self._context.store.read() as tx:
            return tx.models.find(name) is not None

    def overview(self, name: str | None = None) -> ModelOverview:
        """One model: its versions, its traffic, its aliases."""
        from mlreg.entities.reports import ModelOverview

        with self._context.store.read() as tx:
            model = self._context.model(tx, name)
            now, better = tx.traffic.current(model), tx.models.directions(model.key)
        found = tuple(self.list(model.name))
        return ModelOverview(name=model.name, revision=now, versions=found, value_better=better)

    def edit(
        self,
        name: str | None = None,
        *,
        value_better: Mapping[str, Better | None],
        change: Change = _NO_CHANGE,
    ) -> ModelOverview:
        """Say which way feedback values are better, by their names; None forgets it."""
        from mlreg.services.value_directions import direct

        direct(self._context, name, value_better, change)
        return self.overview(name)

    def describe(
        self,
        ref: str,
        *,
        description: str | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Iterable[str] = (),
        untag: Iterable[str] = (),
        change: Change = _NO_CHANGE,
    ) -> Version:
        """Change what is said about a version; what is not named stays as it is.

        Raises:
            InvalidInput: A value is wrong.
            NotFound: It does not have a tag that is to be taken away.
        """
        from mlreg.services.version_edits import describe

        return describe(
            self._context,
            ref,
            description=description,
            metrics=metrics or {},
            tags=tags,
            untag=untag,
            change=change,
        )

    def alias(
        self, ref: str, alias: str, *, delete: bool = False, change: Change = _NO_CHANGE
    ) -> Version:
        """Point an alias such as `champion` at a version, or remove it."""
        check_alias(alias)
        with self._context.store.write() as tx:
            target = self._context.version(tx, ref)
            before = tx.versions.find_alias(target.model_key, alias)
            if delete and (before is None or before.key != target.key):
                raise NotFound(f"{target.ref} does not have the alias {alias}")
            if delete:
                tx.versions.drop_alias(target.model_key, alias)
            elif before is None or before.key != target.key:
                tx.versions.set_alias(target.model_key, alias, target.key)
            else:
                return target
            self._record(
                tx,
                "alias",
                target,
                change,
                before={"alias": alias, "version": before and before.version},
                after={"alias": alias, "version": None if delete else target.version},
            )
            return tx.versions.by_key(target.key)

    def archive(self, ref: str, *, restore: bool = False, change: Change = _NO_CHANGE) -> Version:
        """Retire a version so that it can get no traffic, or with `restore` take that back.

        Raises:
            Conflict: It has traffic.
        """
        with self._context.store.write() as tx:
            before = self._context.version(tx, ref)
            if not restore:
                _check_idle(tx, before, "archive")
            if restore is (before.status != "archived"):
                return before
            tx.versions.archive(before.key, None if restore else self._context.clock())
            after = tx.versions.by_key(before.key)
            action = "restore" if restore else "archive"
            self._record(tx, action, after, change, before=before, after=after)
            return after

    def delete(self, ref: str, *, change: Change = _NO_CHANGE) -> Version:
        """Remove a version and, if nobody else has them, its bytes. Its rows in the log stay.

        Raises:
            Conflict: It has traffic, or another version names it as its parent.
        """
        with self._context.store.write() as tx:
            version = self._context.version(tx, ref)
            _check_idle(tx, version, "delete")
            children = tx.versions.children(version.key)
            if children:
                raise Conflict(f"{version.ref} is the parent of {', '.join(children[:5])}")
            if change.dry_run:
                return version
            tx.versions.delete(version.key, self._context.clock())
            self._record(tx, "delete", version, change, before=version)
        if version.digest:
            discard(self._context, version.digest)
        return version

    def _insert(
        self,
        reference: Reference,
        give: Callable[[Transaction], SemVer],
        stored: StoredArtifact | None,
        details: Details,
        parent: str | None,
        change: Change,
    ) -> Version:
        at, actor = self._context.clock(), self._context.actor_of(change)
        with self._context.store.write() as tx:
            version = give(tx)
            model = tx.models.ensure(str(reference.name), at=at)
            if stored:
                check_object(self._context, stored)
            key = tx.versions.insert(
                model_key=model.key,
                version=str(version),
                precedence=precedence_key(version),
                description=details.description,
                parent_key=_parent(tx, model, parent),
                artifact=stored,
                actor=actor,
                at=at,
            )
            tx.versions.insert_details(
                key, metrics=details.metrics, metadata=details.metadata, tags=details.tags
            )
            if details.external:
                tx.versions.give_away(key)
            added = self._sealed(tx, key, change)
            self._record(tx, "register", added, change, after=added)
            return added

    def _sealed(self, tx: Transaction, key: int, change: Change) -> Version:
        """A version that was just written; one that is trusted gets its seal."""
        version = tx.versions.by_key(key)
        if not version.trusted:
            return version
        self._trust.give(tx, version, self._context.actor_of(change))
        return tx.versions.by_key(key)

    def _taken_in(
        self, artifact: object, *, trust: bool, check: bool, kind: InputKind | None
    ) -> StoredArtifact | None:
        if artifact is None:
            return None
        return take_in(
            self._context, artifact, trust=self._trust if trust else None, check=check, kind=kind
        )

    def _record(
        self, tx: Transaction, action: str, version: Version, change: Change, **states: object
    ) -> None:
        if change.dry_run or change.expect_revision is not None:
            raise InvalidInput("only a change of traffic takes dry_run and expect_revision")
        tell(self._context, tx, action, version, change, **states)


def _check_bare(version: Version) -> None:
    if version.external:
        raise Conflict(
            f"{version.ref} is run by a program of yours, so it takes no artifact",
            hint=f"register a new version: mlreg register {version.name} ARTIFACT --bump patch",
        )
    if version.digest:
        raise Conflict(
            f"{version.ref} has an artifact, and a version never changes",
            hint=f"register a new version: mlreg register {version.name} ARTIFACT --bump patch",
        )


def _check_idle(tx: Transaction, version: Version, verb: str) -> None:
    """Refuse a version that has traffic, is about to, or will have it again when a hold ends."""
    hold = tx.traffic.hold(version.model_key)
    first = f"end the {hold.kind} first: {ending(hold)}" if hold else ""
    if version.status in ("active", "testing"):
        raise Conflict(
            f"{version.ref} is {version.status} and cannot be {verb}d",
            hint=first or f"take it out of the traffic first: mlreg deactivate {version.ref}",
        )
    for rollout in tx.rollouts.open(version.model_key):
        if version.key in (rollout.version_key, rollout.baseline_key):
            raise Conflict(
                f"{version.ref} is in the rollout {safe(rollout.rollout_id)} and cannot be {verb}d",
                hint=f"end it first: mlreg rollout abort {safe(rollout.rollout_id)}",
            )
    if hold is None or not hold.revision_before:
        return
    before = tx.traffic.find(tx.models.get(version.name), hold.revision_before)
    if before and any(arm.version_key == version.key for arm in before.live):
        raise Conflict(
            f"{version.ref} serves again when {safe(hold.id)} ends and cannot be {verb}d",
            hint=first,
        )


def _parent(tx: Transaction, model: ModelRow, parent: str | None) -> int | None:
    if parent is None:
        return None
    is_whole = "@" in parent or is_id(parent)
    reference = parse_reference(parent if is_whole else f"{model.name}@{parent}")
    found = tx.versions.get(reference)
    if found.model_key != model.key:
        raise InvalidInput(f"the parent {safe(parent)} belongs to another model")
    return found.key
