"""Counts what is equal and what is not in one column of one version, and keeps some of what is not.

Every value that is covered is counted once: exact, within tolerance, or different. Of the different ones the first few
hundred are kept to find the cause by, and as many of the equal ones beside them; so memory does not grow with the log.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lockgate.records.features import FieldKind
from lockgate.records.monitoring import ParityClass, ParityExample, ParityLine, ParityReason
from lockgate.records.prediction import Prediction

__all__ = ["Compared", "Difference", "RowTimes", "Tally", "Target", "moment_of"]

KEPT = 400
"""How many different values of a column are kept, and how many equal ones."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Flags = NDArray[np.bool_]


class RowTimes(msgspec.Struct, frozen=True):
    """When a row that gave a value happened and could first be known, in microseconds; None for no row."""

    event: int | None = None
    available: int | None = None


class Difference(msgspec.Struct, frozen=True):
    """One value as it was served and as it was derived; they may be equal."""

    prediction: Prediction
    served: Any
    expected: Any
    served_row: RowTimes = RowTimes()
    expected_row: RowTimes = RowTimes()


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What is compared: one column of one version."""

    # The version.
    version: int
    # What is derived again.
    part: ParityClass
    # Its name in the report.
    column: str
    # Its type; None for a moment.
    kind: FieldKind | None
    # The largest difference that counts as within.
    tolerance: float = 0.0
    # The name of the matrix column, or of the source's column.
    name: str = ""
    # The source or window, for what is looked up.
    source: str = ""
    # The position of the request's field that it is looked up by.
    by: int = 0


class Compared(msgspec.Struct, frozen=True):
    """A column of a chunk, compared; arrays of one length."""

    # Where there is anything to compare with.
    covered: Flags
    # Where both are equal, bit for bit.
    exact: Flags
    # Where they are equal or within tolerance.
    within: Flags
    # How far they are apart; NaN where that is no number.
    gap: NDArray[np.float64]
    # Where the served value, and where the derived value is null.
    served_null: Flags
    expected_null: Flags


class Tally:
    """Counts one column.

    Args:
        target: which.
    """

    def __init__(self, target: Target) -> None:
        """Count nothing yet."""
        self.target = target
        self.different: list[Difference] = []
        self.equal: list[Difference] = []
        self._compared = self._exact = self._within = self._mismatched = 0
        self._served_null = self._expected_null = self._not_covered = 0
        self._first: int | None = None
        self._worst: tuple[float, Difference] | None = None

    @property
    def mismatched(self) -> int:
        """How many values differ."""
        return self._mismatched

    def add(self, asked: NDArray[np.int64], found: Compared, at: Callable[[int], Difference]) -> None:
        """Count a chunk.

        Args:
            asked: when each was asked, microseconds.
            found: the comparison.
            at: gives the value at a place of the chunk, served and derived.
        """
        self._not_covered += int((~found.covered).sum())
        self._compared += int(found.covered.sum())
        self._exact += int((found.covered & found.exact).sum())
        self._within += int((found.covered & found.within & ~found.exact).sum())
        self._keep(self.equal, found.covered & found.within & ~found.expected_null, at)
        wrong = found.covered & ~found.within
        if not wrong.any():
            return
        self._mismatched += int(wrong.sum())
        self._served_null += int((wrong & found.served_null & ~found.expected_null).sum())
        self._expected_null += int((wrong & found.expected_null & ~found.served_null).sum())
        first = int(asked[wrong].min())
        self._first = first if self._first is None else min(self._first, first)
        self._keep(self.different, wrong, at)
        self._weigh(found.gap, wrong, at)

    def _keep(self, kept: list[Difference], which: Flags, at: Callable[[int], Difference]) -> None:
        if len(kept) < KEPT:
            kept += [at(int(place)) for place in np.flatnonzero(which)[: KEPT - len(kept)]]

    def _weigh(self, gap: NDArray[np.float64], wrong: Flags, at: Callable[[int], Difference]) -> None:
        known = np.where(wrong & ~np.isnan(gap), gap, -1.0)
        place = int(known.argmax()) if known.max() >= 0 else int(wrong.argmax())
        weight = float(known[place])
        if self._worst is None or weight > self._worst[0]:
            self._worst = (weight, at(place))

    def line(self, reasons: tuple[ParityReason, ...]) -> ParityLine:
        """Give what was counted."""
        return ParityLine(
            version=self.target.version,
            part=self.target.part,
            column=self.target.column,
            compared=self._compared,
            exact=self._exact,
            within=self._within,
            mismatched=self._mismatched,
            served_null=self._served_null,
            expected_null=self._expected_null,
            not_covered=self._not_covered,
            tolerance=self.target.tolerance,
            first_seen=None if self._first is None else moment_of(self._first),
            worst=None if self._worst is None else _example(self._worst[1], self.target),
            reasons=reasons,
        )


def _example(one: Difference, target: Target) -> ParityExample:
    moments = target.kind is None
    return ParityExample(
        prediction=one.prediction.id,
        asked_at=moment_of(one.prediction.asked_at),
        served=_said(one.served, moments=moments),
        expected=_said(one.expected, moments=moments),
        served_event=_moment(one.served_row.event),
        served_available=_moment(one.served_row.available),
        expected_event=_moment(one.expected_row.event),
        expected_available=_moment(one.expected_row.available),
    )


def _said(value: Any, *, moments: bool) -> str | float | bool | None:  # noqa: ANN401 - a value of any column
    """Give a value as JSON can say it."""
    if value is None or isinstance(value, bool):
        return value
    if moments and isinstance(value, int):
        return moment_of(value).isoformat()
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else None if math.isnan(value) else str(value)
    return str(value)


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else moment_of(microseconds)


def moment_of(microseconds: int) -> datetime:
    """Give the moment, UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)
