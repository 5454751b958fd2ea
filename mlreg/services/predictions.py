"""Predict: route, call, log; answered means logged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property, partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from mlreg.artifacts.runner import Answer, Failure, Pending
from mlreg.clock import Moment, moment
from mlreg.entities.predictions import FORCED, LIVE, LoggedPrediction, Prediction
from mlreg.errors import (
    InvalidInput,
    NotFound,
    StoreError,
)
from mlreg.inputs import Input, check_input, parse_input
from mlreg.jsonable import canonical
from mlreg.names import check_key, check_text
from mlreg.routing import choose
from mlreg.services.answers import (
    Assigned,
    Refused,
    Request,
    Token,
    columns,
    known_answer,
    prediction_of,
    raised,
    unread,
)
from mlreg.services.context import Context
from mlreg.services.frames import log_frame
from mlreg.services.privacy import Privacy
from mlreg.services.routes import Route, Routes, Served
from mlreg.store.predictions import Entry
from mlreg.store.summaries import EVERY

if TYPE_CHECKING:
    from mlreg.entities.versions import Signature
    from mlreg.services.trust import Trust

CHUNK = 1000

_LONGEST_UNIT = 256


# The inputs that one version gets, each with its place in the chunk.
_Call = list[tuple[int, Assigned]]


class _Chunk(NamedTuple):
    """Inputs under way: each one assigned or refused, and the calls that answer them."""

    ready: list[Assigned | str]
    calls: list[tuple[_Call, Pending]]


class Predictions:
    """Answers, and the log of them."""

    def __init__(self, context: Context, routes: Routes) -> None:
        self._context = context
        self._routes = routes
        self._privacy = Privacy(context.settings)

    @cached_property
    def _trust(self) -> Trust:
        from mlreg.services.trust import Trust

        return Trust(self._context)

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
        request = _checked(Request(value, unit, segment))
        route, forced = self._route(model, version)
        assigned = self._assign(route, forced, request, is_text=is_text, turn=None)
        token = self._token(route, request_id, assigned.value)
        if token and (known := self._find_answer(token)):
            return known
        if route.table.strategy == "round-robin" and not forced:
            assigned = self._take_turn(route, assigned, is_text=is_text)
        batch = self._submit([assigned]).result()
        outcome = batch.outcomes[0]
        entry = self._entry(assigned, outcome, batch.seconds)
        if token is None or isinstance(outcome, Failure):  # what failed may be asked again
            prediction_id = self._context.store.append_prediction(entry)
        else:
            prediction_id, known = self._log_once(entry, token)
            if known:
                return known
        self._fold_if_due(prediction_id, 1)
        if isinstance(outcome, Failure):
            raise raised(outcome, assigned, prediction_id)
        return prediction_of(entry, assigned, prediction_id, outcome)

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

    def get(self, prediction_id: int) -> LoggedPrediction:
        """One row of the log."""
        with self._context.store.read() as tx:
            found = tx.predictions.find(prediction_id)
        if found is None:
            raise NotFound(f"there is no prediction {prediction_id}")
        return found

    def log(
        self,
        *,
        model: str | None = None,
        version: str | None = None,
        errors: bool = False,
        since: Moment | None = None,
        limit: int = 20,
        after: int | None = None,
    ) -> list[LoggedPrediction]:
        """The newest rows of the log, the oldest of them first.

        Args:
            model: Only rows of this model.
            version: Only rows of this version of it.
            errors: Only failures.
            since: An instant, how long ago (a timedelta), or microseconds since 1970; None: all.
            limit: How many rows at most.
            after: Only rows behind this id, the first `limit` of them: for following the log.
        """
        if limit < 1:
            raise InvalidInput(f"the number of rows must be at least 1, not {limit}")
        with self._context.store.read() as tx:
            row = tx.models.get(model) if model else None
            if version:
                found = tx.versions.select(row or self._context.model(tx, None), version)
            return tx.predictions.newest(
                limit=limit,
                model_key=row and row.key,
                version_key=found.key if version else None,
                errors=errors,
                since=None if since is None else moment(since, now=self._context.clock()),
                after=after,
            )

    frame = log_frame

    def last_id(self) -> int:
        """The id of the newest row; 0 if there is none."""
        with self._context.store.read() as tx:
            return tx.predictions.last_id()

    def signature(self, model: str | None = None, version: str | None = None) -> Signature:
        """What the version takes that would be asked; of the first arm, where there are several."""
        route, forced = self._route(model, version)
        return (forced or next(iter(route.served.values()))).loadable.signature

    def _start_chunk(
        self, batch: list[Request], model: str | None, version: str | None, *, is_text: bool
    ) -> _Chunk:
        """Route the inputs of a chunk, and hand them to the runner, one call for each version."""
        route, forced = self._route(model, version)
        ready: list[Assigned | str] = []
        for request in batch:
            try:
                checked = _checked(request)
                ready.append(self._assign(route, forced, checked, is_text=is_text, turn=None))
            except InvalidInput as error:
                ready.append(error.message)
        if route.table.strategy == "round-robin" and not forced:
            self._take_turns(route, ready, is_text=is_text)
        calls: dict[int, _Call] = {}
        for place, item in enumerate(ready):
            if isinstance(item, Assigned):
                calls.setdefault(item.arm.version.key, []).append((place, item))
        return _Chunk(
            ready, [(call, self._submit([a for _, a in call])) for call in calls.values()]
        )

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
        ids = self._log_entries([done[place][0] for place in sorted(done)])
        for place, item in enumerate(chunk.ready):
            if isinstance(item, str):
                yield unread(item)
            else:
                entry, assigned, outcome = done[place]
                yield prediction_of(entry, assigned, next(ids), outcome)

    def _log_entries(self, entries: list[Entry]) -> Iterator[int]:
        if not entries:
            return iter(())
        with self._context.store.write(durable=False) as tx:
            ids = tx.predictions.append_many(entries)
        self._fold_if_due(ids[-1], len(entries))
        return iter(ids)

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
        return Assigned(value, request, arm, route.revision, role, reason)

    def _take_turn(self, route: Route, assigned: Assigned, *, is_text: bool) -> Assigned:
        # Only now: an input that is refused must not use up a turn.
        with self._context.store.write(durable=False) as tx:
            turn = tx.models.take_turns(route.model.key, 1)
        return self._assign(route, None, assigned.request, is_text=is_text, turn=turn)

    def _take_turns(self, route: Route, ready: list[Assigned | str], *, is_text: bool) -> None:
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

    def _token(self, route: Route, request_id: str | None, value: Input) -> Token | None:
        if request_id is None:
            return None
        check_text(request_id, "request id", longest=_LONGEST_UNIT)
        text, salt = canonical(value), route.model.salt
        digest = self._privacy.request_digest(text, salt)
        fits = partial(self._privacy.is_same_input, text=text, salt=salt)
        return Token(route.model.key, request_id, digest, fits)

    def _find_answer(self, token: Token) -> Prediction | None:
        with self._context.store.read() as tx:
            return known_answer(tx, token)

    def _log_once(self, entry: Entry, token: Token) -> tuple[int, Prediction | None]:
        """The new row's id; or 0 and the answer that another process gave meanwhile."""
        with self._context.store.write(durable=False) as tx:
            known = known_answer(tx, token)
            if known:
                return 0, known
            prediction_id = tx.predictions.append(entry)
            tx.predictions.remember_request(
                token.model_key, token.request_id, prediction_id, token.digest
            )
            return prediction_id, None

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

    def _fold_if_due(self, last_id: int, count: int) -> None:
        """Fold the summaries whenever the log has crossed a multiple of `EVERY` rows."""
        if last_id // EVERY != (last_id - count) // EVERY:
            # The answer is logged and must go out; the next who folds makes up for this one.
            with suppress(StoreError), self._context.store.write(durable=False) as tx:
                tx.summaries.fold(limit=10 * EVERY)
                tx.experiments.folds.fold_backlogs(limit=100 * EVERY)


def _checked(request: Request) -> Request:
    if request.problem:
        raise InvalidInput(request.problem)
    if request.unit is not None:
        check_text(request.unit, "user", longest=_LONGEST_UNIT)
        if not request.unit:
            raise InvalidInput("the user must not be empty")
    for name, value in (request.segment or {}).items():
        check_key(name, "segment")
        check_text(value, f"segment {name}", longest=_LONGEST_UNIT)
    return request
