"""The data plane of one endpoint: bodies in, bodies out, no transport.

- Requests wait in a queue only until the loop comes round; then all that came meanwhile are answered as one matrix. No
  timer: an idle endpoint answers at once, a busy one in larger batches.
- The plan is read once for a batch; a new plan takes over between two batches.
- Predictions are logged in one write before any of them is answered; when they can't be, none is.
- Every request gets an answer: what fails is answered with the failure, and one bad request does not fail the others.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from lockgate.kernel.canonical import Digest
from lockgate.kernel.errors import Failed, LockgateError, Unavailable
from lockgate.kernel.ids import IdMaker
from lockgate.predictionlog.writer import SegmentWriter
from lockgate.records.prediction import Prediction
from lockgate.records.rollout import TrafficPlan
from lockgate.serving.eventclock import EventClock
from lockgate.serving.faults import ROWS
from lockgate.serving.moments import micros
from lockgate.serving.retries import Retries, Sink
from lockgate.serving.surroundings import Surroundings
from lockgate.serving.version import Question, Seen, Version

__all__ = ["Caller", "InForce", "Plane"]

_WAITING = 5 * ROWS
"""Rows that may wait; more are turned away at once instead of being answered too late."""


class InForce(msgspec.Struct, frozen=True):
    """A plan and the version that it makes answer."""

    plan: TrafficPlan
    version: Version


class Caller(msgspec.Struct, frozen=True):
    """Who asks."""

    # The name on the grant.
    name: str
    # The `Idempotency-Key`; None where none was sent.
    retry_key: str | None = None


class _Ask(msgspec.Struct, frozen=True):
    """A request in the queue."""

    questions: list[Question]
    caller: Caller
    received_at: int
    sink: Sink


class _Answer(msgspec.Struct, frozen=True):
    id: str
    value: bool | float
    score: float


class _Answers(msgspec.Struct, frozen=True):
    endpoint: str
    plan: int
    version: str
    release: Digest
    predictions: list[_Answer]


class Plane:
    """Answers the requests of an endpoint.

    Args:
        in_force: the plan and its version.
        around: what the worker gives.
        clock: the event clock.
        writer: of the predictions.
        first_id: the first millisecond that ids may carry: after those of earlier processes.
        soon: has a function called when the loop comes round.
    """

    def __init__(
        self,
        in_force: InForce,
        around: Surroundings,
        *,
        clock: EventClock,
        writer: SegmentWriter,
        first_id: int,
        soon: Callable[[Callable[[], None]], object],
    ) -> None:
        self._in_force, self._clock, self._writer = in_force, clock, writer
        self._ids, self._first_id = IdMaker(around.worker), first_id
        self._now, self._soon, self._tally = around.now, soon, around.tally
        self._retries = Retries(around.stopwatch)
        self._queue: deque[_Ask] = deque()
        self.waiting = 0
        self._encode = msgspec.json.Encoder().encode

    @property
    def in_force(self) -> InForce:
        """The plan that rules the next batch."""
        return self._in_force

    def obey(self, in_force: InForce) -> None:
        """Put a plan in force. What was read under the old one is answered under it, before this returns."""
        while self._queue:
            self._settle(self._take())
        self._in_force = in_force

    def submit(self, body: bytes, caller: Caller, sink: Sink) -> None:
        """Take a request; its answer goes to the sink.

        Raises:
            Malformed, TooLarge, Invalid: the body was refused; the sink is not used.
            Unavailable: too much is waiting already; the sink is not used.
        """
        key = caller.retry_key
        if key is not None and self._retries.repeats(caller.name, key, body, sink):
            return
        version = self._in_force.version
        request, now = version.contract.request, self._now()
        questions = version.read(body, self._clock.bounds(request.asked_at, now, request.lateness))
        if self.waiting + len(questions) > _WAITING:
            raise Unavailable("This endpoint has more to do than it can", found=f"{self.waiting:,} rows waiting")
        if key is not None:
            sink = self._retries.remember(caller.name, key, body, sink)
        if not self._queue:
            self._soon(self.flush)
        self._queue.append(_Ask(questions, caller, micros(now), sink))
        self.waiting += len(questions)

    def flush(self) -> None:
        """Answer what waits."""
        if self._queue:
            self._settle(self._take())
        if self._queue:
            self._soon(self.flush)

    def _take(self) -> list[_Ask]:
        """Take from the queue what makes a batch: all, up to the rows of the largest request."""
        batch = [self._queue.popleft()]
        rows = len(batch[0].questions)
        while self._queue and rows + len(self._queue[0].questions) <= ROWS:
            batch.append(self._queue.popleft())
            rows += len(batch[-1].questions)
        self.waiting -= rows
        return batch

    def _settle(self, batch: list[_Ask]) -> None:
        answers: Sequence[bytes | LockgateError]
        try:
            answers = self._answer(batch)
        except Exception as error:  # noqa: BLE001 - the user's features and model begin here; every request is answered
            if len(batch) > 1 and not isinstance(error, Unavailable):
                for ask in batch:
                    self._settle([ask])
                return
            answers = [_refusal(error)] * len(batch)
        for ask, answer in zip(batch, answers, strict=True):
            ask.sink(answer)

    def _answer(self, batch: list[_Ask]) -> list[bytes]:
        """Answer a batch, all or none. After the log has it nothing can fail."""
        in_force = self._in_force
        version = in_force.version
        seen = version.look([question for ask in batch for question in ask.questions])
        scores = version.package.score(np.array([one.x for one in seen], dtype=np.float64)).tolist()
        predictions = self._predictions(batch, in_force, seen, scores)
        bodies = self._bodies(batch, in_force, predictions)
        self._writer.append(predictions)
        self._clock.move(one.asked_at for one in predictions)
        self._count(version, predictions, batch)
        return bodies

    def _predictions(
        self, batch: list[_Ask], in_force: InForce, seen: list[Seen], scores: list[float]
    ) -> list[Prediction]:
        version, number = in_force.version, in_force.plan.number
        release = bytes.fromhex(version.digest.removeprefix("sha256:"))
        ids = self._ids.make(len(seen), max(batch[-1].received_at // 1000, self._first_id))
        asked = [(ask, question) for ask in batch for question in ask.questions]
        return [
            Prediction(
                id_,
                release,
                number,
                question.key,
                question.asked_at,
                ask.received_at,
                question.logged,
                one.known,
                tuple([None if value != value else value for value in one.x]),  # noqa: PLR0124 - only NaN differs
                score,
                version.package.answer(score),
                one.unseen,
                ask.caller.name,
                ask.caller.retry_key,
            )
            for id_, (ask, question), one, score in zip(ids, asked, seen, scores, strict=True)
        ]

    def _bodies(self, batch: list[_Ask], in_force: InForce, predictions: list[Prediction]) -> list[bytes]:
        version, bodies, start = in_force.version, [], 0
        for ask in batch:
            end = start + len(ask.questions)
            answers = [_Answer(one.id, one.value, one.score) for one in predictions[start:end]]
            bodies.append(
                self._encode(
                    _Answers(
                        version.release.endpoint, in_force.plan.number, version.release.name, version.digest, answers
                    )
                )
            )
            start = end
        return bodies

    def _count(self, version: Version, predictions: list[Prediction], batch: list[_Ask]) -> None:
        endpoint = version.release.endpoint
        self._tally.count(
            "lockgate_predictions_total", len(predictions), endpoint=endpoint, version=version.release.name
        )
        for field, count in Counter(name for one in predictions for name in one.unseen).items():
            self._tally.count("lockgate_unseen_total", count, endpoint=endpoint, field=field)
        for rule, count in Counter(name for ask in batch for one in ask.questions for name in one.broken).items():
            self._tally.count("lockgate_broken_rules_total", count, endpoint=endpoint, rule=rule)


def _refusal(error: Exception) -> LockgateError:
    if isinstance(error, LockgateError):
        return error
    return Failed("This endpoint failed on the request", found=f"{type(error).__name__}: {error}")
