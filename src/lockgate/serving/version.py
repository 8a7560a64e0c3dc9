"""A release that is loaded and can answer: its package, its look-ups and the reader of its contract's rows.

Each version has its own online store: two versions may look up different columns of one source.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from lockgate.features.online import Resolver
from lockgate.features.store import MemoryStore, StoredRow
from lockgate.kernel.canonical import Digest
from lockgate.kernel.names import nearest
from lockgate.packages.runtime import LoadedPackage
from lockgate.records.features import Field, FieldKind, InputKind, Unseen
from lockgate.records.outcome import Event
from lockgate.records.prediction import Known
from lockgate.records.release import Release
from lockgate.serving.decode import BodyReader
from lockgate.serving.moments import from_micros, micros
from lockgate.serving.rowrules import RowRules
from lockgate.serving.shape import Check, Shape, Trouble, slot_of

__all__ = ["Question", "Seen", "Version"]


class Question(msgspec.Struct, frozen=True, gc=False):
    """One row of a request."""

    # The fields in contract order, times in the project's zone: what features are given.
    row: tuple[Any, ...]
    # The same with times in microseconds: what the log keeps.
    logged: tuple[Any, ...]
    # What is asked about.
    key: str | int
    # When, in microseconds.
    asked_at: int
    # The rules with a tolerance that it breaks.
    broken: tuple[str, ...] = ()


class Seen(msgspec.Struct, frozen=True, gc=False):
    """What the model sees of a question, and where it came from."""

    known: tuple[Known, ...]
    x: list[float]
    # Columns whose category is not in the vocabulary.
    unseen: tuple[str, ...]


class Version:
    """Answers questions.

    Args:
        digest: the release's.
        release: what was signed.
        package: loaded, with its reference answers given.
    """

    def __init__(self, digest: Digest, release: Release, package: LoadedPackage) -> None:
        self.digest, self.release, self.package = digest, release, package
        self.contract = package.contract
        request, features = self.contract.request, self.contract.features
        self._store = MemoryStore()
        for source, key, row in package.seed():
            self._store.write(source, key, row)
        self._resolver = Resolver(request, features, package.tables, self._store)
        self._zone = ZoneInfo(features.timezone)
        names = [field.name for field in request.fields]
        self._key, self._asked = names.index(request.key), names.index(request.asked_at)
        self._times = [position for position, field in enumerate(request.fields) if field.kind is FieldKind.TIME]
        slots = [slot_of(field, key=field.name == request.key) for field in request.fields]
        self._reader = BodyReader("rows", Shape(f"the contract of {release.endpoint}", slots))
        self._refusals = dict(_refusals(self))
        self._rules = RowRules(self.contract.guards, request)
        self._moments = {
            (lookup.source, column.name)
            for lookup in features.lookups
            for column in lookup.columns
            if column.type is FieldKind.TIME
        }

    def read(self, body: bytes, checks: Mapping[str, Check]) -> list[Question]:
        """Read the questions of a request; the checks are those of its times.

        Raises:
            Malformed, TooLarge, Invalid: as `BodyReader`; also what `RowRules` refuses.
        """
        questions = [self._question(row) for row in self._reader.read(body, {**self._refusals, **checks})]
        self._rules.refuse([question.row for question in questions])
        return questions

    def look(self, question: Question) -> Seen:
        """Look up what was known, and compute what the model sees."""
        known = self._resolver.resolve(question.row, question.asked_at)
        x, unseen = self.package.features(question.row, [one.values for one in known])
        return Seen(known, x, unseen)

    def tell(self, event: Event) -> None:
        """Put a row that was posted into the online store."""
        values = {name: self._value(event.source, name, value) for name, value in event.values.items()}
        self._store.write(event.source, event.key, StoredRow(event.event_time, event.available_time, values))

    def _question(self, row: tuple[Any, ...]) -> Question:
        local, logged = list(row), list(row)
        for position in self._times:
            moment: datetime | None = row[position]
            if moment is not None:
                local[position] = moment.astimezone(self._zone)
                logged[position] = micros(moment)
        return Question(tuple(local), tuple(logged), row[self._key], logged[self._asked], self._rules.broken(local))

    def _value(self, source: str, name: str, value: Any) -> Any:  # noqa: ANN401 - a value of any column
        if value is not None and (source, name) in self._moments:
            return from_micros(value)
        return value


def _refusals(version: Version) -> list[tuple[str, Check]]:
    """Give the checks of category fields that take only what the training rows had."""
    vocabulary = version.contract.vocabulary
    columns = {
        column.origin: vocabulary[column.name]
        for column in version.contract.features.columns
        if column.kind is InputKind.FIELD and column.type is FieldKind.CATEGORY
    }
    wanted = [field for field in version.contract.request.fields if field.unseen is Unseen.REFUSE]
    return [(field.name, _among(field, columns[field.name])) for field in wanted if field.name in columns]


def _among(field: Field, values: Sequence[str]) -> Check:
    known = frozenset(values)

    def check(value: str) -> Trouble | None:
        if value in known:
            return None
        expected = f"a value of {field.name} that the model was trained with"
        return Trouble(expected, msgspec.json.encode(value).decode(), nearest(value, known))

    return check
