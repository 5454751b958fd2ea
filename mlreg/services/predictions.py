"""Predict: route, call, log; answered means logged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from mlreg.artifacts.runner import Answer, Failure, Pending
from mlreg.entities.predictions import FORCED, LIVE, Prediction
from mlreg.errors import Conflict, InvalidInput
from mlreg.inputs import check_input, parse_input
from mlreg.jsonable import canonical
from mlreg.names import check_key, check_text
from mlreg.routing import choose
from mlreg.services.answers import (
    Assigned,
    Refused,
    Request,
    columns,
    prediction_of,
    raised,
    unread,
)
from mlreg.services.context import Context
from mlreg.services.privacy import Privacy
from mlreg.services.recorder import Recorder
from mlreg.services.requests import LONGEST, Token, append_once, check_unit, known_answer, token_of
from mlreg.services.routes import Route, Routes, Served
from mlreg.store.engines.forking import lazy
from mlreg.store.predictions import Entry

if TYPE_CHECKING:
    from mlreg.entities.traffic import Rollback
    from mlreg.entities.versions import Signature
    from mlreg.services.shadows.answering import Copied
    from mlreg.services.shadows.asking import Asking
    from mlreg.services.trust import Trust
    from mlreg.store.models import ModelRow

CHUNK = 1000


# The inputs that one version gets, each with its place in the chunk.
_Call = list[tuple[int, Assigned]]


# An input on its way, why it has none, or what its request got before.
_Ready = Assigned | str | Prediction


class _Chunk(NamedTuple):
    """Inputs under way: each one assigned, refused or known, and the calls that answer them.

    Attributes:
        model: Whose thresholds they count for; None where a version was insisted on.
    """

    ready: list[_Ready]
    calls: list[tuple[_Call, Pending]]
    model: ModelRow | None
    shadows: tuple[Served, ...]


class Predictions(Recorder):
    """Answers, and the log of them.

    Attributes:
        is_brief: Whether the registry is closed after the next answer: shadows are asked then.
    """

    def __init__(self, context: Context, routes: Routes) -> None:
        super().__init__(context)
        self._routes = routes
        self._privacy = Privacy(context.settings)
        self.is_brief = False

    @cached_property
    def _trust(self) -> Trust:
        from mlreg.services.trust import Trust

        return Trust(self._context)

    @lazy
    def asking(self) -> Asking:
        """What asks shadows."""
        from mlreg.services.shadows.asking import Asking

        return Asking(self._context, is_deferred=self.is_brief)

    @property
    def is_asking(self) -> bool:
        """Whether shadows were, or are to be, asked."""
        return "asking" in vars(self)

    def predict(
        self,
        value: object,
        *,
        model: str | None = None,
        version: str | None = None,
        unit: str | None = None,
        segment: Mapping[str, str] | None = None,
        request_id: str | None = None,
        is_text: bool = False,
    ) -> Prediction:
        """Answer one input from the version that the traffic gives it to, and log it.

        Args:
            value: A text, a mapping of fields, or a sequence of numbers, by the signature.
            model: Its name; None for the one of the settings, or the only one.
            version: Ask this version instead; logged as forced, outside the split.
            unit: The user or other key that sticky routing and statistics go by.
            segment: Properties to break reports down by, such as `{"country": "de"}`.
            request_id: The same id returns the same answer and writes no second row; a request
                that failed may be sent again.
            is_text: `value` is text as typed: plain for text models, JSON for the others.

        Raises:
            NoActiveVersion: Nothing serves the model.
            InvalidInput: The input is not what the model takes; nothing is logged.
            PredictionFailed: The model raised, hung, died or answered nonsense; that is logged.
        """
        request = _checked(Request(value, unit, segment, request_id=request_id))
        route, forced = self._route(model, version)
        assigned = self._assign(route, forced, request, is_text=is_text, turn=None)
        if (token := assigned.token) is not None:
            with self._context.store.read() as tx:
                if known := known_answer(tx, token):
                    return known
        if route.table.strategy == "round-robin" and not forced:
            assigned = self._take_turn(route, assigned, is_text=is_text)
        batch = self._submit([assigned]).result()
        outcome = batch.outcomes[0]
        entry = self._entry(assigned, outcome, batch.seconds)
        if token is None or isinstance(outcome, Failure):  # what failed may be asked again
            prediction_id = self._context.store.append_prediction(entry)
        else:
            with self._context.store.write(durable=False) as tx:
                logged = append_once(tx, [(entry, token)])[0]
            if isinstance(logged, Conflict):
                raise logged
            if isinstance(logged, Prediction):  # another process has answered meanwhile
                return logged
            prediction_id = logged
        self._context.fold_if_due(prediction_id, 1)
        rollback = None
        if not forced:
            failed = (entry.version,) if entry.status else ()
            rollback = self._tripwires.passed(route.model, prediction_id, 1, failed)
        if route.shadows and not forced and not (self.is_brief and isinstance(outcome, Failure)):
            copied = _copied(prediction_id, entry, assigned)
            self.asking.offer(route.shadows, [copied], is_single=True)
        if isinstance(outcome, Failure):
            raise raised(outcome, assigned, prediction_id, rollback)
        return prediction_of(entry, assigned, prediction_id, outcome, rollback)

    def predict_many(
        self,
        requests: Iterable[Request | object],
        *,
        model: str | None = None,
        version: str | None = None,
        is_text: bool = False,
        chunk: int = CHUNK,
    ) -> Iterator[Prediction]:
        """Answer many inputs in order, in vectorised chunks; memory does not grow with them.

        A failed or unreadable input is answered by a record with `error`; it never fails its
        neighbours. Each chunk is logged before its answers are handed out.
        """
        stream = (r if isinstance(r, Request) else Request(r) for r in requests)
        under_way: _Chunk | None = None
        # While one chunk is being computed, the one before is logged and handed out.
        while True:
            try:
                batch = list(islice(stream, chunk))
                started = (
                    self._start_chunk(batch, model, version, is_text=is_text) if batch else None
                )
            except Exception:  # what was begun before is answered first
                if under_way:
                    yield from self._finish_chunk(under_way)
                raise
            if under_way:
                yield from self._finish_chunk(under_way)
            if not started:
                return
            under_way = started

    def signature(self, model: str | None = None, version: str | None = None) -> Signature:
        """What the version takes that would be asked; of the first arm, where there are several."""
        route, forced = self._route(model, version)
        return (forced or next(iter(route.served.values()))).loadable.signature

    def _start_chunk(
        self, batch: list[Request], model: str | None, version: str | None, *, is_text: bool
    ) -> _Chunk:
        """Route the inputs of a chunk, and hand them to the runner, one call for each version."""
        route, forced = self._route(model, version)
        ready: list[_Ready] = []
        for request in batch:
            try:
                checked = _checked(request)
                ready.append(self._assign(route, forced, checked, is_text=is_text, turn=None))
            except InvalidInput as error:
                ready.append(error.message)
        self._look_up(ready)
        if route.table.strategy == "round-robin" and not forced:
            self._take_turns(route, ready, is_text=is_text)
        calls: dict[int, _Call] = {}
        for place, item in enumerate(ready):
            if isinstance(item, Assigned):
                calls.setdefault(item.arm.version.key, []).append((place, item))
        pending = [(call, self._submit([a for _, a in call])) for call in calls.values()]
        return _Chunk(ready, pending, *((None, ()) if forced else (route.model, route.shadows)))

    def _submit(self, requests: list[Assigned]) -> Pending:
        """Hand inputs of one version to the runner, unless this user does not let it run."""
        arm = requests[0].arm
        if arm.version.trusted and (refusal := self._trust.refusal(arm.version)):
            return Refused(refusal, len(requests))
        return self._context.runner.submit(arm.loadable, [request.value for request in requests])

    def _finish_chunk(self, chunk: _Chunk) -> Iterator[Prediction]:
        """Await the outcomes of a chunk, log them, and hand them out in the order of the inputs."""
        done: dict[int, tuple[Entry, Assigned, Answer | Failure]] = {}
        for call, pending in chunk.calls:
            batch = pending.result()
            for (place, assigned), outcome in zip(call, batch.outcomes, strict=True):
                seconds, is_call = batch.seconds / len(call), place == call[0][0]
                entry = self._entry(assigned, outcome, seconds, is_call=is_call)
                done[place] = entry, assigned, outcome
        rows = [done[place] for place in sorted(done)]
        keys = self._log_all(
            # What failed may be asked again.
            [(entry, None if isinstance(o, Failure) else a.token) for entry, a, o in rows]
        )
        if chunk.shadows:
            new = zip(keys, rows, strict=True)
            copied = [_copied(k, entry, a) for k, (entry, a, _) in new if isinstance(k, int)]
            self.asking.offer(chunk.shadows, copied, is_single=False)
        rollback, last = self._passed(chunk, keys, rows)
        logged = iter(keys)
        for place, item in enumerate(chunk.ready):
            if isinstance(item, str):
                yield unread(item)
            elif isinstance(item, Prediction):
                yield item
            else:
                known = next(logged)
                if isinstance(known, Prediction):
                    yield known
                elif isinstance(known, Conflict):
                    yield unread(known.message)
                else:
                    entry, assigned, outcome = done[place]
                    caused = rollback if known == last else None
                    yield prediction_of(entry, assigned, known, outcome, caused)

    def _passed(
        self,
        chunk: _Chunk,
        keys: Sequence[int | Prediction | Conflict],
        rows: Sequence[tuple[Entry, Assigned, Answer | Failure]],
    ) -> tuple[Rollback | None, int]:
        """The rollback that the new rows of a chunk have caused, and the last of them."""
        new = [(k, row[0]) for k, row in zip(keys, rows, strict=True) if isinstance(k, int)]
        if not new or chunk.model is None:
            return None, 0
        last, failed = new[-1][0], {entry.version for _, entry in new if entry.status}
        return self._tripwires.passed(chunk.model, last, len(new), failed), last

    def _log_all(
        self, entries: list[tuple[Entry, Token | None]]
    ) -> list[int | Prediction | Conflict]:
        """Log rows; of each its id, or what its request got before."""
        if not entries:
            return []
        logged: list[int | Prediction | Conflict]
        with self._context.store.write(durable=False) as tx:
            if any(token for _, token in entries):
                logged = append_once(tx, entries)
            else:
                logged = [*tx.predictions.append_many([entry for entry, _ in entries])]
        ids = [key for key in logged if isinstance(key, int)]
        if ids:
            self._context.fold_if_due(ids[-1], len(ids))
        return logged

    def _look_up(self, ready: list[_Ready]) -> None:
        """Put what requests got before in the place of those that are sent again."""
        asked = [
            (place, item.token)
            for place, item in enumerate(ready)
            if isinstance(item, Assigned) and item.token
        ]
        if asked:
            with self._context.store.read() as tx:
                for place, token in asked:
                    try:
                        ready[place] = known_answer(tx, token) or ready[place]
                    except Conflict as problem:
                        ready[place] = problem.message

    def _route(self, model: str | None, version: str | None) -> tuple[Route, Served | None]:
        """The model's route, and the version that is insisted on."""
        if version is None:
            return self._routes.current(model), None
        route = self._routes.find(model)
        return route, self._routes.forced(route, version)

    def _assign(
        self,
        route: Route,
        forced: Served | None,
        request: Request,
        *,
        is_text: bool,
        turn: int | None,
    ) -> Assigned:
        if forced is not None:
            arm, role, reason = forced, FORCED, "forced"
        else:
            chosen, reason = choose(route.table, request.unit, turn)
            arm, role = route.served[chosen.version_key], LIVE
        signature = arm.loadable.signature
        if is_text and isinstance(request.value, str):
            value = parse_input(signature, request.value)
        else:
            value = check_input(signature, request.value)
        asked = request.request_id
        token = None if asked is None else token_of(self._privacy, route.model, asked, value)
        return Assigned(value, request, arm, route.revision, role, reason, token)

    def _take_turn(self, route: Route, assigned: Assigned, *, is_text: bool) -> Assigned:
        # Only now: an input that is refused must not use up a turn.
        with self._context.store.write(durable=False) as tx:
            turn = tx.models.take_turns(route.model.key, 1)
        return self._assign(route, None, assigned.request, is_text=is_text, turn=turn)

    def _take_turns(self, route: Route, ready: list[_Ready], *, is_text: bool) -> None:
        """Give each input its turn, in place; one that was refused must not use up a turn."""
        waiting = [(place, a) for place, a in enumerate(ready) if isinstance(a, Assigned)]
        with self._context.store.write(durable=False) as tx:
            first = tx.models.take_turns(route.model.key, len(waiting))
        for turn, (place, assigned) in enumerate(waiting, start=first):
            try:
                ready[place] = self._assign(
                    route, None, assigned.request, is_text=is_text, turn=turn
                )
            except InvalidInput as error:  # this version takes other inputs than the first one
                ready[place] = error.message

    def _entry(
        self,
        assigned: Assigned,
        outcome: Answer | Failure,
        seconds: float,
        *,
        is_call: bool = True,
    ) -> Entry:
        request, segment = assigned.request, assigned.request.segment
        output, confidence, status = columns(outcome)
        error = self._privacy.logged_error(outcome) if isinstance(outcome, Failure) else None
        return Entry(
            self._context.clock(),
            assigned.arm.version.key,
            assigned.revision,
            assigned.role,
            assigned.reason,
            request.unit,
            canonical(segment) if segment else None,
            self._privacy.logged_input(assigned.value, assigned.arm.version),
            output,
            confidence,
            max(1, round(seconds * 1e6)),  # 0 would say that nobody measured it
            status,
            error,
            assigned.arm.cost,
            is_call,
        )


def _copied(prediction_id: int, entry: Entry, assigned: Assigned) -> Copied:
    from mlreg.services.shadows.answering import Copied

    return Copied(prediction_id, assigned.value, entry.unit, entry.segment, entry.revision)


def _checked(request: Request) -> Request:
    if request.problem:
        raise InvalidInput(request.problem)
    check_unit(request.unit)
    for name, value in (request.segment or {}).items():
        check_key(name, "segment")
        check_text(value, f"segment {name}", longest=LONGEST)
    return request
