"""The Python API: open a registry and use its services.

import mlreg

with mlreg.open() as registry:
    registry.versions.register("sentiment@1.0.0", pipeline)
    registry.traffic.activate("sentiment@1.0.0")
    answer = registry.predictions.predict("Great product!")
    registry.feedback.record(answer.prediction_id, "positive")
    print(registry.performance.report().recommendation)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlreg import clock, config
from mlreg.artifacts.objects import ObjectStore
from mlreg.errors import (
    AlreadyExists,
    ArtifactUntrusted,
    InvalidInput,
    StoreError,
    StoreReadOnly,
)
from mlreg.files import disk_errors
from mlreg.names import safe
from mlreg.services.context import Context, system_user
from mlreg.store.engines.forking import lazy
from mlreg.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from mlreg.artifacts.runner import Runner
    from mlreg.artifacts.runners import Place
    from mlreg.entities.audit import Event
    from mlreg.entities.decisions import Turn
    from mlreg.entities.queries import Parameters, Rows
    from mlreg.entities.status import Status
    from mlreg.services.alerts import Alerts
    from mlreg.services.audit import Audit
    from mlreg.services.conditions import Conditions
    from mlreg.services.experiments.external import ExternalPrograms
    from mlreg.services.experiments.service import Experiments
    from mlreg.services.feedback import FeedbackService
    from mlreg.services.health import Health
    from mlreg.services.hooks.service import Hooks
    from mlreg.services.performance import Performance
    from mlreg.services.policies import Policies
    from mlreg.services.predictions import Predictions
    from mlreg.services.rollouts.service import Rollouts
    from mlreg.services.routes import Routes
    from mlreg.services.shadows.service import Shadows
    from mlreg.services.stories import Stories
    from mlreg.services.thresholds import Thresholds
    from mlreg.services.traffic import Traffic
    from mlreg.services.trust import Trust
    from mlreg.services.versions import Versions


class Registry:
    """An open registry. Close it, or use it in a `with`; it can be used from several threads.

    Attributes:
        folder: The `.mlreg` folder.
        settings: The settings in force.
    """

    def __init__(
        self,
        folder: Path,
        *,
        actor: str | None = None,
        runner: Runner | Place | None = None,
        clock: clock.Clock = clock.now,
        refusal: StoreReadOnly | None = None,
    ) -> None:
        self.folder = folder
        self.settings = config.load_settings(folder, reading=refusal is not None)
        objects = ObjectStore(
            folder / config.OBJECTS, allow_shared=self.settings.flag("allow_shared")
        )
        self._context = Context(
            folder=folder,
            store=Store(
                folder / config.DATABASE,
                timeout=self.settings.number("busy_timeout"),
                durability=self.settings.text("durability"),
                refusal=refusal,
            ),
            objects=objects,
            settings=self.settings,
            clock=clock,
            runner=runner,
            actor=actor,
        )

    @lazy
    def _routes(self) -> Routes:
        from mlreg.services.routes import Routes

        return Routes(self._context)

    @lazy
    def versions(self) -> Versions:
        """Register, list, alias, archive and delete versions."""
        from mlreg.services.versions import Versions

        return Versions(self._context)

    @lazy
    def traffic(self) -> Traffic:
        """Activate, route, promote and roll back."""
        from mlreg.services.traffic import Traffic

        return Traffic(self._context, self._routes)

    @lazy
    def predictions(self) -> Predictions:
        """Predict, and read the log."""
        from mlreg.services.predictions import Predictions

        return Predictions(self._context, self._routes)

    @lazy
    def feedback(self) -> FeedbackService:
        """Record the truth about predictions."""
        from mlreg.services.feedback import FeedbackService

        return FeedbackService(self._context)

    @lazy
    def shadows(self) -> Shadows:
        """Compare versions that are asked behind the answers, and ask them about the past."""
        from mlreg.services.shadows.service import Shadows

        return Shadows(self._context, self.predictions)

    @lazy
    def performance(self) -> Performance:
        """Report on versions and compare them."""
        from mlreg.services.performance import Performance

        return Performance(self._context)

    @lazy
    def conditions(self) -> Conditions:
        """Hold conditions against what active versions did."""
        from mlreg.services.conditions import Conditions

        return Conditions(self._context)

    @lazy
    def experiments(self) -> Experiments:
        """Create, start, analyze and conclude A/B tests."""
        from mlreg.services.experiments.service import Experiments

        return Experiments(self._context)

    @lazy
    def rollouts(self) -> Rollouts:
        """Roll versions out step by step."""
        from mlreg.services.rollouts.service import Rollouts

        return Rollouts(self._context)

    @lazy
    def external(self) -> ExternalPrograms:
        """Let programs that run their own model take part in A/B tests."""
        from mlreg.services.experiments.external import ExternalPrograms

        return ExternalPrograms(self._context)

    @lazy
    def policies(self) -> Policies:
        """See and put back what mlreg may do for a model by itself."""
        from mlreg.services.policies import Policies

        return Policies(self._context, self.traffic)

    @lazy
    def thresholds(self) -> Thresholds:
        """Say what must hold of a model that serves."""
        from mlreg.services.thresholds import Thresholds

        return Thresholds(self._context)

    @lazy
    def alerts(self) -> Alerts:
        """See, acknowledge and silence alerts."""
        from mlreg.services.alerts import Alerts

        return Alerts(self._context)

    @lazy
    def stories(self) -> Stories:
        """Tell why something was decided, or why an alert fired."""
        from mlreg.services.stories import Stories

        return Stories(self._context)

    @lazy
    def trust(self) -> Trust:
        """See and decide which versions may run any code."""
        from mlreg.services.trust import Trust

        return Trust(self._context)

    @lazy
    def audit(self) -> Audit:
        """Read the audit trail."""
        from mlreg.services.audit import Audit

        return Audit(self._context)

    @lazy
    def hooks(self) -> Hooks:
        """Have programs, addresses and people told of what happens."""
        from mlreg.services.hooks.service import Hooks

        return Hooks(self._context)

    @lazy
    def health(self) -> Health:
        """Check that the registry holds what it promises."""
        from mlreg.services.health import Health

        return Health(self._context)

    def on(self, pattern: str, listener: Callable[[Event], None]) -> None:
        """Have a function called when something has happened, by this very object.

        It is called after the commit, in the thread that did it, and may use the registry. If it
        raises, that is logged and breaks nothing. What other processes do it hears nothing of: see
        `hooks` for that.

        Args:
            pattern: A type of events such as `rollback`, or a pattern such as `rollout.*`.
            listener: Is given the event.

        Raises:
            InvalidInput: There are no such events.
        """
        from mlreg.services.hooks.patterns import check_patterns, matches

        patterns = check_patterns([pattern])
        self._context.store.listeners.append(
            lambda event: listener(event) if matches(patterns, event) else None
        )

    def tick(
        self, *, model: str | None = None, dry_run: bool = False, foresees: bool = False
    ) -> Turn:
        """Let time make happen what is due: call it each minute, as `mlreg tick` from cron does.

        Args:
            model: For this model alone; None: for all.
            dry_run: Say what would be done, and do nothing.
            foresees: Do nothing, and also say what will happen if nothing changes.
        """
        from mlreg.services.tick import Tick

        return Tick(self._context).run(model=model, dry_run=dry_run, foresees=foresees)

    def status(self, name: str | None = None) -> Status:
        """Who serves, how it does, what is wrong and what comes next: of one model, or of all.

        Raises:
            NotFound: There is no such model.
        """
        from mlreg.services.status import status

        return status(self._context, name)

    def query(
        self,
        sql: str,
        parameters: Parameters = (),
        *,
        limit: int | None = None,
        seconds: float = 60.0,
    ) -> Rows:
        """Read the registry with a query of your own; docs/schema.md has the tables.

        Args:
            sql: One statement that reads.
            parameters: Values for its `?`, or by name for its `:name`.
            limit: How many rows at most; None: all.
            seconds: How long it may take.

        Raises:
            InvalidInput: The statement is wrong, or does more than read.
            QueryTooLong: It took too long.
        """
        return self._context.store.query(sql, parameters, limit=limit, seconds=seconds)

    def tables(self) -> Rows:
        """The tables that a query can read, with their columns."""
        return self._context.store.tables()

    def close(self) -> None:
        """Close the store and end what runs models."""
        self._context.close()

    def __enter__(self) -> Registry:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_registry(
    path: str | Path | None = None,
    *,
    actor: str | None = None,
    runner: Runner | Place | None = None,
) -> Registry:
    """Open a registry.

    Args:
        path: Its folder or the one it lies in; None: MLREG_REGISTRY, or found by walking up.
        actor: Who is recorded as the author of changes.
        runner: Where models run: "inprocess" (in this process, without a limit on time or memory),
            "worker" (in a process of their own), or None: here those that are registered as trusted
            or are proved sound, in a process of its own the rest. Or an object that runs models.

    Raises:
        RegistryNotFound: There is none.
        StoreError: It is damaged, busy, or of a newer mlreg.
    """
    return Registry(config.find_registry(path), actor=actor, runner=runner)


def open_to_read(path: Path | None, *, actor: str | None) -> Registry:
    """Open a registry for a command that only reads: one that was named may be anybody's.

    Of somebody else's nothing is run and nothing changed, the files beside the database included.
    One that was merely come upon is refused: whoever works in a folder did not choose it.

    Raises:
        ArtifactUntrusted: Other users could change it, and nobody named it.
    """
    folder = config.find_registry(path)
    try:
        return Registry(folder, actor=actor)
    except ArtifactUntrusted as error:
        if folder != config.named_registry(path):
            raise ArtifactUntrusted(
                error.message, hint=f"{error.hint}; to read it: --registry {safe(str(folder))}"
            ) from None
        return Registry(folder, actor=actor, refusal=StoreReadOnly(error.message, hint=error.hint))


def open_with_worker(path: Path | None, *, actor: str | None) -> Registry:
    """Open a registry whose models run in a process of their own, which is started first."""
    from mlreg.artifacts.runners import make_worker

    folder = config.find_registry(path)
    settings = config.load_settings(folder)
    allow_shared = settings.flag("allow_shared")
    runner = make_worker(ObjectStore(folder / config.OBJECTS, allow_shared=allow_shared), settings)
    # It imports scikit-learn while this process opens the registry.
    runner.start()
    try:
        return Registry(folder, actor=actor, runner=runner)
    except BaseException:
        runner.close()
        raise


def init_registry(path: str | Path = ".", *, actor: str | None = None) -> Registry:
    """Create a registry in a folder, which is made if need be, and open it.

    Raises:
        AlreadyExists: There is one.
    """
    import shutil
    import tempfile

    parent = _absolute(Path(path))
    folder = parent / config.FOLDER
    if _exists(folder):
        raise AlreadyExists(f"there is a registry in {parent}")
    with disk_errors(parent):
        parent.mkdir(parents=True, exist_ok=True)
        # Built aside and renamed, so that nobody ever sees half a registry.
        fresh = Path(tempfile.mkdtemp(prefix=f"{config.FOLDER}-new-", dir=parent))
    try:
        with disk_errors(folder):
            _fill(fresh, actor or config.load_settings(None).text("actor") or system_user())
            fresh.rename(folder)
    except StoreError:
        if folder.exists():  # another init was faster
            raise AlreadyExists(f"there is a registry in {parent}") from None
        raise
    finally:
        if fresh.exists():
            shutil.rmtree(fresh, ignore_errors=True)
    return open_registry(folder, actor=actor)


def _absolute(path: Path) -> Path:
    try:
        return path.absolute()
    except FileNotFoundError:
        raise StoreError("the working directory has been deleted") from None


def _exists(folder: Path) -> bool:
    try:
        return folder.exists()
    except OSError as error:  # such as a name that no file system takes
        raise InvalidInput(f"{safe(str(folder))} cannot be made: {error.strerror}") from None


def _fill(folder: Path, actor: str) -> None:
    (folder / config.OBJECTS).mkdir(mode=0o700)
    store = Store(folder / config.DATABASE, timeout=0, create=True)
    with store.write() as tx:
        tx.events.append(action="init", object="registry", actor=actor, at=clock.now())
    store.close()
