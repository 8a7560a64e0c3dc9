"""A prediction is found by its id while its log grows, turns over and is cleared away."""

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from lockgate.kernel.errors import Corrupt
from lockgate.kernel.ids import IdMaker
from lockgate.predictionlog.index import LogIndex
from lockgate.predictionlog.writer import Rotation
from lockgate.records.prediction import Prediction
from tests.unit.predictionlog.making import Hands, ids, prediction, segments_of, writer

WORKERS = (0, 1, 7, 16_383)


def milliseconds(clock: Hands) -> int:
    return int(clock().timestamp() * 1000)


def traffic(folder: Path, count: int) -> Iterator[Prediction]:
    """Predictions of several workers, logged in batches while the clock goes on."""
    clock, rng = Hands(), random.Random(7)
    makers = {worker: IdMaker(worker) for worker in WORKERS}
    rotation = Rotation(size=100_000, age=timedelta(seconds=20))
    logs = {worker: writer(folder, worker=worker, clock=clock, rotation=rotation) for worker in WORKERS}
    place = 0
    while place < count:
        worker = rng.choice(WORKERS)
        made = makers[worker].make(rng.randint(1, 40), milliseconds(clock))
        batch = [prediction(id_, key=place + n) for n, id_ in enumerate(made)]
        rng.shuffle(batch)
        clock.on(timedelta(milliseconds=rng.randint(0, 200)))
        logs[worker].append(batch)
        yield from batch
        place += len(batch)


def test_every_one_of_20000_ids_is_found_and_no_other(tmp_path: Path) -> None:
    logged = list(traffic(tmp_path, 20_000))
    index = LogIndex(tmp_path)

    assert len(segments_of(tmp_path)) > 20
    shuffled = random.Random(3).sample(logged, len(logged))
    wrong = [record.id for record in shuffled[:2_000] if index.find(record.id) != record]
    assert wrong == []
    assert all(index.has(record.id) for record in shuffled[2_000::5])
    absent = [f"{record.id[:-1]}{'1' if record.id[-1] == '0' else '0'}" for record in shuffled[:200]]
    assert [id_ for id_ in absent if index.has(id_)] == []


def test_the_index_follows_a_log_that_grows_and_turns_over(tmp_path: Path) -> None:
    index = LogIndex(tmp_path)
    for place, record in enumerate(traffic(tmp_path, 3_000)):
        if place % 10 == 0:
            assert index.find(record.id) == record

    assert len(segments_of(tmp_path)) > 4


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("x", id="no id"),
        pytest.param("00000000-0000-0000-0000-000000000000", id="an id of another version"),
        pytest.param("013D24F7-0000-7000-8003-0123456789AB", id="upper case"),
        pytest.param("013d24f7-0000-7000-8000-0123456789ab", id="nobody's"),
        pytest.param("013d24f7-0000-7000-8009-0123456789ab", id="of an unknown worker"),
        pytest.param("003d24f7-0000-7000-8000-0123456789ab", id="before the log"),
        pytest.param("fff324f7-0000-7000-8000-0123456789ab", id="after the log"),
    ],
)
def test_what_is_not_there_is_not_found(tmp_path: Path, text: str) -> None:
    writer(tmp_path).append([prediction(id_) for id_ in ids(3)])

    assert LogIndex(tmp_path).find(text) is None
    assert LogIndex(tmp_path / "nowhere").has(text) is False


def test_an_id_made_before_its_segment_was_opened_is_found(tmp_path: Path) -> None:
    clock = Hands()
    log, (early, late) = writer(tmp_path, clock=clock), ids(2)
    clock.on(timedelta(seconds=59))
    log.append([prediction(late)])
    log.rotate()
    log.append([prediction(early)])

    index = LogIndex(tmp_path)
    assert index.has(early)
    assert index.has(late)


def test_a_worker_replaced_while_it_drains_keeps_its_ids_findable(tmp_path: Path) -> None:
    made = ids(40)
    old, new = writer(tmp_path), writer(tmp_path)
    for place, id_ in enumerate(made):
        (old if place % 3 else new).append([prediction(id_)])

    index = LogIndex(tmp_path)
    assert [id_ for id_ in made if not index.has(id_)] == []


def test_a_batch_taken_back_is_forgotten_and_the_rest_still_found(tmp_path: Path) -> None:
    made = ids(600)
    log, index = writer(tmp_path), LogIndex(tmp_path)
    log.append([prediction(id_) for id_ in made[:300]])
    path = segments_of(tmp_path)[0]
    acknowledged = path.stat().st_size
    log.append([prediction(id_) for id_ in made[300:]])
    assert index.has(made[599])
    with path.open("r+b") as file:
        file.truncate(acknowledged)

    assert index.has(made[299])
    assert not index.has(made[300])
    assert index.newest(0) == made[299]


def test_a_segment_that_falls_to_retention_is_no_error(tmp_path: Path) -> None:
    log, made = writer(tmp_path), ids(3)
    for id_ in made:
        log.append([prediction(id_)])
        log.rotate()
    index = LogIndex(tmp_path)
    assert index.has(made[0])
    segments_of(tmp_path)[0].unlink()

    assert [index.has(id_) for id_ in made] == [False, True, True]


def test_damage_is_never_read_as_not_there(tmp_path: Path) -> None:
    made = ids(10)
    writer(tmp_path).append([prediction(id_) for id_ in made])
    path = segments_of(tmp_path)[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)

    with pytest.raises(Corrupt, match="damaged at byte"):
        LogIndex(tmp_path).has(made[-1])


def test_a_restarted_worker_learns_its_newest_id(tmp_path: Path) -> None:
    made = ids(20)
    log = writer(tmp_path)
    log.append([prediction(id_) for id_ in made[:10]])
    log.rotate()
    log.append([prediction(id_) for id_ in (*made[15:], *made[10:15])])

    index = LogIndex(tmp_path)
    assert index.newest(0) == made[-1]
    assert index.newest(1) is None
