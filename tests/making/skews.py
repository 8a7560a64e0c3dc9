"""Ten bugs that make what is served differ from what was trained on, planted where they happen in production.

Each is put into a copy of the serving path: round the decoded row, the look-ups, the encoder or the scorer of a version
that is loaded and about to answer. The log is then written by the endpoint's own code.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lockgate.features.online import Encoder
from lockgate.packages.formats.protocol import Scorer
from lockgate.records.monitoring import ParityCause, ParityClass
from lockgate.records.prediction import Known
from lockgate.serving.version import Question, Seen, Version

__all__ = ["SKEWS", "Skew"]

_HOUR = 3_600_000_000


class Skew(msgspec.Struct, frozen=True):
    """A bug, and how it must be found."""

    # Puts it into a version.
    plant: Callable[[Version], None]
    # The class and a column in which it must be found.
    part: ParityClass
    column: str
    # What it must be called.
    cause: ParityCause
    # Within how many requests.
    within: int


def _asked_otherwise(version: Version, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change the decoded row on its way to the features; the log keeps what was sent."""
    names = [field.name for field in version.contract.request.fields]
    look = version.look

    def changed(questions: Sequence[Question]) -> list[Seen]:
        rows = [change(dict(zip(names, question.row, strict=True))) for question in questions]
        return look(
            [
                msgspec.structs.replace(question, row=tuple(row[name] for name in names))
                for question, row in zip(questions, rows, strict=True)
            ]
        )

    version.look = changed  # type: ignore[method-assign]


def _found_otherwise(version: Version, source: str, change: Callable[[Known], Known]) -> None:
    """Change what a look-up gives."""
    _resolved_otherwise(
        version, lambda _, known, __: tuple(change(one) if one.source == source else one for one in known)
    )


def _resolved_otherwise(
    version: Version, change: Callable[[Sequence[Any], tuple[Known, ...], int], tuple[Known, ...]]
) -> None:
    """Change what is resolved for a row that was asked at a moment."""
    resolver: Any = version._resolver  # noqa: SLF001 - planted where it happens
    resolve = resolver.resolve

    def changed(rows: Sequence[Sequence[Any]], asked_at: Sequence[int]) -> list[tuple[Known, ...]]:
        found = resolve(rows, asked_at)
        return [change(row, known, moment) for row, known, moment in zip(rows, found, asked_at, strict=True)]

    resolver.resolve = changed


def _values(known: Known, change: Callable[[Any], Any]) -> Known:
    values = tuple(None if value is None else change(value) for value in known.values)
    return msgspec.structs.replace(known, values=values)


def time_zone(version: Version) -> None:
    """Hand times over as they were sent, in UTC."""
    _asked_otherwise(version, lambda row: row | {"scheduled_departure": row["scheduled_departure"].astimezone(UTC)})


def unit(version: Version) -> None:
    """Read miles as kilometres."""
    _asked_otherwise(version, lambda row: row | {"distance": row["distance"] * 1.609344})


class _Filling(Encoder):
    """An encoder that knows no missing value."""

    def encode(self, values: Sequence[Any]) -> tuple[list[float], tuple[str, ...]]:
        row, unseen = super().encode(values)
        return [0.0 if value != value else value for value in row], unseen  # noqa: PLR0124 - only NaN differs


def null_fill(version: Version) -> None:
    """Fill missing values with 0 before the model."""
    _encode_by(version, _Filling, version.contract.vocabulary)


def category_order(version: Version) -> None:
    """Give carriers their codes in another order."""
    vocabulary = version.contract.vocabulary
    _encode_by(version, Encoder, vocabulary | {"carrier": tuple(reversed(vocabulary["carrier"]))})


def _encode_by(version: Version, kind: type[Encoder], vocabulary: Mapping[str, Sequence[str]]) -> None:
    package: Any = version.package
    package._encoder = kind(version.contract.features, vocabulary)  # noqa: SLF001 - planted where it happens


