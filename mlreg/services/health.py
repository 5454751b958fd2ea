"""Doctor: does the registry hold what it promises?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mlreg.entities.audit import Diagnosis, Finding
from mlreg.errors import ArtifactError, MlregError
from mlreg.services.context import Context
from mlreg.store.health import integrity_problems, schema_problems, sqlite_facts, wal_bytes
from mlreg.store.store import SCHEMA_VERSION

_LARGE_WAL = 64 << 20
_LEFTOVER_AGE = 3600.0


class Health:
    """Checks of one registry; each looks at one promise."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def check(self) -> Diagnosis:
        """Run all checks. A problem is a finding, never an error."""
        checks = (
            self._sqlite,
            self._schema,
            self._database,
            self._damage,
            self._disk,
            self._wal,
            self._audit,
            self._revisions,
            self._artifacts,
            self._trust,
            self._objects,
            self._summaries,
            self._confinement,
        )
        findings = [finding for check in checks for finding in _caught(check)]
        return Diagnosis(registry=str(self._context.folder), findings=tuple(findings))

    def rebuild_summaries(self) -> None:
        """Throw the summaries away and fold the log again."""
        with self._context.store.write() as tx:
            tx.summaries.rebuild()
        while True:
            with self._context.store.write() as tx:
                if not tx.summaries.fold(limit=50_000):
                    return

    def _sqlite(self) -> Iterator[Finding]:
        facts = sqlite_facts()
        detail = f"SQLite {facts.version}"
        if facts.is_sound:
            yield Finding(check="sqlite", state="ok", detail=detail)
        else:
            detail += " can corrupt a WAL that two processes reset at once; 3.51.3 mends it"
            yield Finding(check="sqlite", state="warning", detail=f"{detail}: install pysqlite3")

    def _schema(self) -> Iterator[Finding]:
        from mlreg.store.migrations import expected_schema

        with self._context.store.read() as tx:
            problems = schema_problems(tx.connection, expected_schema())
        yield from _finding("schema", problems, f"version {SCHEMA_VERSION}, as it was made")

    def _database(self) -> Iterator[Finding]:
        with self._context.store.read() as tx:
            problems = integrity_problems(tx.connection)
        yield from _finding("database", problems, "pages and references are sound")

    def _damage(self) -> Iterator[Finding]:
        """What stopped all writes; where the pages are sound they may go on."""
        reason = self._context.store.damage()
        if reason is None:
            yield Finding(check="damage", state="ok", detail="no program has found any")
            return
        with self._context.store.read() as tx:
            problems = integrity_problems(tx.connection)
        if not problems:
            self._context.store.clear_damage()
            reason = f"nothing was written since {reason}; it is sound now, so writes may go on"
        yield Finding(check="damage", state="failed" if problems else "warning", detail=reason)

    def _disk(self) -> Iterator[Finding]:
        problem = self._context.store.disk_problem()
        detail = problem or "there is a reserve for a rollback on a full disk"
        yield Finding(check="disk", state="warning" if problem else "ok", detail=detail)

    def _wal(self) -> Iterator[Finding]:
        size = wal_bytes(self._context.store.database)
        large = size > _LARGE_WAL
        detail = f"{size / (1 << 20):.1f} MB" + (": a reader holds it open" if large else "")
        yield Finding(check="wal", state="warning" if large else "ok", detail=detail)

    def _audit(self) -> Iterator[Finding]:
        with self._context.store.read() as tx:
            broken = tx.events.first_broken()
            unrecorded, count = tx.events.unrecorded(), tx.events.count()
        problems = [] if broken is None else [f"the hash of event {broken} does not fit"]
        problems += [f"no event tells of {what}" for what in unrecorded]
        yield from _finding("audit", problems, f"{count} events, each hash fits")

    def _revisions(self) -> Iterator[Finding]:
        with self._context.store.read() as tx:
            broken = tx.traffic.broken()
        problems = [f"{name} has a gap before it or does not sum to 100 %" for name in broken]
        yield from _finding("revisions", problems, "gap-free, each sums to 100 %")

    def _artifacts(self) -> Iterator[Finding]:
        with self._context.store.read() as tx:
            digests = tx.versions.digests()
        problems, verified = [], dict[str, str | None]()
        for digest, ref, _ in digests:
            if digest not in verified:
                verified[digest] = self._object_problem(digest)
            if problem := verified[digest]:
                problems.append(f"{ref}: {problem}")
        yield from _finding("artifacts", problems, f"{len(verified)} objects match their digests")

    def _object_problem(self, digest: str) -> str | None:
        try:
            self._context.objects.verify(digest)
        except ArtifactError as error:
            return error.message
        return None

    def _trust(self) -> Iterator[Finding]:
        from mlreg.services.trust import Trust

        found = [version for version in Trust(self._context).list().versions if not version.counts]
        broken = [f"{v.ref}: the seal does not fit" for v in found if v.standing == "broken"]
        unheard = self._context.settings.unheard
        doubts = [
            f"{v.ref} cannot run here, its trust is {v.standing}: see mlreg trust list"
            for v in found
            if v.standing != "broken"
        ]
        doubts += [f"config.toml sets {name}, which no registry can allow" for name in unheard]
        for doubt in doubts[:20]:
            yield Finding(check="trust", state="warning", detail=doubt)
        if broken or not doubts:
            yield from _finding("trust", broken, "what may run any code has trust that counts here")

    def _objects(self) -> Iterator[Finding]:
        with self._context.store.read() as tx:
            used = {digest for digest, _, _ in tx.versions.digests()}
        unused = [d for d in self._context.objects.digests() if d not in used]
        leftovers = list(self._context.objects.leftovers(_LEFTOVER_AGE))
        count = len(unused) + len(leftovers)
        detail = (
            f"{count} files belong to no version and can be removed" if count else "no leftovers"
        )
        yield Finding(check="objects", state="warning" if count else "ok", detail=detail)

    def _summaries(self) -> Iterator[Finding]:
        with self._context.store.read() as tx:
            counted = sum(tx.summaries.request_counts().values())
            behind = tx.summaries.is_behind()
        detail = f"{counted} predictions" + (", some not yet folded" if behind else "")
        yield Finding(check="summaries", state="ok", detail=detail)

    def _confinement(self) -> Iterator[Finding]:
        """What stands is found out by a process that is confined, and then reaches for more."""
        from mlreg.artifacts.confinement.measure import measure

        memory = int(self._context.settings.number("memory_limit_mb")) << 20
        try:
            proof = measure(memory)
        except MlregError as error:
            yield Finding(check="confinement", state="warning", detail=error.message)
            return
        missing = [f"no {name}: {wall.detail}" for name, wall in proof.walls.items() if wall.detail]
        missing += [f"an untrusted model can {deed}" for deed in proof.reached]
        detail = "; ".join(missing) or f"untrusted models are behind {', '.join(proof.walls)}"
        yield Finding(check="confinement", state="warning" if missing else "ok", detail=detail)


def _finding(check: str, problems: list[str], sound: str) -> Iterator[Finding]:
    if not problems:
        yield Finding(check=check, state="ok", detail=sound)
    for problem in problems[:20]:
        yield Finding(check=check, state="failed", detail=problem)


def _caught(check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    try:
        return list(check())
    except MlregError as error:
        name = check.__name__.strip("_")
        return [Finding(check=name, state="failed", detail=error.message)]
