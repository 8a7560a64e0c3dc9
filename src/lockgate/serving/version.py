"""A release that is loaded and can answer: its package, what it looks up and the reader of its contract's rows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from lockgate.features.resolving import Resolver
from lockgate.features.series import series_of
from lockgate.features.store import Readable
from lockgate.kernel.canonical import Digest
from lockgate.kernel.names import nearest
from lockgate.packages.runtime import LoadedPackage
from lockgate.records.features import Field, FieldKind, InputKind, Unseen
from lockgate.records.prediction import Known
from lockgate.records.release import Release
from lockgate.serving.decode import BodyReader
from lockgate.serving.moments import micros
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
        store: where its series are; None where nothing is to be looked up in them.
        ready: the key that is there when they are whole.
    """

    def __init__(
        self,
        digest: Digest,
        release: Release,
        package: LoadedPackage,
        store: Readable | None = None,
        ready: bytes = b"",
    ) -> None:
        self.digest, self.release, self.package = digest, release, package
        self.contract = package.contract
        request, features = self.contract.request, self.contract.features
        self._store, self._ready = store, ready
        self.series = series_of(release.endpoint, features, self.contract.sources)
        self._resolver = Resolver(request, features, package.tables, self.series, store, ready)
        self._zone = ZoneInfo(features.timezone)
        names = [field.name for field in request.fields]
        self._key, self._asked = names.index(request.key), names.index(request.asked_at)
        self._times = [position for position, field in enumerate(request.fields) if field.kind is FieldKind.TIME]
        slots = [slot_of(field, key=field.name == request.key) for field in request.fields]
        self._reader = BodyReader("rows", Shape(f"the contract of {release.endpoint}", slots))
        self._refusals = dict(_refusals(self))
        self._rules = RowRules(self.contract.guards, request)

    def read(self, body: bytes, checks: Mapping[str, Check]) -> list[Question]:
        """Read the questions of a request; the checks are those of its times.

        Raises:
            Malformed, TooLarge, Invalid: as `BodyReader`; also what `RowRules` refuses.
        """
        questions = [self._question(row) for row in self._reader.read(body, {**self._refusals, **checks})]
        self._rules.refuse([question.row for question in questions])
        return questions

    def is_ready(self) -> bool:
        """Tell whether all that it looks up is in the store.

        Raises:
            Unavailable: the store can't be read.
        """
        return not self.series or (self._store is not None and self._store.get([self._ready]) != [None])

    def look(self, questions: Sequence[Question]) -> list[Seen]:
        """Look up what was known, all in one reading, and compute what the model sees.

        Raises:
            Unavailable: the store can't be read, or does not hold what is looked up.
            Invalid: one was asked before what is kept.
        """
        rows = [question.row for question in questions]
        resolved = self._resolver.resolve(rows, [question.asked_at for question in questions])
        return [
            Seen(known, *self.package.features(row, [one.values for one in known]))
            for row, known in zip(rows, resolved, strict=True)
        ]

    def _question(self, row: tuple[Any, ...]) -> Question:
        local, logged = list(row), list(row)
        for position in self._times:
            moment: datetime | None = row[position]
            if moment is not None:
                local[position] = moment.astimezone(self._zone)
                logged[position] = micros(moment)
        return Question(tuple(local), tuple(logged), row[self._key], logged[self._asked], self._rules.broken(local))


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
