"""An exam is worth what it notices: each law is broken in turn, and the sentence about it no longer holds."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, cast

import msgspec
import pytest

from lockgate.ledger import rulings
from lockgate.ledger.protocols import Blobs, Move
from lockgate.ledger.rulings import Holding
from lockgate.testing import MemoryLedger, blob_exam, ledger_exam, memory_blobs

taken, next_move = rulings.taken, rulings.next_move


def forgets_tokens(there: Holding | None, name: str, *, owner: str, now: datetime, span: timedelta) -> Holding | None:
    return taken(there if there and there.owner else None, name, owner=owner, now=now, span=span)


def moves_from_anywhere(
    there: Move | None, name: str, *, expected: str | None, value: str, reason: str, by: str, at: datetime
) -> Move:
    del expected
    stands = there.value if there else None
    return next_move(there, name, expected=stands, value=value, reason=reason, by=by, at=at)


def keeps_the_zone(moment: datetime) -> datetime:
    return moment


BROKEN_LEDGERS: dict[str, tuple[str, Callable[..., Any]]] = {
    "another body under the same kind and id is refused, with both digests": (
        "refuse_other_body",
        lambda *_: None,
    ),
    "a holder who was replaced can't write, whatever time it believes it is": (
        "refuse_unless_held",
        lambda *_: None,
    ),
    "a lease that was given up is free at once, and its tokens go on counting": ("taken", forgets_tokens),
    "who lost a lease can't give up the next holder's": (
        "given_up",
        lambda there, _: msgspec.structs.replace(there, owner=None, expires_at=None),
    ),
    "a pointer that does not stand where its mover believes is left there, and both values are named": (
        "next_move",
        moves_from_anywhere,
    ),
    "a time comes back as the same moment in UTC, exact to the microsecond": ("utc", keeps_the_zone),
}


@pytest.mark.parametrize("sentence", BROKEN_LEDGERS)
def test_a_broken_ledger_fails_at(sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, broken = BROKEN_LEDGERS[sentence]
    monkeypatch.setattr(rulings, name, broken)

    with pytest.raises(AssertionError):
        dict(ledger_exam(MemoryLedger))[sentence]()


def test_blobs_that_are_not_verified_fail() -> None:
    class Careless:
        """Gives bytes under any name."""

        def __getattr__(self, name: str) -> Callable[..., bytes]:
            return lambda *_: b""

    exam = blob_exam(cast("Callable[[], Blobs]", Careless))
    assert [sentence for sentence, question in exam if holds(question)] == []


def test_every_sentence_is_asked_once() -> None:
    for exam in (ledger_exam(MemoryLedger), blob_exam(memory_blobs)):
        sentences = [sentence for sentence, _ in exam]
        assert len(sentences) == len(set(sentences))
        assert all(sentence[0].islower() and not sentence.endswith(".") for sentence in sentences)


def holds(question: Callable[[], None]) -> bool:
    try:
        question()
    except (AssertionError, OSError):
        return False
    return True
