"""A record comes back whole and as it was written, or not at all."""

import random
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.kernel.errors import Corrupt, Malformed, TooLarge
from lockgate.predictionlog.segments import (
    LONGEST,
    MAGIC,
    RECORDS,
    Header,
    Kind,
    frame,
    frames,
    opening,
    read_header,
    read_records,
    schema_of,
)
from lockgate.records.outcome import Event, Outcome
from lockgate.records.prediction import Known, Prediction
from tests.unit.predictionlog.making import event, log_predictions, prediction, predictions, segments_of, writer

HEADER = Header(
    format=1,
    kind=Kind.PREDICTION,
    endpoint="flight-delay",
    worker=0,
    opened_at=1,
    schema=schema_of(Kind.PREDICTION),
    lockgate="0.1.0",
)

INT = st.integers(-(2**63), 2**63 - 1)
NUMBER = st.floats(allow_nan=False)
KEY = st.text(max_size=20) | INT
VALUE = st.none() | st.booleans() | INT | NUMBER | st.text(max_size=20)


def several(values: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(values, max_size=6).map(tuple)


KNOWN = st.builds(Known, st.text(max_size=9), several(VALUE), st.none() | INT, st.none() | INT)
PREDICTION = st.builds(
    Prediction,
    id=st.uuids(version=4).map(str),
    release=st.binary(min_size=32, max_size=32),
    plan=INT,
    key=KEY,
    asked_at=INT,
    received_at=INT,
    row=several(VALUE),
    known=several(KNOWN),
    x=several(st.none() | NUMBER),
    score=NUMBER,
    value=st.booleans() | NUMBER,
    unseen=several(st.text(max_size=9)),
    by=st.text(max_size=9),
    retry_key=st.none() | st.text(max_size=9),
)
OUTCOME = st.builds(
    Outcome,
    prediction=st.none() | st.text(max_size=9),
    key=st.none() | KEY,
    asked_at=st.none() | INT,
    value=st.booleans() | NUMBER,
    observed_at=INT,
    revision=st.none() | INT,
    received_at=INT,
    by=st.text(max_size=9),
)
EVENT = st.builds(
    Event,
    source=st.text(max_size=9),
    key=KEY,
    event_time=INT,
    available_time=INT,
    values=st.dictionaries(st.text(max_size=9), VALUE, max_size=5),
    received_at=INT,
    by=st.text(max_size=9),
)


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    """A segment with four predictions."""
    log_predictions(tmp_path, predictions(4))
    return segments_of(tmp_path)[0]


def read(path: Path) -> list[Prediction]:
    return [record for _, record in read_records(path, Prediction)]


def starts(path: Path) -> list[int]:
    return [at for at, _ in read_records(path, Prediction)]


@settings(max_examples=60)
@given(st.lists(PREDICTION, max_size=8), st.lists(OUTCOME, max_size=8), st.lists(EVENT, max_size=8))
def test_every_record_comes_back_as_it_was_written(
    answered: list[Prediction], said: list[Outcome], posted: list[Event]
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        for kind, records in ((Kind.PREDICTION, answered), (Kind.OUTCOME, said), (Kind.EVENT, posted)):
            log = writer(folder, kind)
            log.append(records)
            log.close()
            found = [r for path in segments_of(folder, kind) for _, r in read_records(path, RECORDS[kind])]  # type: ignore[type-var]
            assert found == records
            assert [type(value) for record in found for value in msgspec.structs.astuple(record)] == [
                type(value) for record in records for value in msgspec.structs.astuple(record)
            ]


def test_the_header_says_who_wrote_what(segment: Path) -> None:
    header = read_header(segment)

    assert header is not None
    assert (header.format, header.kind, header.endpoint, header.worker) == (1, Kind.PREDICTION, "flight-delay", 0)
    assert (header.opened_at, header.schema) == (1_362_124_800_000_000, schema_of(Kind.PREDICTION))


def test_a_tail_torn_at_any_byte_loses_only_the_last_record(segment: Path) -> None:
    whole, records = segment.read_bytes(), read(segment)

    for length in range(starts(segment)[-1], len(whole)):
        segment.write_bytes(whole[:length])
        assert read(segment) == records[:3]


def test_a_file_torn_at_any_byte_gives_the_records_that_are_whole(segment: Path) -> None:
    whole, records = segment.read_bytes(), read(segment)
    ends = [*starts(segment)[1:], len(whole)]

    for length in range(len(whole)):
        segment.write_bytes(whole[:length])
        assert read(segment) == records[: sum(end <= length for end in ends)]


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_a_flipped_byte_gives_no_wrong_record_and_loses_none_but_the_last_in_silence(segment: Path, mask: int) -> None:
    whole, records, last = segment.read_bytes(), read(segment), starts(segment)[-1]

    for at in range(len(whole)):
        segment.write_bytes(whole[:at] + bytes([whole[at] ^ mask]) + whole[at + 1 :])
        if at >= last:
            assert read(segment) == records[:3]
        else:
            with pytest.raises(Corrupt, match="damaged at byte"):
                read(segment)


@settings(max_examples=200)
@given(st.data())
def test_any_smashed_stretch_gives_records_that_were_written_or_corrupt(data: st.DataObject) -> None:
    whole, records, last = SAMPLE
    at = data.draw(st.integers(0, len(whole) - 1))
    stretch = data.draw(st.binary(min_size=1, max_size=600))
    with TemporaryDirectory() as name:
        path = Path(name) / "x.seg"
        path.write_bytes((whole[:at] + stretch + whole[at + len(stretch) :])[: len(whole)])
        found: list[Prediction] = []
        try:
            found.extend(record for _, record in read_records(path, Prediction))
        except Corrupt:
            pass
        else:
            assert len(found) >= 3 or at + len(stretch) > last
        assert found == records[: len(found)]


def sample() -> tuple[bytes, list[Prediction], int]:
    with TemporaryDirectory() as name:
        log_predictions(Path(name), predictions(4))
        path = segments_of(Path(name))[0]
        return path.read_bytes(), read(path), starts(path)[-1]


SAMPLE = sample()


def test_a_zeroed_tail_as_a_loss_of_power_leaves_it_is_torn(segment: Path) -> None:
    records = read(segment)
    with segment.open("ab") as file:
        file.write(bytes(5000))

    assert read(segment) == records


def test_a_rest_that_no_frame_can_be_is_damage(segment: Path) -> None:
    with segment.open("ab") as file:
        file.write(bytes(LONGEST + 9))

    with pytest.raises(Corrupt, match="that are not one"):
        read(segment)


@pytest.mark.parametrize("cut", [8, LONGEST // 2, LONGEST])
def test_the_longest_frame_may_be_torn_anywhere(segment: Path, cut: int) -> None:
    records = read(segment)
    with segment.open("ab") as file:
        file.write(frame(random.Random(7).randbytes(LONGEST))[:cut])

    assert read(segment) == records


def test_records_longer_than_a_chunk_of_reading_come_back(tmp_path: Path) -> None:
    long = [prediction(str(n), row=("x" * (LONGEST - 500), n)) for n in range(5)]
    log_predictions(tmp_path, long)

    assert read(segments_of(tmp_path)[0]) == long


@pytest.mark.parametrize("short_of_a_chunk", range(11))
def test_the_longest_frame_is_read_wherever_chunks_of_reading_end(tmp_path: Path, short_of_a_chunk: int) -> None:
    payloads = [bytes([n]) * length for n, length in enumerate(((1 << 18) - 8 - short_of_a_chunk, LONGEST, 1))]
    path = tmp_path / "x.seg"
    path.write_bytes(opening(HEADER) + b"".join(frame(payload) for payload in payloads))

    assert [bytes(payload) for _, payload in frames(path, Kind.PREDICTION)] == payloads


def test_a_record_longer_than_a_frame_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    log = writer(tmp_path)

    with pytest.raises(TooLarge, match="at most 1,048,576 bytes"):
        log.append([prediction("a"), prediction("b", row=("x" * LONGEST,))])
    assert segments_of(tmp_path) == []


def test_reading_goes_on_from_the_end_of_a_frame(segment: Path) -> None:
    assert list(read_records(segment, Prediction, starts(segment)[2])) == list(read_records(segment, Prediction))[2:]


def documents() -> Iterator[tuple[str, bytes, type[Exception], str]]:
    yield "no segment", b"PAR1 and so on", Corrupt, "a segment, which begins with"
    yield "line ends converted", MAGIC.replace(b"\r\n", b"\n") + b"\0", Corrupt, "a segment, which begins with"
    yield "a header that is none", MAGIC + frame(msgspec.msgpack.encode({"format": 1})), Corrupt, "missing required"
    odd = msgspec.structs.replace(HEADER, format=2, lockgate="9.9")
    yield "a later format", opening(odd), Malformed, "Read it with Lockgate 9.9"
    odd = msgspec.structs.replace(HEADER, schema="sha256:0")
    yield "another layout", opening(odd), Malformed, "layout sha256:0"
    odd = msgspec.structs.replace(HEADER, kind=Kind.EVENT)
    yield "another kind", opening(odd), Malformed, "found format 1, event"
    yield "a frame that holds no prediction", opening(HEADER) + frame(b"\x90"), Corrupt, "a record of its kind"
    yield "a frame with an event", opening(HEADER) + frame(msgspec.msgpack.encode(event(1))), Corrupt, "of its kind"


@pytest.mark.parametrize(("data", "error", "says"), [pytest.param(*rest, id=name) for name, *rest in documents()])
def test_what_is_no_segment_of_the_kind_is_refused(
    tmp_path: Path, data: bytes, error: type[Exception], says: str
) -> None:
    path = tmp_path / "x.seg"
    path.write_bytes(data)

    with pytest.raises(error, match=says):
        read(path)


def test_an_unknown_entry_of_the_header_is_ignored(tmp_path: Path) -> None:
    header = {**msgspec.to_builtins(HEADER), "later": "entry"}
    path = tmp_path / "x.seg"
    path.write_bytes(MAGIC + frame(msgspec.msgpack.encode(header)) + frame(msgspec.msgpack.encode(prediction("a"))))

    assert read(path) == [prediction("a")]


def test_a_file_torn_in_its_header_has_none(segment: Path) -> None:
    whole = segment.read_bytes()

    for length in range(starts(segment)[0]):
        segment.write_bytes(whole[:length])
        assert read_header(segment) is None
