"""The service of A/B tests."""

from __future__ import annotations

from mlreg.entities.analyses import Analysis, Standing, Verification
from mlreg.entities.experiments import STATES, Draft, Experiment, State
from mlreg.entities.traffic import Change
from mlreg.errors import InvalidInput
from mlreg.names import safe
from mlreg.services.context import Context
from mlreg.services.experiments import lifecycle

_NO_CHANGE = Change()


class Experiments:
    """A/B tests on the traffic of a model."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def create(self, test_id: str, draft: Draft, *, change: Change = _NO_CHANGE) -> Experiment:
        """Write down a design; nothing changes for users before `start`.

        Raises:
            AlreadyExists: There is an experiment of this name.
            InvalidInput: The design makes no sense.
            Conflict: A version is archived.
        """
        with self._context.acting(change) as act:
            return lifecycle.create(act, self._context, test_id, draft)

    def start(self, test_id: str, *, change: Change = _NO_CHANGE) -> Experiment:
        """Freeze the design and put its split in force.

        Raises:
            Conflict: It was started before, another experiment holds the traffic, or a version
                has been archived meanwhile.
        """
        with self._context.acting(change) as act:
            return lifecycle.start(act, test_id)

    def step(
        self, test_id: str, *, to: float | None = None, change: Change = _NO_CHANGE
    ) -> Experiment:
        """Give a canary's treatments more traffic: ten points, or up to `to` percent.

        Raises:
            Conflict: It is no canary, or it is not running.
            InvalidInput: `to` is no more than now, or leaves the control nothing.
        """
        with self._context.acting(change) as act:
            return lifecycle.step(act, test_id, to)

    def stop(self, test_id: str, *, change: Change = _NO_CHANGE) -> Experiment:
        """End an experiment without a verdict and put the traffic as it was.

        Raises:
            Conflict: It is not running.
        """
        with self._context.acting(change) as act:
            return lifecycle.stop(act, test_id)

    def delete(self, test_id: str, *, change: Change = _NO_CHANGE) -> Experiment:
        """Take back a draft; its name is free again.

        Raises:
            Conflict: It has been started.
        """
        with self._context.acting(change) as act:
            return lifecycle.delete(act, test_id)

    def get(self, test_id: str) -> Experiment:
        """One experiment.

        Raises:
            NotFound: There is none of this name.
        """
        with self._context.store.read() as tx:
            return tx.experiments.get(test_id)

    def list(
        self, *, model: str | None = None, state: State | None = None
    ) -> tuple[Experiment, ...]:
        """The experiments, the newest first."""
        if state is not None and state not in STATES:
            raise InvalidInput(f"status must be one of {', '.join(STATES)}, not {safe(state)}")
        with self._context.store.read() as tx:
            key = tx.models.get(model).key if model else None
            return tuple(tx.experiments.newest(model_key=key, state=state))

    def analyze(self, test_id: str) -> Analysis:
        """Look at an experiment; the look counts when it opens a new slot.

        Others only show. Two processes that look at one moment record one look. Where nothing can
        be written, each look only shows.

        Raises:
            Conflict: It has not been started.
        """
        from mlreg.services.experiments import looks

        return looks.analyze(self._context, test_id)

    def status(self, test_id: str | None = None) -> tuple[Standing, ...]:
        """What an experiment, or each one that runs, has gathered so far; nothing is judged.

        Raises:
            NotFound: There is none of this name.
        """
        from mlreg.services.experiments import looks

        with self._context.store.read() as tx:
            return looks.status(tx, test_id)

    def conclude(
        self,
        test_id: str,
        *,
        promote_winner: bool = False,
        force: bool = False,
        change: Change = _NO_CHANGE,
    ) -> Analysis:
        """End an experiment with its verdict.

        Args:
            test_id: Its name.
            promote_winner: Give the winner all traffic; otherwise it is put as it was before.
            force: End it although the verdict is `continue` or `invalid`, and take the version
                that leads for the winner if it has crossed the boundary; needs a reason.
            change: Why and by whom.

        Raises:
            Conflict: It is not running.
            CheckFailed: A gate says that its numbers cannot be trusted.
            Inconclusive: It is too early for a verdict, or there is no winner to promote.
        """
        from mlreg.services.experiments import looks

        return looks.conclude(
            self._context, test_id, promote_winner=promote_winner, force=force, change=change
        )

    def verify(self, test_id: str) -> Verification:
        """Compute every stored verdict again, from its receipt and from the log.

        That the audit trail itself is whole, `audit.verify` tells.
        """
        from mlreg.services.experiments import looks

        with self._context.store.read() as tx:
            return looks.verify(tx, test_id)
