"""Conditions held against the log: windows and references become tallies, tallies findings."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from mlreg.clock import Moment, from_micros
from mlreg.entities.conditions import Finding
from mlreg.errors import CheckFailed, Inconclusive, InvalidInput
from mlreg.evidence.conditions import (
    BEFORE,
    Condition,
    Judged,
    Measured,
    evaluate,
    measure,
    of_catalogue,
    told,
)
from mlreg.evidence.grammar import parse
from mlreg.metrics import COUNTS, FAILURES_IN_A_ROW
from mlreg.names import check_key, safe
from mlreg.services.condition_views import Span, View, micros
from mlreg.services.context import Context
from mlreg.services.windows import FOREVER, Edges, Window, window_of
from mlreg.stats.results import Interval
from mlreg.tallies import Tally

if TYPE_CHECKING:
    from mlreg.entities.versions import Version
    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction

_AT_ONCE = {"for": "nothing is kept between two calls, so nobody knows since when"}
_MUCH = sys.maxsize  # so much evidence has what was said once for all


class OfRevision(NamedTuple):
    """What conditions came to for the revision of a model that is in force."""

    model: str
    revision: int
    findings: tuple[Finding, ...]


class Conditions:
    """Holds conditions against what active versions did."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def findings(
        self,
        name: str | None,
        texts: Sequence[str],
        *,
        are_forbidden: bool = False,
        since: Moment | None = None,
        until: Moment | None = None,
        baseline: str | None = None,
        by: str | None = None,
    ) -> tuple[Finding, ...]:
        """What each condition comes to for each active version.

        A version that is itself the baseline is left out where there are others.

        Args:
            name: The model; None where there is only one.
            texts: What must hold, such as `error_rate <= 5% over 1h`.
            are_forbidden: They say what must not hold; a finding then fails where one holds.
            since: Start of the window of those that name none: an instant, or how long ago; 0: the
                beginning; None: since the revision in force began.
            until: Its end; None: now.
            baseline: The version that `baseline` stands for; None: the champion, else the active
                one with the largest share.
            by: A segment key; there is then a finding for each of its values.

        Raises:
            NotFound: There is no such model or version.
            InvalidInput: A condition cannot be read, or not be told at once or by segment.
        """
        conditions = [parse(text, refused=_AT_ONCE) for text in texts]
        for condition in conditions if by else ():
            if isinstance(condition.over, int) or condition.reference == "previous":
                raise InvalidInput(f"{safe(str(condition))} cannot be told by segment")
        if are_forbidden:
            conditions = [condition.negated() for condition in conditions]
        by = check_key(by, "segment") if by else None
        with self._view(name, since, until, by=by) as view:
            return _all_findings(view, conditions, baseline)

    def of_revision(
        self,
        name: str | None,
        forbidden: Sequence[str],
        *,
        since: Moment | None = None,
        until: Moment | None = None,
        baseline: str | None = None,
    ) -> OfRevision:
        """What must not hold, held against what the revision in force has done and nothing else.

        What was answered before it speaks of another state of the traffic, in whatever window.

        Args:
            name: The model; None where there is only one.
            forbidden: What must not hold, such as `error_rate > 5% over 1h`.
            since: Start of the window, as for `findings`.
            until: Its end; None: now.
            baseline: The version that `baseline` stands for, as for `findings`.
        """
        conditions = [parse(text, refused=_AT_ONCE).negated() for text in forbidden]
        with self._view(name, since, until, is_bound=True) as view:
            found = _all_findings(view, conditions, baseline)
            return OfRevision(view.model.name, view.revision.number, found)

    @contextmanager
    def _view(
        self,
        name: str | None,
        since: Moment | None,
        until: Moment | None,
        *,
        by: str | None = None,
        is_bound: bool = False,
    ) -> Iterator[View]:
        """A snapshot of a model; bound to it, all windows show its revision in force alone."""
        now = self._context.clock()
        window = window_of(since, until, now=now)
        with self._context.folded() as tx:
            model = self._context.model(tx, name)
            revision = tx.traffic.current(model)
            is_usual = since is None or is_bound
            span = Span(window, frozenset({revision.number}) if is_usual else None)
            yield View(tx, model, revision, span, now, by, is_bound=is_bound)

    def enforce(self, findings: Sequence[Finding]) -> None:
        """Raise what a gate ends with.

        Raises:
            CheckFailed: A condition is broken.
            Inconclusive: None is, but for one of them no version has data, or one has less than
                it asks for: a gate must not open because nothing was measured.
        """
        if broken := [found for found in findings if found.state == "fail"]:
            hint = f"see: mlreg perf {broken[0].model}"
            raise CheckFailed("; ".join(found.sentence for found in broken), hint=hint)
        measured = {found.condition for found in findings if found.state == "pass"}
        open_ones = [
            found
            for found in findings
            if found.state != "pass" and (found.needed or found.condition not in measured)
        ]
        if open_ones:
            raise Inconclusive("; ".join(found.sentence for found in open_ones))


class Watch:
    """Holds conditions against a model, one by one, for those who look again and again.

    Of each version counts what it did since it began to serve: what it did before it was taken out
    once has had its consequences.

    Args:
        tx: A snapshot whose summaries cover all of the log.
        model: The model.
        now: The instant, in microseconds.
        edges: What was read for other models at this instant.
    """

    def __init__(
        self, tx: Transaction, model: ModelRow, *, now: int, edges: Edges | None = None
    ) -> None:
        usual = Span(Window(0, FOREVER))
        self._view = View(tx, model, tx.traffic.current(model), usual, now, None, edges=edges)
        self._view.forget_before(tx.traffic.serving_since(model.key))

    @property
    def active(self) -> list[Version]:
        """The versions that serve."""
        return self._view.active

    def findings(self, condition: Condition) -> tuple[Finding, ...]:
        """What a condition comes to; `for` is the business of who looks."""
        base = self._view.baseline(None) if condition.reference == "baseline" else None
        return tuple(_findings(self._view, condition, base))


