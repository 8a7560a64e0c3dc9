"""An import is a walk: of what was there when it was opened, and of nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lockgate.engine.bringing.asked import ImportAsked
from lockgate.engine.clock import now
from lockgate.engine.installation import Installation, installation
from lockgate.engine.reconcile import advance, open_import, watch
from lockgate.kernel.errors import Invalid
from lockgate.training.example import Roles
from tests.making.brought import SCRIPT, clicks


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Installation]:
    with installation(tmp_path / "state", now) as found:
        yield found


@pytest.fixture
def asked(tmp_path: Path) -> ImportAsked:
    (tmp_path / "script.py").write_text(SCRIPT)
    clicks().write_csv(tmp_path / "rows.csv")
    return ImportAsked(
        path=f"{tmp_path}/script.py:decide",
        example=str(tmp_path / "rows.csv"),
        name="rules",
        roles=Roles(key="visitor"),
    )


def test_the_same_import_is_one_walk_until_it_ends_and_another_question_is_another(
    where: Installation, asked: ImportAsked
) -> None:
    first, again = (open_import(where, asked, rollout=True, attended=True, by="ada") for _ in range(2))
    released = open_import(where, asked, rollout=False, attended=True, by="ada")

    assert first.id == again.id
    assert released.id != first.id
    assert (first.project, first.commit, first.code) == ("rules", "", released.code)


@pytest.mark.parametrize("name", ["script.py", "rows.csv"])
def test_what_changed_since_it_was_opened_is_not_used(
    where: Installation, asked: ImportAsked, tmp_path: Path, name: str
) -> None:
    line = open_import(where, asked, rollout=True, attended=True, by="ada")
    with (tmp_path / name).open("a") as file:
        file.write("\n")
    assert advance(where, line)
    end = watch(where, line.id, 0).end

    assert end is not None
    assert end.result == "stopped"
    assert "changed since this import began" in end.reason
    assert where.shelf.ledger.records.latest("release") == []


def test_nothing_is_opened_for_what_can_not_be_taken(where: Installation, asked: ImportAsked, tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"\x80\x05.")

    with pytest.raises(Invalid, match="is a pickle"):
        open_import(
            where,
            ImportAsked(path=str(tmp_path / "model.pkl"), example=asked.example, name="rules", roles=asked.roles),
            rollout=True,
            attended=True,
            by="ada",
        )
    assert where.shelf.ledger.records.latest("line") == []
