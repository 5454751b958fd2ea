"""A tick: what is due is done once, in whole steps, and leaves a decision that says why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from mlreg.clock import MINUTE, from_micros
from mlreg.entities.decisions import Upcoming
from mlreg.entities.traffic import Change
from mlreg.errors import Conflict, NotFound
from mlreg.registry import Registry
from mlreg.services.context import Act
from mlreg.services.moving import Lapsed, Step, View
from mlreg.services.revisions import put
from mlreg.services.tick import Tick
from tests.support import Clock, dump


class Swap:
    """A mover that makes the larger arm the smaller one, once for each revision of a person."""

    def plan(self, view: View) -> Iterable[Step]:
        model = view.tx.models.get("sentiment")
        now = view.tx.traffic.current(model)
        if now.actor != "mlreg for tester":
            yield Step("swap", now.model, "its turn", model, view.basis(model), data=now)

    def apply(self, act: Act, step: Step) -> None:
        now = step.data
        weights = [arm.weight for arm in reversed(now.arms)]
        arms = tuple(replace(a, weight=w) for a, w in zip(now.arms, weights, strict=True))
        put(act, now, replace(now, arms=arms), "route")

    def refuse(self, act: Act, step: Step, why: str) -> None:
        raise AssertionError

    def foresee(self, view: View) -> Iterable[Upcoming]:
        yield Upcoming(
            time=None, model="sentiment", what="swap", object="sentiment", why="a change"
        )
        at = from_micros(view.now + MINUTE)
        yield Upcoming(time=at, model="sentiment", what="rest", object="sentiment", why="time")


class Stubborn(Swap):
    """One whose steps are refused after they have written."""

    def apply(self, act: Act, step: Step) -> None:
        super().apply(act, step)
        raise Conflict("not today")

    def refuse(self, act: Act, step: Step, why: str) -> None:
        assert why == "not today; its turn"


class Late(Swap):
    """One whose own state has moved on."""

    def apply(self, act: Act, step: Step) -> None:
        super().apply(act, step)
        raise Lapsed


class Sick(Swap):
    """One that cannot tell what is due for one of two models."""

    def plan(self, view: View) -> Iterable[Step]:
        if view.only is None or view.only.name == "gone":
            raise NotFound("its version has been deleted")
        yield from super().plan(view)


def shares(registry: Registry) -> list[float]:
    return [arm.traffic_percent for arm in registry.traffic.current("sentiment").live]


def test_a_step_is_done_once_and_leaves_a_decision(serving_registry: Registry):
    tick = Tick(serving_registry._context, [Swap()])
    first, before = tick.run(), dump(serving_registry.folder)
    assert [(d.number, d.what, d.outcome, d.why, d.actor) for d in first.decisions] == [
        (1, "swap", "done", "its turn", "mlreg for tester")
    ]
    assert (first.decisions[0].revision, shares(serving_registry)) == (1, [20, 80])
    assert tick.run().decisions == ()
    assert dump(serving_registry.folder) == before


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(serving_registry: Registry):
    serving_registry.performance.report("sentiment")  # folds the log
    before = dump(serving_registry.folder)
    found = Tick(serving_registry._context, [Swap()]).run(dry_run=True)
    assert [(d.number, d.what) for d in found.decisions] == [(0, "swap")]
    assert dump(serving_registry.folder) == before


def test_what_comes_is_told_in_the_order_in_which_it_does(serving_registry: Registry):
    found = Tick(serving_registry._context, [Swap()]).run(foresees=True)
    assert [one.what for one in found.upcoming] == ["rest", "swap"]
    assert shares(serving_registry) == [80, 20]


def test_a_step_that_was_planned_on_another_revision_lapses(serving_registry: Registry):
    found = Tick(serving_registry._context, [Swap(), Swap()]).run()
    assert (found.lapsed, shares(serving_registry)) == (1, [20, 80])
    assert [d.revision for d in found.decisions] == [1]


def test_a_step_that_is_refused_leaves_its_decision_and_nothing_else(serving_registry: Registry):
    found = Tick(serving_registry._context, [Stubborn()]).run()
    assert [(d.outcome, d.why) for d in found.decisions] == [("refused", "not today; its turn")]
    assert shares(serving_registry) == [80, 20]


def test_a_step_whose_own_state_has_moved_leaves_nothing(serving_registry: Registry):
    found = Tick(serving_registry._context, [Late()]).run()
    assert (found.decisions, shares(serving_registry)) == ((), [80, 20])
    assert found.lapsed > 0


def test_while_somebody_ticks_nobody_else_does(serving_registry: Registry, clock: Clock):
    context = serving_registry._context
    with context.store.write() as tx:
        tx.decisions.take_lease("omar", at=clock.at, until=clock.at + MINUTE)
    tick = Tick(context, [Swap()])
    assert tick.run().busy_with == "omar"
    assert shares(serving_registry) == [80, 20]
    clock.at += MINUTE  # it was killed
    assert len(tick.run().decisions) == 1


@pytest.mark.parametrize("jump", [-1, 1], ids=["back", "forth"])
def test_a_lease_of_a_clock_that_was_wrong_holds_nobody_up(
    serving_registry: Registry, clock: Clock, jump: int
):
    context = serving_registry._context
    with context.store.write() as tx:
        tx.decisions.take_lease("omar", at=clock.at, until=clock.at + MINUTE)
    clock.at += jump * 24 * 60 * MINUTE
    assert Tick(context, [Swap()]).run().busy_with is None


def test_a_tick_is_noted_with_its_author(serving_registry: Registry, clock: Clock):
    Tick(serving_registry._context).run(actor="cron")
    with serving_registry._context.store.read() as tx:
        assert tx.decisions.last_tick() == (clock.at, "cron")


def test_a_tick_of_a_model_that_is_not_there_is_refused(serving_registry: Registry):
    with pytest.raises(NotFound, match="there is no model other"):
        serving_registry.tick(model="other")
    with pytest.raises(NotFound, match="there is no model other"):
        serving_registry.tick(model="other", dry_run=True)


def test_what_a_person_changes_meanwhile_stays(serving_registry: Registry):
    Tick(serving_registry._context, [Swap()]).run()
    serving_registry.traffic.activate("sentiment@1.0.0", change=Change(actor="maria"))
    assert Tick(serving_registry._context, [Swap()]).run(model="sentiment").decisions


def test_the_trouble_of_one_model_keeps_no_other_from_moving(serving_registry: Registry):
    serving_registry.versions.register("gone@1.0.0")
    tick = Tick(serving_registry._context, [Sick()])
    with pytest.raises(NotFound, match="has been deleted"):
        tick.run()
    assert shares(serving_registry) == [20, 80]
    assert [d.what for d in serving_registry.stories.decisions()] == ["swap"]