def _all_findings(
    view: View, conditions: Sequence[Condition], baseline: str | None
) -> tuple[Finding, ...]:
    base = view.baseline(baseline)
    return tuple(found for c in conditions for found in _findings(view, c, base))


def _findings(view: View, condition: Condition, base: Version | None) -> Iterator[Finding]:
    """One condition, for each active version and segment."""
    if not view.active:
        why = f"no version is active, and there is no data for {safe(condition.metric)}"
        yield _finding(view, condition, None, None, Measured(), Judged("inconclusive", why=why))
    if condition.metric in COUNTS:
        yield from _counted(view, condition)
        return
    metric, span = of_catalogue(condition.metric), view.span(condition)
    tallies = view.tallies({version.key for version in view.active}, span)
    is_compared = condition.reference == "baseline" and len(view.active) > 1
    for version in view.active:
        if is_compared and base and version.key == base.key:
            continue
        reference = _reference(view, condition, version, base)
        segments = {segment for key, segment in tallies if key == version.key} or {None}
        for segment in sorted(segments, key=lambda text: (text is None, text or "")):
            tally = tallies.get((version.key, segment), Tally())
            seen = measure(metric, tally, sure=condition.sure)
            judged = evaluate(condition, seen, reference(segment) if reference else None)
            yield _finding(view, condition, version, segment, seen, judged)


def _counted(view: View, condition: Condition) -> Iterator[Finding]:
    """What is counted: requests of the model as a whole, failures in a row of each version."""
    if condition.reference is not None or condition.sure or view.by is not None:
        raise InvalidInput(
            f"{safe(condition.metric)} is held against a number alone",
            hint=f"like {safe(condition.metric)} {condition.sign} 3",
        )
    if condition.metric == FAILURES_IN_A_ROW:
        for version in view.active:
            seen = view.failures(version, condition)
            yield _finding(view, condition, version, None, seen, evaluate(condition, seen))
        return
    if view.active:
        span = view.span(condition)
        tallies = view.tallies({version.key for version in view.active}, span)
        count = sum(tally.requests for tally in tallies.values())
        seen = Measured(float(count), count)
        judged = evaluate(condition, seen)
        if judged.state == "fail" and span.window.since < view.began(None):
            judged = Judged("inconclusive", why="it has served for less than this window")
        yield _finding(view, condition, None, None, seen, judged)


_ByTally = Callable[[str | None], Measured]


def _reference(
    view: View, condition: Condition, version: Version, base: Version | None
) -> _ByTally | None:
    """What is known of the reference, segment by segment."""
    span = view.span(condition)
    if condition.reference is None:
        return None
    if condition.reference == "training":
        given = version.metrics.get(condition.metric)
        known = Measured() if given is None else Measured(given, _MUCH, Interval(given, given))
        return lambda _: known
    if condition.reference == "baseline":
        if base is None or base.key == version.key:
            problem = Measured(problem=f"{version.version} is the baseline itself")
            return lambda _: problem
        keys = {base.key}
    elif condition.reference == "previous":
        keys, revisions, end = view.previous()
        keys &= {known.key for known in view.versions}  # the others have been deleted
        keys = keys - {version.key} or keys
        over = condition.over
        since = end - micros(over) if isinstance(over, timedelta) else 0
        span = Span(Window(since, FOREVER), revisions)
    else:
        back, window = BEFORE[condition.reference], view.times(span)
        if window.until - window.since > micros(back):
            problem = Measured(problem=f"the window overlaps that of {condition.reference}")
            return lambda _: problem
        keys = {v.key for v in view.versions}
        span = Span(Window(window.since - micros(back), window.until - micros(back)))
    found: dict[str | None, Tally] = {}
    for (_, segment), tally in view.tallies(keys, span).items():
        found.setdefault(segment, Tally()).merge(tally)
    metric = of_catalogue(condition.metric)
    return lambda segment: measure(metric, found.get(segment, Tally()), sure=condition.sure)


def _finding(
    view: View,
    condition: Condition,
    version: Version | None,
    segment: str | None,
    seen: Measured,
    judged: Judged,
) -> Finding:
    window = view.times(view.span(condition))
    window = window._replace(since=max(window.since, view.began(version.key if version else None)))
    since, until = (from_micros(at) for at in window)
    who = f"{view.model.name}@{version.version}" if version else view.model.name
    where = "" if segment is None else f" for {view.by} {safe(segment)}"
    span = f"{f'{since:%Y-%m-%d %H:%M} ' if window.since else ''}to {until:%Y-%m-%d %H:%M} UTC"
    told_of = f" ({seen.n} samples, {span})" if seen.n else ""
    return Finding(
        condition=str(condition),
        model=view.model.name,
        model_id=version.model_id if version else None,
        version=version.version if version else None,
        segment=segment,
        state=judged.state,
        value=seen.value,
        bound=judged.bound,
        interval=judged.interval and (judged.interval.low, judged.interval.high),
        samples=seen.n,
        needed=max(condition.least, int(condition.sure)),
        since=since if window.since else None,
        until=until,
        sentence=f"{who}{where}: {told(condition, seen, judged)}{told_of}",
    )
