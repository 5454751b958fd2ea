"""Labels and values of an experiment's units: what was fed back, at one age of all predictions.

Labels are compared at equal ages: they count for predictions that are as old as the window, and
only if they came within it. Else the arm whose wrong answers are labelled late would look better.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlreg.store.engines import Connection
from mlreg.store.unit_columns import FROM_FEEDBACK, Wanted
from mlreg.store.unit_rows import ADDED, OWN, filled, run
from mlreg.tallies import Marks

# What is counted is a function of the marks, whatever the clock did: `RIPE` are predictions that
# come of age, with the feedback that was folded before; `CAME` is what was said since of those that
# were of age, and what it replaces.
RIPE = """
    from predictions p :kind join feedback f on f.id = (
        select max(id) from feedback
        where prediction = p.id and name = :said and id <= :heard and at <= p.at + :window
    )
    where p.id > :after and p.id <= :upto and :takes_part
"""
CAME = """
    from feedback f
    join predictions p on p.id = f.prediction
    left join feedback o on o.id = (
        select max(id) from feedback
        where prediction = f.prediction and name = f.name and id < f.id and at <= p.at + :window
    )
    where f.id > :after and f.id <= :upto and p.id <= :ripe and f.at <= p.at + :window
        and :takes_part
"""

FOLD_LABELS = """
    insert into experiment_units (
        experiment, unit, revision, version, ripe, ripe_labelled, judged, correct
    )
    select :experiment, :unit, p.revision, p.version, :counted
    group by 2, 3, 4
    on conflict (experiment, unit, revision, version) do update set
        ripe = experiment_units.ripe + excluded.ripe,
        ripe_labelled = experiment_units.ripe_labelled + excluded.ripe_labelled,
        judged = experiment_units.judged + excluded.judged,
        correct = experiment_units.correct + excluded.correct
"""
RIPE_LABELS = f"""
        count(*), count(f.id), count(f.correct), coalesce(sum(f.correct), 0)
    {RIPE.replace(":kind", "left")}
"""
CAME_LABELS = f"""
        0, count(*) filter (where o.id is null), count(f.correct) - count(o.correct),
        sum(coalesce(f.correct, 0) - coalesce(o.correct, 0))
    {CAME} and f.name = 'label'
"""
RIPE_VALUES = f"""
    {OWN} select :experiment, cast(:name as text), :unit, p.revision, p.version,
        count(:new), coalesce(sum(:new), 0.0), coalesce(sum((:new) * (:new)), 0.0)
    {RIPE.replace(":kind", "")}
    group by 3, 4, 5 {ADDED}
"""  # constants of this module
CAME_VALUES = f"""
    {OWN} select :experiment, cast(:name as text), :unit, p.revision, p.version,
        count(:new) - count(:old),
        coalesce(sum(coalesce(:new, 0.0) - coalesce(:old, 0.0)), 0.0),
        coalesce(sum(coalesce((:new) * (:new), 0.0) - coalesce((:old) * (:old), 0.0)), 0.0)
    {CAME} and f.name = :said
    group by 3, 4, 5 {ADDED}
"""  # constants of this module
# How long feedback takes: of the first predictions of an experiment, which are the oldest, their
# time and that of the first word about each.
DELAYS = """
    select p.at, (select min(at) from feedback where prediction = p.id and name = :said)
    from predictions p
    where p.id > :after and :takes_part order by p.id limit :among
"""
DELAYS_AMONG = 50_000
WINDOW = """
    select label_window, label_window_fixed, predictions_from from experiments
    where key = :experiment
"""
SET_WINDOW = """
    update experiments set label_window = :window, ripe_upto = :after where key = :experiment
"""
FIX_WINDOW = "update experiments set label_window_fixed = 1 where key = :experiment"
FORGET_LABELS = """
    update experiment_units set ripe = 0, ripe_labelled = 0, judged = 0, correct = 0
    where experiment = :experiment
"""
FORGET_VALUES = """
    delete from experiment_values where experiment = :experiment and name in (:each_name)
"""


class UnitLabels:
    """What was fed back, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def window(self, experiment: int, what: Wanted) -> int | None:
        """The age in microseconds at which labels count; None: it is not known yet."""
        return self._window(experiment)[0] if what.window is None else what.window

    def is_fixed(self, experiment: int, what: Wanted) -> bool:
        """Whether that age will stay."""
        return what.window is not None or bool(self._window(experiment)[1])

    def set_window(self, experiment: int, what: Wanted, window: int | None) -> None:
        """Count labels at another age from now on, all of them anew; call it in a write."""
        before, _, start = self._window(experiment)
        if window != before:
            self.forget(experiment, what)
            values = {"experiment": experiment, "window": window, "after": start}
            self._connection.execute(SET_WINDOW, values)

    def fix_window(self, experiment: int) -> None:
        """Keep the age at which labels count."""
        self._connection.execute(FIX_WINDOW, {"experiment": experiment})

    def delays(self, experiment: int, name: str) -> list[tuple[int, int | None]]:
        """Of the first predictions their time, and when the first feedback of a name came."""
        after = self._window(experiment)[2]
        values = {"experiment": experiment, "after": after, "said": name, "among": DELAYS_AMONG}
        return run(self._connection, DELAYS, values).fetchall()

    def _window(self, experiment: int) -> tuple[int | None, int, int]:
        row = self._connection.execute(WINDOW, {"experiment": experiment}).fetchone()
        return row[0], row[1], row[2]

    def forget(self, experiment: int, what: Wanted) -> None:
        """Forget what was fed back."""
        own = {"experiment": experiment}
        self._connection.execute(FORGET_LABELS, own)
        names = [*what.names, *(name for name, *_ in what.derived)]
        if names:
            run(self._connection, FORGET_VALUES, own | {"names": self._connection.listed(names)})

    def fold_range(
        self,
        what: Wanted,
        common: Mapping[str, object],
        after: Marks,
        upto: Marks,
        window: int | None,
    ) -> None:
        """Add the predictions that come of age in a range, and what was said in another."""
        if window is None or not what.fed_back:
            return
        common = {**common, "window": window}
        ripe = {"after": after.ripe, "upto": upto.ripe, "heard": after.feedback}
        came = {"after": after.feedback, "upto": upto.feedback, "ripe": upto.ripe}
        if after.ripe < upto.ripe:
            self._count(what, common | ripe, RIPE_LABELS, RIPE_VALUES)
        if after.feedback < upto.feedback:
            self._count(what, common | came, CAME_LABELS, CAME_VALUES)

    def _count(self, what: Wanted, values: dict[str, object], labels: str, sums: str) -> None:
        # Values are known of a part of the predictions of age: these are counted for them, too.
        statement = filled(FOLD_LABELS, {":counted": labels})
        run(self._connection, statement, values | {"said": "label"})
        for name in what.names:
            own = {"said": name, "name": name}
            run(self._connection, sums, values | own, _fed_back("value"))
        for name, said, part in what.derived:
            own = {"said": said, "name": name}
            run(self._connection, sums, values | own, _fed_back(part))


def _fed_back(part: str) -> dict[str, str]:
    """What a row of feedback adds, and what the one before it had added."""
    text = FROM_FEEDBACK[part]
    return {":new": text.replace(":row", "f"), ":old": text.replace(":row", "o")}
