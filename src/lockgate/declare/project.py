"""The one object of a project file."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, TypeVar, overload

from lockgate.declare.expecting import Expecting
from lockgate.declare.features import FeatureWanted
from lockgate.declare.fitting import Fitted, LastSpan, ModelWanted, Parameters, TrainingSet
from lockgate.declare.gates import GateWanted
from lockgate.declare.mistakes import StandIn, declaration, note, where
from lockgate.declare.readers import ReaderWanted
from lockgate.declare.sources import Source
from lockgate.declare.windows import Window

__all__ = ["OutcomeWanted", "Project", "RequestWanted"]

C = TypeVar("C", bound=type)
F = TypeVar("F", bound=Callable[..., Any])
Fit = TypeVar("Fit", bound=Callable[[TrainingSet, Parameters], Fitted])


class RequestWanted:
    """A declared request."""

    def __init__(self, kind: type, *, key: str, asked_at: str, history: Source, lateness: timedelta) -> None:
        """Keep as declared."""
        self.kind = kind
        self.key = key
        self.asked_at = asked_at
        self.history = history
        self.lateness = lateness
        self.where = where()


class OutcomeWanted:
    """A declared outcome."""

    def __init__(self, function: Callable[..., Any], source: Source, final_after: timedelta, never: str) -> None:
        """Keep as declared."""
        self.function = function
        self.source = source
        self.final_after = final_after
        self.never = never
        self.where = where()


class Project:
    """A model project: sources, request, outcome, features, model and gates.

    Args:
        name: lower case, digits and hyphens; its endpoint's name, too.
        owner: who answers for it.
        timezone: the zone in which days are counted and features see times; an IANA name.
    """

    def __init__(self, name: str, *, owner: str = "", timezone: str = "UTC") -> None:
        """Start empty."""
        self.name = name
        self.owner = owner
        self.timezone = timezone
        self.where = where()
        self.sources: list[Source] = []
        self.windows: list[Window] = []
        self.requests: list[RequestWanted] = []
        self.outcomes: list[OutcomeWanted] = []
        self.features: list[FeatureWanted] = []
        self.models: list[ModelWanted] = []
        self.gates: list[GateWanted] = []
        # Rows of later stages, so that rules can be declared about them: requests with their outcome; those with what
        # was looked up (`weather.wind_speed`); the rows of training and test; the columns that the model sees.
        self.labelled = Expecting()
        self.joined = Expecting()
        self.training_set = Expecting()
        self.matrix = Expecting()
        # Kinds of declarations that were tried, and could not be taken.
        self.excused: set[str] = set()

    @declaration
    def source(  # noqa: PLR0913 - a clock is made of these
        self,
        rows: Callable[[], Any] | ReaderWanted,
        *,
        key: str,
        event_time: str,
        name: str | None = None,
        available_time: str | None = None,
        available_delay: timedelta | None = None,
        stale_after: timedelta | None = None,
        ingest_lag: timedelta | None = None,
        event_id: str | None = None,
    ) -> Source:
        """Declare a source whose rows have a time.

        Args:
            rows: a function that gives a Polars frame (or anything that Polars can make one from), called when a
                snapshot is taken; or a reader: `lockgate.csv`, `parquet`, `sql` or `delta`.
            key: the column that identifies an entity.
            name: its name; a function's is taken if left out.
            event_time: the column that says when a row happened.
            available_time: the column that says when a row could first be known; null there means not yet.
            available_delay: or how long after its event time a row is known. One of the two is required: a delay of
                zero is something to say, not to assume.
            stale_after: how old a row may be when it is used; any age if left out.
            ingest_lag: how long after it is available a row may first show up here. With it, a row that a later
                snapshot meets for the first time counts as available that long before the snapshot, not earlier;
                without it, from that snapshot on, unless it says to be younger than the snapshot before.
            event_id: the column that tells rows apart, if key and event time do not: a later row of the same one
                corrects it.
        """
        return self._add(
            Source(
                rows,
                key=key,
                name=name,
                event_time=event_time,
                available_time=available_time,
                available_delay=available_delay,
                stale_after=stale_after,
                ingest_lag=ingest_lag,
                event_id=event_id,
            )
        )

    @declaration
    def table(self, rows: Callable[[], Any] | ReaderWanted, *, key: str, name: str | None = None) -> Source:
        """Declare a source without a clock: it means "as in the snapshot", and a copy travels with the package."""
        return self._add(Source(rows, key=key, name=name))

    @declaration
    def window(
        self,
        name: str,
        source: Source,
        *,
        by: str,
        over: Sequence[timedelta],
        of: Sequence[str],
        value: str | None = None,
        scale: int | None = None,
    ) -> Window:
        """Declare aggregates over the rows of a source that are known when a question is asked.

        Its columns are named `{name}_{aggregate}_{span}`, such as `origin_mean_3h`.

        Args:
            name: begins the names of its columns.
            source: a source with a clock.
            by: a column of the source and the request field of the same name: rows count that have the request's value.
            over: how far back from the question, by the rows' event time; the beginning is not part of it, the end is.
            of: any of `count`, `sum`, `mean`, `min`, `max`, `std` and `last`.
            value: the column that is aggregated, a number; left out, rows can be counted.
            scale: decimal places to which a float is rounded before it is summed; sums are exact then.
        """
        declared = Window(name, source, by=by, over=over, of=of, value=value, scale=scale)
        self.windows.append(declared)
        return declared

    def _add(self, source: Source) -> Source:
        self.sources.append(source)
        return source

    @declaration
    def request(
        self, *, key: str, asked_at: str, history: Source, lateness: timedelta = timedelta(days=7)
    ) -> Callable[[C], C]:
        """Declare what the endpoint is asked: a class whose annotations are the fields.

        Args:
            key: the field that identifies what is asked about.
            asked_at: the field that says when it is asked.
            history: the source that holds past requests.
            lateness: how far before the latest one a request's time may lie.
        """

        def decorate(kind: C) -> C:
            self.requests.append(RequestWanted(kind, key=key, asked_at=asked_at, history=history, lateness=lateness))
            return kind

        return decorate

    @declaration
    def outcome(
        self, source: Source, *, final_after: timedelta, never: Literal["exclude"] = "exclude"
    ) -> Callable[[F], F]:
        """Declare what is to be foreseen: a function of columns of a source that is keyed like the request.

        Args:
            source: where it is told.
            final_after: how long after being asked it is taken as final; younger requests are not learnt from.
            never: what becomes of requests that get none: they are left out, and counted.
        """

        def decorate(function: F) -> F:
            self.outcomes.append(OutcomeWanted(function, source, final_after, never))
            return function

        return decorate

    @overload
    def feature(self, function: F, /) -> F: ...
    @overload
    def feature(self, /, *, version: int = 1) -> Callable[[F], F]: ...
    @declaration
    def feature(self, function: F | None = None, /, *, version: int = 1) -> F | Callable[[F], F]:
        """Declare a row feature: a typed function of request fields, features, and columns of sources and windows.

        Its meaning is what CPython does; an error in it means null. It reads its parameters, literals and `math` only.

        Args:
            function: the feature, where nothing else is to be said.
            version: raised whenever its meaning changes; shipping another meaning under a version that was released is
                refused.
        """

        def decorate(function: F) -> F:
            self.features.append(FeatureWanted(function, version))
            return function

        return decorate if function is None else decorate(function)

    @declaration
    def model(
        self,
        outcome: Callable[..., Any],
        *,
        features: Sequence[Any],
        test: LastSpan,
        threshold: float = 0.5,
        parameters: Mapping[str, Any] | None = None,
        runtime: Literal["auto", "library", "gtil"] = "auto",
    ) -> Callable[[Fit], Fit]:
        """Declare the model: a function of (training set, parameters) that gives `lockgate.fitted(...)`.

        Args:
            outcome: the declared outcome.
            features: `lockgate.fields(...)`, declared features, source columns, windows and columns of windows, in the
                order of the matrix.
            test: which part of the data is kept back for the test, such as `lockgate.last(timedelta(days=14))`.
            threshold: from this score on the answer is true.
            parameters: JSON values, handed to the function.
            runtime: who answers: the model's own `library`, or for trees `gtil`, which is faster. Left out, the faster
                one is taken where it is found to answer the same.
        """
        place = where()

        def decorate(function: Fit) -> Fit:
            self.models.append(
                ModelWanted(
                    outcome=outcome,
                    threshold=threshold,
                    test=test,
                    parameters=dict(parameters or {}),
                    runtime=runtime,
                    features=list(features),
                    function=function,
                    where=place,
                )
            )
            return function

        return decorate

    @declaration
    def gate(self, *gates: GateWanted) -> None:
        """Declare gates: each must pass before a release."""
        for gate in gates:
            if isinstance(gate, GateWanted):
                self.gates.append(gate)
            elif not isinstance(gate, StandIn):
                note(where(), expected="gates, such as lockgate.metric('roc_auc', at_least=0.7)", found=repr(gate))
