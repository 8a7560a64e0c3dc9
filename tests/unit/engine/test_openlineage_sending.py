"""Events are sent from a thread of their own: whoever tells never waits, and what was not taken is counted and told."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lockgate.engine.openlineage.observer import Guarded, Silence
from lockgate.engine.openlineage.sending import Sending, open_sink
from lockgate.kernel.errors import Invalid


def failing(times: int, taken: list[dict[str, Any]]) -> Callable[[dict[str, Any]], None]:
    calls = iter(range(times))

    def take(event: dict[str, Any]) -> None:
        if next(calls, None) is not None:
            raise ConnectionError("nobody is there")
        taken.append(event)

    return take


def test_events_are_taken_in_order() -> None:
    taken: list[dict[str, Any]] = []
    sending = Sending(taken.append, "a list")
    for number in range(200):
        sending.send({"number": number})

    assert sending.close() == ""
    assert [event["number"] for event in taken] == list(range(200))


def test_an_event_is_tried_again_a_few_times() -> None:
    taken: list[dict[str, Any]] = []
    sending = Sending(failing(2, taken), "a list")
    sending.send({"number": 1})
    time.sleep(0.9)

    assert sending.close() == ""
    assert taken == [{"number": 1}]


def test_what_was_not_taken_is_counted_and_told() -> None:
    taken: list[dict[str, Any]] = []
    sending = Sending(failing(3, taken), "http://there")
    sending.send({"number": 1})
    sending.send({"number": 2})

    said = sending.close()
    assert said.startswith("1 of 2 lineage events were not taken by http://there: ConnectionError: nobody is there")
    assert taken == [{"number": 2}]


def test_nobody_waits_for_one_that_does_not_answer() -> None:
    answer = threading.Event()

    def take(_: dict[str, Any]) -> None:
        answer.wait(60)

    sending = Sending(take, "http://there")
    began = time.monotonic()
    for number in range(2_000):
        sending.send({"number": number})
    sent = time.monotonic() - began
    said = sending.close()
    whole = time.monotonic() - began
    answer.set()

    assert sent < 1
    assert whole < 4
    assert said.startswith("2000 of 2000")


def test_lines_of_a_file_are_whole_events(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "events.ndjson"
    sinks = [open_sink(f"file:{path}") for _ in range(4)]
    threads = [
        threading.Thread(target=lambda sink=sink: [sink({"long": "x" * 5_000}) for _ in range(50)]) for sink in sinks
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    lines = path.read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"long": "x" * 5_000}] * 200


@pytest.mark.parametrize("url", ["", "events.ndjson", "ftp://here/there", "http://", "file:"])
def test_a_place_that_takes_no_events_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        open_sink(url)


class Broken(Silence):
    """Raises at every word."""

    def began(self, label: str) -> None:
        raise KeyError(label)

    def finished(self, error: str) -> str:
        raise KeyError(error)


def test_what_goes_wrong_in_telling_never_reaches_the_walk_and_is_told_at_its_end() -> None:
    guarded = Guarded(Broken())
    guarded.began("snapshots orders")

    assert "lineage could not be told: KeyError" in guarded.finished("")
