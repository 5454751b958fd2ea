"""The watcher: holds thresholds against the log, moves alerts, and does what they ask for."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from mlreg.clock import from_micros
from mlreg.entities.decisions import Upcoming
from mlreg.entities.thresholds import Alert, Standing, Threshold, object_of
from mlreg.errors import Conflict, CoolingDown, InvalidInput, MlregError, StoreError
from mlreg.evidence.alerts import CALM, Lasting, transition
from mlreg.evidence.grammar import parse
from mlreg.jsonable import jsonable
from mlreg.names import safe
from mlreg.services.conditions import Watch
from mlreg.services.moving import Lapsed, Step, View
from mlreg.services.policy_forms import thresholds_of
from mlreg.services.rollbacks import RollbackTargets, roll_back, tell_refusal
from mlreg.store.alerts import Beginning

if TYPE_CHECKING:
    from mlreg.entities.conditions import Finding
    from mlreg.services.context import Act
    from mlreg.store.models import ModelRow

# Each look reads the same conditions again.
_read = lru_cache(256)(parse)

FIRING, RESOLVED, ACKNOWLEDGED = "alert.firing", "alert.resolved", "alert.acknowledged"
SILENCED, ROLLBACK, PAUSE = "alert.silenced", "rollback", "pause"
_PENDING = "alert.pending"


# The same few conditions are read at each look.
_read = lru_cache(maxsize=1000)(parse)


class _Move(NamedTuple):
    """An alert that is to stand elsewhere.

    Attributes:
        alert: The one that is open; None: it begins.
        to: Where it is to stand; None: it went by.
        finding: Why.
    """

    alert: Alert | None
    to: Standing | None
    threshold: Threshold
    version: str | None
    finding: dict[str, Any]


class _Deed(NamedTuple):
    """What a firing alert asks for beside itself."""

    alert: Alert
    targets: RollbackTargets | None


class Watched(NamedTuple):
    """A threshold with what it came to, or why it cannot be told."""

    model: ModelRow
    threshold: Threshold
    findings: tuple[Finding, ...]
    problem: str = ""


class Watcher:
    """Moves alerts: a mover of the tick, and what those ask who answer.

    Args:
        names: The thresholds to look at; None: all.
    """

    def __init__(self, names: Container[str] | None = None) -> None:
        self._names = names

    def _looks_at(self, threshold: str) -> bool:
        return self._names is None or threshold in self._names

    def plan(self, view: View) -> Iterator[Step]:
        """The alerts that begin, fire and end, and what firing ones ask for."""
        for model, policy in view.with_policy():
            known = thresholds_of(policy)
            left = {
                (one.threshold, one.version): one
                for one in view.tx.alerts.open(model.key, now=view.now)
                if self._looks_at(one.threshold)
            }
            asked = [one for one in known if self._looks_at(one.name)]
            for watched in evaluated(view, model, asked):
                for finding in watched.findings:
                    alert = left.pop((watched.threshold.name, finding.version), None)
                    yield from _steps(view, watched, alert, finding)
                if watched.problem:
                    left = {k: a for k, a in left.items() if k[0] != watched.threshold.name}
            for alert in left.values():
                yield _ending(view, model, alert, known)

    def apply(self, act: Act, step: Step) -> None:
        """Move an alert, tell of it, or do what it asks for."""
        assert step.model is not None  # for the type checker: alerts are of models
        if isinstance(step.data, _Deed):
            _do(act, step, step.model, step.data)
        elif isinstance(step.data, Alert):
            _tell_late(act, step.model, step.data)
        else:
            _move(act, step, step.model, step.data)

    def refuse(self, act: Act, step: Step, why: str) -> None:
        """A refused action is not tried again for the same alert; a person has to look."""
        if isinstance(step.data, _Deed) and not act.tx.alerts.act(step.data.alert.alert, 0):
            raise Lapsed
        if step.model is not None and isinstance(step.data, _Deed):
            tell_refusal(act, step.model, step.findings, why)

    def foresee(self, view: View) -> Iterator[Upcoming]:
        """What pending alerts wait for, and firing ones."""
        for model, _ in view.with_policy():
            for alert in view.tx.alerts.open(model.key, now=view.now):
                yield _upcoming(alert)


def evaluated(view: View, model: ModelRow, known: Sequence[Threshold]) -> Iterator[Watched]:
    """What each threshold comes to. One that cannot be told keeps no other from being."""
    if not known:
        return
    edges = view.memo.setdefault("edges", {})
    watch = Watch(view.tx, model, now=view.now, edges=edges)
    for threshold in known:
        found: tuple[Finding, ...]
        try:
            if threshold.anomaly is not None:
                from mlreg.services.anomalies import anomaly_of

                found = (anomaly_of(view.tx, model, threshold.anomaly, now=view.now, edges=edges),)
            else:
                found = watch.findings(_read(threshold.condition or "")) if watch.active else ()
        except StoreError:
            raise
        except MlregError as error:
            yield Watched(model, threshold, (), error.message)
        else:
            yield Watched(model, threshold, found)


def _steps(view: View, watched: Watched, alert: Alert | None, finding: Finding) -> Iterator[Step]:
    model, threshold = watched.model, watched.threshold
    to = transition(alert.standing if alert else None, finding.state, _lasting(threshold), view.now)
    if to != (alert.standing if alert else None):
        what = _PENDING if to is None or to.state == "pending" else f"alert.{to.state}"
        is_same = alert is not None and to is not None and to.state == alert.state
        yield Step(
            what,
            object_of(model.name, threshold.name, finding.version),
            finding.sentence,
            model,
            view.basis(model),
            (finding,),
            _Move(alert, to, threshold, finding.version, _plain(finding)),
            is_quiet=is_same or what == _PENDING,
        )
    elif alert is not None and alert.state == "firing":
        yield from _deeds(view, model, alert, finding)


def _deeds(view: View, model: ModelRow, alert: Alert, finding: Finding) -> Iterator[Step]:
    """What a firing alert still asks for."""
    basis, why = view.basis(model), finding.sentence
    if alert.told_at is None and not alert.silenced:
        yield Step(FIRING, alert.object, why, model, basis, (finding,), alert, is_quiet=True)
    if alert.action == "alert" or alert.acted is not None or finding.state != "fail":
        return
    targets = None
    if alert.action == "rollback":
        targets = RollbackTargets(
            view.context.objects, to_version=None, to_revision=None, findings=[finding]
        )
        if _has_to_wait(view, model, targets):
            return
    what = ROLLBACK if alert.action == "rollback" else PAUSE
    yield Step(what, alert.object, why, model, basis, (finding,), _Deed(alert, targets))


def _has_to_wait(view: View, model: ModelRow, targets: RollbackTargets) -> bool:
    """Whether the last rollback is too fresh; artifacts are verified here, before the write."""
    try:
        targets.choose(view.tx, model, view.tx.traffic.current(model), view.now)
    except CoolingDown:
        return True
    except MlregError:
        return False  # said, and told, when it is to be done
    return False


def _ending(view: View, model: ModelRow, alert: Alert, known: Sequence[Threshold]) -> Step:
    """An alert of what is no longer looked at."""
    is_known = any(one.name == alert.threshold for one in known)
    whose = f"{safe(model.name)}@{alert.version}" if alert.version else safe(model.name)
    why = f"{whose} serves no longer" if is_known else "the policy has this threshold no longer"
    to = Standing("resolved", None, 0, view.now) if alert.state == "firing" else None
    move = _Move(alert, to, _threshold_of(alert), alert.version, dict(alert.finding))
    what, basis = RESOLVED if to else _PENDING, view.basis(model)
    return Step(what, alert.object, why, model, basis, (), move, is_quiet=to is None)


def _move(act: Act, step: Step, model: ModelRow, move: _Move) -> None:
    alerts, to, was = act.tx.alerts, move.to, move.alert
    if to is None:
        if was is None or not alerts.forget(was.alert):
            raise Lapsed
        return
    fires = to.state == "firing" and (was is None or was.state == "pending")
    is_told = fires and not alerts.is_silenced(model.key, move.threshold.name, now=act.at)
    if was is None:
        basis = step.basis
        beginning = Beginning(
            model.key, move.threshold.name, move.version, move.threshold.demand,
            move.threshold.severity, move.threshold.action,
            basis.policy if basis else 0, basis.revision if basis else 0,
        )  # fmt: skip
        number = alerts.begin(beginning, to, move.finding, at=act.at, is_told=is_told)
        is_moved = number is not None
    else:
        number = was.alert
        is_moved = alerts.move(was, to, move.finding, at=act.at, is_told=is_told)
    after = alerts.find(number, now=act.at) if is_moved and number is not None else None
    if after is None:
        raise Lapsed
    if is_told:
        _tell(act, FIRING, model, after, why=step.why)
    if to.state == "resolved" and after.told_at is not None:
        _tell(act, RESOLVED, model, after, why=step.why)


def _tell_late(act: Act, model: ModelRow, alert: Alert) -> None:
    """Tell of an alert that still fires when its silence is over."""
    if not act.tx.alerts.tell(alert.alert, at=act.at):
        raise Lapsed
    _tell(act, FIRING, model, alert, why=act.change.reason)


def _do(act: Act, step: Step, model: ModelRow, deed: _Deed) -> None:
    """Do what an alert asks for, once: what it did is noted with it."""
    if deed.targets is None:
        _pause(act, model, step.why)
        made = step.basis.revision if step.basis else 0
    else:
        made = roll_back(act, model, deed.targets, list(step.findings)).number
    if not act.tx.alerts.act(deed.alert.alert, made):
        raise Lapsed


def _pause(act: Act, model: ModelRow, why: str) -> None:
    """Pause the rollout of a model.

    Raises:
        Conflict: There is none, or it cannot be paused now.
    """
    from mlreg.services.rollouts import applying

    found = act.tx.rollouts.open(model.key)
    if not found:
        raise Conflict(f"{safe(model.name)} has no rollout to pause")
    applying.do(act, found[0], "pause", reason=why)


def _tell(act: Act, action: str, model: ModelRow, alert: Alert, *, why: str) -> None:
    act.tx.events.append(
        action=action,
        object=alert.object,
        actor=act.actor,
        at=act.at,
        model_key=model.key,
        model=model.name,
        reason=why,
        after=alert,
    )


def _lasting(threshold: Threshold) -> Lasting:
    return _read(threshold.condition).lasting if threshold.condition else None


def _threshold_of(alert: Alert) -> Threshold:
    return Threshold(
        name=alert.threshold,
        condition=alert.condition,
        severity=alert.severity,
        action=alert.action,
    )


def _plain(finding: Finding) -> dict[str, Any]:
    plain = jsonable(finding)
    assert isinstance(plain, dict)  # for the type checker
    return plain


def _upcoming(alert: Alert) -> Upcoming:
    """When an alert fires or is over if its evaluations go on as the last one."""
    try:
        lasting = _read(alert.condition).lasting
    except InvalidInput:
        lasting = None  # an anomaly
    standing = alert.standing
    if alert.state == "firing":
        lasting = lasting if lasting is not None else CALM
    time = None
    if standing.since is not None and not isinstance(lasting, int | None):
        time = from_micros(standing.since) + lasting
    what = FIRING if alert.state == "pending" else RESOLVED
    holds = "is broken" if alert.state == "pending" else "holds"
    return Upcoming(
        time=time,
        model=alert.model,
        what=what,
        object=alert.object,
        why=f"if {alert.condition} {holds} until then",
    )
