"""Experiments, their phases and receipts."""

from __future__ import annotations

from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from mlreg.clock import from_micros
from mlreg.entities.experiments import Experiment, Phase, State
from mlreg.errors import NotFound
from mlreg.jsonable import canonical
from mlreg.names import safe
from mlreg.store.designs import load_design
from mlreg.store.engines import Connection
from mlreg.store.rows import restored
from mlreg.store.unit_folds import UnitFolds
from mlreg.store.unit_sums import UnitSums

SELECT = """
    select key, model, design, state, salt, fingerprint, created_at, created_by, started_at,
        ended_at, revision_before, verdict, winner
    from experiments
"""
BY_ID = SELECT + " where test_id = :test_id"
BY_ID_KEY = "select test_id from experiments where id_key = :id_key"
NEWEST_FIRST = (
    SELECT
    + """
    where (cast(:model as bigint) is null or model = :model)
        and (cast(:state as text) is null or state = :state)
    order by key desc
"""
)
# Named values of a model, as its all-time summaries and what is not yet folded know them.
RECORDED_VALUES = """
    select distinct j.key from summaries s
    join versions v on v.key = s.version, json_each(s.named_values) j
    where v.model = :model and s.grain = 0
    union
    select distinct f.name from feedback f
    where f.id > (select upto from watermarks where source = 'feedback') and f.name <> 'label'
"""
DESIGN = "select design from experiments where key = :experiment"
TEST_IDS = "select test_id from experiments order by key desc limit 8"
INSERT = """
    insert into experiments (test_id, id_key, model, state, design, salt, created_at, created_by)
    values (:test_id, :id_key, :model, 'draft', :design, :salt, :at, :actor)
    returning key
"""
INSERT_ARM = "insert into experiment_arms values (:experiment, :place, :version)"
INSERT_PHASE = "insert into experiment_phases values (:experiment, :model, :revision)"
DELETE = "delete from experiments where key = :experiment and state = 'draft'"
START = """
    update experiments set state = 'running', design = :design, fingerprint = :fingerprint,
        started_at = :at, revision_before = :before, predictions_from = :predictions,
        predictions_upto = :predictions, feedback_upto = :feedback, ripe_upto = :predictions
    where key = :experiment
"""
END = """
    update experiments set state = :state, ended_at = :at, verdict = :verdict, winner = :winner
    where key = :experiment
"""
ARM_KEYS = "select version from experiment_arms where experiment = :experiment order by place"
PHASES = """
    select r.number, r.created_at, coalesce(a.weight, 0)
    from experiment_phases f
    join revisions r on r.model = f.model and r.number = f.revision
    join experiment_arms e on e.experiment = f.experiment
    left join arms a on a.model = r.model and a.revision = r.number and a.version = e.version
    where f.experiment = :experiment order by r.number, e.place
"""
INSERT_RECEIPT = """
    insert into experiment_receipts (experiment, kind, slot, at, digest, receipt)
    select :experiment, :kind, :slot, :at, :digest, :receipt
    where not exists (
        select 1 from experiment_receipts
        where experiment = :experiment and kind = :kind and slot = :slot
    )
"""
RECEIPTS = """
    select kind, slot, at, digest, receipt from experiment_receipts
    where experiment = :experiment order by kind = 'conclusion', slot
"""


class ReceiptRow(NamedTuple):
    """A stored receipt."""

    kind: str
    slot: int
    at: int
    digest: str
    receipt: str


