"""Two packages beside each other: what differs in what is recorded, and in what they answer to the same rows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lockgate.engine.differing import Change, PackagesBeside, compare_packages
from lockgate.engine.installation import Installation
from lockgate.kernel.errors import NotFound
from tests.making.brought import SCRIPT, clicks
from tests.unit.engine.making import Clock, bring, opened, write_rules

BASES = (0.2, 0.45)
MORE = SCRIPT.replace("age: int,", "age: int, visits: int,").replace("0.2 +", "0.3 + 0 * visits +")


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Give an installation with two versions of `rules`, and an older endpoint that is asked one field more."""
    root = tmp_path_factory.mktemp("beside")
    with opened(root, clock := Clock()) as where:
        for name, script in (("more", MORE), *(("rules", SCRIPT.replace("0.2 +", f"{one} +")) for one in BASES)):
            clock.now = clock.now.replace(minute=clock.now.minute + 1)
            write_rules(root, script)
            bring(where, root, name=name)
        yield where


@pytest.fixture(scope="module")
def found(where: Installation, tmp_path_factory: pytest.TempPathFactory) -> PackagesBeside:
    return compare_packages(where, "rules@v1", "rules@v2", tmp_path_factory.mktemp("scratch"))


def scores(base: float) -> dict[str, float]:
    """Give what the function says of every row, by hand."""
    nights = {"nl": 22, "us": 23}
    return {
        row["visitor"]: min(
            1.0,
            base
            + (0.3 if row["age"] > 30 else 0.0)
            + row["spent"] / 1000
            + (0.1 if row["seen_at"].hour >= nights.get(row["country"], 24) else 0.0),
        )
        for row in clicks().iter_rows(named=True)
    }


def test_answers_are_held_against_each_other_on_the_test_rows_of_the_newer_one(found: PackagesBeside) -> None:
    one = found.behaviour
    assert one is not None, found.reason
    first, second = (scores(base) for base in BASES)
    apart = {key: abs(first[key] - second[key]) for key in first}

    assert found.asked == "rules v2"
    assert one.rows == len(apart)
    assert one.flipped == sum((first[key] >= 0.5) != (second[key] >= 0.5) for key in first) > 0
    assert one.mean_difference == pytest.approx(sum(apart.values()) / len(apart))
    assert one.largest_difference == pytest.approx(max(apart.values()))


def test_the_rows_most_different_come_with_both_scores_the_largest_difference_first(found: PackagesBeside) -> None:
    assert found.behaviour is not None
    rows = found.behaviour.most_different
    first, second = (scores(base) for base in BASES)

    assert len(rows) == 10
    for one in rows:
        assert one.first == pytest.approx(first[one.key])
        assert one.second == pytest.approx(second[one.key])
    apart = [abs(one.first - one.second) for one in rows]
    assert apart == sorted(apart, reverse=True)


def test_what_differs_is_named_and_what_is_the_same_is_left_out(found: PackagesBeside) -> None:
    assert [one.name for one in found.files] == ["model/script.py"]
    assert len(found.features) == 1
    assert found.features[0].name == "score"
    assert found.environment == []
    assert found.parameters == []
    assert not found.same


def test_metrics_stand_beside_each_other(found: PackagesBeside) -> None:
    log_loss = next(one for one in found.metrics.changes if one.name == "metrics.log_loss")

    assert log_loss.first != log_loss.second
    assert None not in (log_loss.first, log_loss.second)


def test_a_package_does_not_differ_from_itself(where: Installation, tmp_path: Path) -> None:
    same = compare_packages(where, "rules@v2", "rules", tmp_path)

    nothing: list[Change] = []
    assert same.same
    assert same.behaviour is not None
    assert (same.behaviour.flipped, same.behaviour.largest_difference, same.behaviour.most_different) == (0, 0.0, [])
    assert same.data == same.files == same.features == same.parameters == same.metrics.changes == nothing
    assert same.metrics.same_rows


def test_the_newer_one_gives_the_rows_whichever_is_named_first(
    where: Installation, found: PackagesBeside, tmp_path: Path
) -> None:
    turned = compare_packages(where, "rules@v2", "rules@v1", tmp_path)

    assert turned.asked == "rules v2"
    assert turned.behaviour is not None
    assert found.behaviour is not None
    assert turned.behaviour.flipped == found.behaviour.flipped
    assert [one.first for one in turned.behaviour.most_different] == [
        one.second for one in found.behaviour.most_different
    ]


def test_where_rows_can_not_be_put_to_one_the_reason_is_told_and_the_rest_stands(
    where: Installation, tmp_path: Path
) -> None:
    apart = compare_packages(where, "more", "rules@v1", tmp_path)

    assert apart.behaviour is None
    assert "visits" in apart.reason
    assert {"score"} <= {one.name for one in apart.features}
    assert apart.files


def test_a_version_that_there_is_not_is_told(where: Installation, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no release v9"):
        compare_packages(where, "rules@v9", "rules", tmp_path)
