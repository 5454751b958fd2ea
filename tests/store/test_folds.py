"""Every fold takes pieces of rows, however their ids lie."""

from __future__ import annotations

from mlreg.store.folds import ends, fold, piece_end
from mlreg.tallies import Marks
from tests.store.conftest import Seeded
from tests.store.test_experiments import answer

FAR = 10**15


def test_a_gap_of_ids_is_stepped_over_at_once(seeded: Seeded):
    with seeded.store.write() as tx:
        tx.predictions.append_many([answer() for _ in range(5)])
        tx.connection.execute("update predictions set id = :far where id = 5", {"far": FAR})
        assert ends(tx.connection) == Marks(FAR, 0)
        assert piece_end(tx.connection, "predictions", 4, 2) == FAR
        assert piece_end(tx.connection, "predictions", FAR, 2) is None
        reached = [Marks(0, 0)]
        while fold(
            tx.connection,
            reached[-1],
            ends(tx.connection),
            limit=2,
            count=lambda after, upto: None,
            reach=reached.append,
        ):
            pass
    assert [marks.predictions for marks in reached] == [0, 2, 4, FAR]


def test_a_mark_beyond_the_last_row_stays(seeded: Seeded):
    done: list[object] = []
    with seeded.store.write() as tx:
        tx.predictions.append(answer())
        assert not fold(
            tx.connection,
            Marks(7, 3),
            ends(tx.connection),
            limit=2,
            count=lambda after, upto: done.append(upto),
            reach=done.append,
        )
    assert done == []