class Experiments:
    """Reads and writes experiments on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def folds(self) -> UnitFolds:
        """The folds of the log into units."""
        return UnitFolds(self._connection)

    @cached_property
    def units(self) -> UnitSums:
        """What the units of experiments did."""
        return UnitSums(self._connection)

    def find(self, test_id: str) -> Experiment | None:
        """The experiment of this id, or None."""
        if not test_id.isprintable():
            return None  # no id is so, and SQLite takes no lone surrogate
        row = self._connection.execute(BY_ID, {"test_id": test_id}).fetchone()
        return self._from_row(row) if row else None

    def get(self, test_id: str) -> Experiment:
        """The experiment of this id.

        Raises:
            NotFound: There is none; the hint says which there are.
        """
        found = self.find(test_id)
        if found is None:
            known = [safe(row[0]) for row in self._connection.execute(TEST_IDS)]
            hint = f"there is {', '.join(known)}" if known else "run: mlreg abtest create"
            raise NotFound(f"there is no experiment {safe(test_id)}", hint=hint)
        return found

    def twin(self, id_key: str) -> str | None:
        """The experiment whose id folds to this key, or None."""
        row = self._connection.execute(BY_ID_KEY, {"id_key": id_key}).fetchone()
        return row[0] if row else None

    def newest(
        self, *, model_key: int | None = None, state: State | None = None
    ) -> list[Experiment]:
        """Experiments, the newest first."""
        values = {"model": model_key, "state": state}
        rows = self._connection.execute(NEWEST_FIRST, values).fetchall()
        return [self._from_row(row) for row in rows]

    def recorded_values(self, model_key: int) -> set[str]:
        """The names of feedback values that a model has had."""
        rows = self._connection.execute(RECORDED_VALUES, {"model": model_key})
        return {row[0] for row in rows}

    def insert(self, experiment: Experiment, id_key: str, versions: list[int], at: int) -> int:
        """Add a draft; returns its key."""
        row = self._connection.execute(
            INSERT,
            {
                "test_id": experiment.test_id,
                "id_key": id_key,
                "model": experiment.model_key,
                "design": canonical(experiment.design),
                "salt": experiment.salt,
                "at": at,
                "actor": experiment.created_by,
            },
        ).fetchone()
        for place, version in enumerate(versions):
            values = {"experiment": row[0], "place": place, "version": version}
            self._connection.execute(INSERT_ARM, values)
        return int(row[0])

    def start(self, experiment: Experiment, *, at: int) -> None:
        """Freeze the design, and count from the present ends of the log and the feedback."""
        predictions, feedback = self.folds.ends()
        self._connection.execute(
            START,
            {
                "experiment": experiment.key,
                "design": canonical(experiment.design),
                "fingerprint": experiment.fingerprint,
                "at": at,
                "before": experiment.revision_before,
                "predictions": predictions,
                "feedback": feedback,
            },
        )

    def add_phase(self, experiment: Experiment, revision: int) -> None:
        """Make a revision a phase of an experiment."""
        self._connection.execute(
            INSERT_PHASE,
            {
                "experiment": experiment.key,
                "model": experiment.model_key,
                "revision": revision,
            },
        )

    def end(
        self,
        experiment: Experiment,
        state: State,
        *,
        at: int,
        verdict: str | None,
        winner: str | None,
    ) -> None:
        """Close an experiment."""
        values = {"experiment": experiment.key, "at": at, "verdict": verdict, "winner": winner}
        self._connection.execute(END, values | {"state": state})

    def delete(self, experiment: int) -> None:
        """Remove a draft."""
        self._connection.execute(DELETE, {"experiment": experiment})

    def design_text(self, experiment: int) -> str:
        """The stored form of a design, which the fingerprint covers."""
        return str(self._connection.execute(DESIGN, {"experiment": experiment}).fetchone()[0])

    def arm_keys(self, experiment: int) -> list[int]:
        """The keys of the versions, the control's first."""
        rows = self._connection.execute(ARM_KEYS, {"experiment": experiment})
        return [row[0] for row in rows]

    def add_receipt(self, experiment: int, row: ReceiptRow) -> bool:
        """Store a receipt; False if there is one of its kind and slot already."""
        values = {"experiment": experiment, **row._asdict()}
        return bool(self._connection.execute(INSERT_RECEIPT, values).rowcount == 1)

    def receipts(self, experiment: int) -> list[ReceiptRow]:
        """The looks in order, then the conclusion."""
        rows = self._connection.execute(RECEIPTS, {"experiment": experiment})
        return [ReceiptRow(*row) for row in rows]

    def _from_row(self, row: tuple) -> Experiment:  # type: ignore[type-arg]  # mixed columns
        phases = self._connection.execute(PHASES, {"experiment": row[0]}).fetchall()
        with restored("experiments", row[0]):
            return Experiment(
                key=row[0],
                model_key=row[1],
                design=load_design(row[2], row[0]),
                state=row[3],
                salt=row[4],
                fingerprint=row[5],
                created_at=from_micros(row[6]),
                created_by=row[7],
                started_at=None if row[8] is None else from_micros(row[8]),
                ended_at=None if row[9] is None else from_micros(row[9]),
                revision_before=row[10],
                phases=tuple(
                    Phase(
                        revision=number,
                        started_at=from_micros(at),
                        weights=tuple(weight for _, _, weight in arms),
                    )
                    for (number, at), arms in groupby(phases, key=itemgetter(0, 1))
                ),
                verdict=row[11],
                winner=row[12],
            )
