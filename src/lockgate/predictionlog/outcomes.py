"""Which word on what happened counts.

- All words are kept; of those with one target the last counts.
- The last word is the one with the highest `revision`; a word with one beats those without.
- Among equals, the one received last counts; received in the same microsecond, the one that stands last in the log.
- A target is a prediction's id, or a key and the time asked. The keys 1 and "1" are two.

Whether a target exists is not asked here (`frames`).
"""

from collections.abc import Iterable

from lockgate.records.outcome import Outcome

__all__ = ["Target", "last_words", "rank", "target_of"]

Target = str | tuple[str | int | None, int | None]
"""A prediction's id, or a key and the time asked in microseconds."""


def target_of(outcome: Outcome) -> Target:
    """Give what an outcome is about; its id counts where both were sent."""
    return outcome.prediction if outcome.prediction is not None else (outcome.key, outcome.asked_at)


def rank(outcome: Outcome) -> tuple[bool, int, int]:
    """Give what words are compared by: the higher one counts, among equals the later one."""
    return outcome.revision is not None, outcome.revision or 0, outcome.received_at


def last_words(outcomes: Iterable[Outcome]) -> dict[Target, Outcome]:
    """Give the last word on each target, from words in the order of the log; they keep that order."""
    last: dict[Target, Outcome] = {}
    for outcome in outcomes:
        target = target_of(outcome)
        if target not in last or rank(last[target]) <= rank(outcome):
            last.pop(target, None)
            last[target] = outcome
    return last