def stale(version: Version) -> None:
    """Keep the weather of an airport for six hours in a cache."""
    cache: dict[str, tuple[int, Known]] = {}
    origin = [field.name for field in version.contract.request.fields].index("origin")

    def cached(row: Sequence[Any], known: tuple[Known, ...], asked_at: int) -> tuple[Known, ...]:
        found = list(known)
        place = next(place for place, one in enumerate(found) if one.source == "weather")
        since, _ = cache.get(row[origin], (-6 * _HOUR, found[place]))
        if asked_at - since >= 6 * _HOUR:
            cache[row[origin]] = (asked_at, found[place])
        found[place] = cache[row[origin]][1]
        return tuple(found)

    _resolved_otherwise(version, cached)


def float32(version: Version) -> None:
    """Keep looked-up numbers in 32 bits."""
    _found_otherwise(version, "weather", lambda known: _values(known, lambda value: float(np.float32(value))))


def truncation(version: Version) -> None:
    """Keep looked-up numbers as whole ones."""
    _found_otherwise(version, "weather", lambda known: _values(known, lambda value: float(int(value))))


def key_case(version: Version) -> None:
    """Look aircraft up in the register by their tail number in lower case."""
    resolver: Any = version._resolver  # noqa: SLF001 - planted where it happens
    table = next(part for part in resolver._plan if type(part).__name__ == "_Table")  # noqa: SLF001 - likewise
    known, tail = table.known, [field.name for field in version.contract.request.fields].index("tail_number")

    def lowered(row: Sequence[Any], *rest: Any) -> Known:  # noqa: ANN401 - handed on
        key = row[tail]
        found: Known = known([*row[:tail], None if key is None else key.lower(), *row[tail + 1 :]], *rest)
        return found

    table.known = lowered


def default(version: Version) -> None:
    """Take an aircraft that is not in the register for one of the year 2000."""
    built = next(one for one in version.contract.features.lookups if one.source == "planes").columns
    assert [one.name for one in built] == ["year_built"]
    table, tail = version.package.tables["planes"], [one.name for one in version.contract.request.fields]
    position = tail.index("tail_number")

    def filled(row: Sequence[Any], known: tuple[Known, ...], _: int) -> tuple[Known, ...]:
        missing = row[position] not in table
        return tuple(
            msgspec.structs.replace(one, values=(2000,)) if missing and one.source == "planes" else one for one in known
        )

    _resolved_otherwise(version, filled)


class _OtherLibrary:
    """The same trees in a library that turns sums into probabilities with 32 bits."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def score(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        score = self._scorer.score(x)
        raw = np.log(score / (1 - score)).astype(np.float32)
        return (np.float32(1) / (np.float32(1) + np.exp(-raw))).astype(np.float64)


def library_version(version: Version) -> None:
    """Score with another version of the model's library."""
    package: Any = version.package
    package._scorer = _OtherLibrary(package._scorer)  # noqa: SLF001 - planted where it happens


SKEWS: dict[str, Skew] = {
    "time zone": Skew(time_zone, ParityClass.TRANSFORM, "local_hour", ParityCause.TIME_ZONE, 5),
    "null fill": Skew(null_fill, ParityClass.TRANSFORM, "plane_age", ParityCause.NULL_FILL, 20),
    "unit": Skew(unit, ParityClass.TRANSFORM, "distance", ParityCause.UNIT, 5),
    "stale value": Skew(stale, ParityClass.DATA, "weather.wind_speed", ParityCause.STALE, 20),
    "category order": Skew(category_order, ParityClass.TRANSFORM, "carrier", ParityCause.CATEGORY_ORDER, 5),
    "float32": Skew(float32, ParityClass.DATA, "weather.wind_speed", ParityCause.FLOAT32, 5),
    "key case": Skew(key_case, ParityClass.DATA, "planes.year_built", ParityCause.KEY_CASE, 5),
    "truncation": Skew(truncation, ParityClass.DATA, "weather.wind_speed", ParityCause.TRUNCATION, 5),
    "default": Skew(default, ParityClass.DATA, "planes.year_built", ParityCause.DEFAULT, 50),
    "library version": Skew(library_version, ParityClass.MODEL, "score", ParityCause.LIBRARY, 10),
}
"""Every bug, by what people call it."""
