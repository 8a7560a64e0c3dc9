"""A waiver lets a walk past a gate until it expires; what was not signed here, or is about something else, does not."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from lockgate.engine.bringing.asked import ImportAsked
from lockgate.engine.delivery import current_plan
from lockgate.engine.installation import Installation, installation
from lockgate.engine.past import standing_at
from lockgate.engine.reconcile import advance, open_again, open_import, watch
from lockgate.engine.status import ReleaseSeen, endpoint_status
from lockgate.engine.waiving import WaiverSeen, expired_waivers, judgement_of, waive, waivers_of
from lockgate.kernel.canonical import canonical, digest_of, sha256
from lockgate.kernel.errors import NotFound, Refused
from lockgate.ledger.protocols import Entry
from lockgate.packages.signing import sign, signing_key
from lockgate.records.line import LineEnd
from lockgate.records.release import Release
from lockgate.records.waiver import Waiver
from lockgate.training.example import Roles
from tests.making.brought import SCRIPT, clicks

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SOON = timedelta(seconds=10)  # while the walk still holds its lease
GATE, OTHER = "metric roc_auc", "metric log_loss"


class Clock:
    """A control clock that stands still."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


class Stopped(NamedTuple):
    """An installation where a walk was stopped by two gates."""

    where: Installation
    clock: Clock
    walk: str

    def end(self, line_id: str) -> LineEnd:
        found = watch(self.where, line_id, 0).end
        assert found is not None
        return found

    def waive(self, gate: str = GATE, days: float = 7) -> WaiverSeen:
        return waive(self.where, self.walk, gate, "a pilot", self.clock.now + days * DAY, by="ada")

    def go_on(self, walk: str = "") -> LineEnd:
        line = open_again(self.where, walk or self.walk, rollout=True, attended=True, by="bob")
        assert advance(self.where, line)
        return self.end(line.id)

    def released(self) -> ReleaseSeen:
        """Waive both gates, go on, and give the release."""
        self.waive(GATE)
        self.waive(OTHER)
        assert self.go_on().result == "released"
        return self.newest()

    def newest(self) -> ReleaseSeen:
        return endpoint_status(self.where, "rules").releases[0]


def asked(folder: Path, name: str = "rules") -> ImportAsked:
    return ImportAsked(
        path=f"{folder}/script.py:score",
        example=str(folder / "rows.csv"),
        name=name,
        roles=Roles(key="visitor", asked_at="seen_at", outcome="clicked"),
        floors={"roc_auc": 0.999},
        ceilings={"log_loss": 0.001},
    )


@contextmanager
def opened(root: Path, clock: Clock) -> Iterator[Installation]:
    with installation(root / "state", clock) as where:
        yield where


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Give a folder with an installation where a walk was stopped, and the walk."""
    root, clock = tmp_path_factory.mktemp("stopped"), Clock()
    (root / "script.py").write_text(SCRIPT)
    clicks().write_csv(root / "rows.csv")
    with opened(root, clock) as where:
        line = open_import(where, asked(root), rollout=True, attended=True, by="bob")
        assert advance(where, line)
        end = watch(where, line.id, 0).end
    assert end is not None
    assert end.result == "stopped", end.reason
    return root, line.id


@pytest.fixture
def stopped(template: tuple[Path, str], tmp_path: Path) -> Iterator[Stopped]:
    shutil.copytree(template[0] / "state", tmp_path / "state")
    clock = Clock()
    with opened(tmp_path, clock) as where:
        yield Stopped(where, clock, template[1])


def test_a_stopped_walk_says_how_its_gates_can_be_waived(stopped: Stopped) -> None:
    reason = stopped.end(stopped.walk).reason

    assert "2 gates stay shut; nothing was released" in reason
    assert f"lockgate waive {stopped.walk} --gate '{GATE}' --reason WHY --until DATE" in reason


def test_a_waived_gate_lets_the_same_package_be_released_and_its_verdict_stays(stopped: Stopped) -> None:
    first = judgement_of(stopped.where, stopped.walk)
    release = stopped.released()
    verdicts = {one.gate: one for one in release.gates}

    assert (release.package, release.level) == (first.package, "live")
    assert stopped.where.shelf.get(Release, release.release).verdicts == first.verdicts
    for gate in (GATE, OTHER):
        said = verdicts.pop(gate)
        assert said.verdict == "fail"
        assert said.waiver is not None
        assert (said.waiver.by, said.waiver.reason, said.waiver.state) == ("ada", "a pilot", "in force")
    assert all(one.waiver is None for one in verdicts.values())


def test_one_of_two_shut_gates_waived_is_not_enough(stopped: Stopped) -> None:
    stopped.waive(GATE)
    end = stopped.go_on()

    assert end.result == "stopped"
    assert "1 gate stays shut" in end.reason
    assert f"{OTHER}: fail" in end.reason


def test_an_expired_waiver_closes_its_gate_at_its_very_end(stopped: Stopped) -> None:
    stopped.waive(OTHER)
    until = stopped.waive(GATE, days=1).until
    stopped.clock.now = until
    end = stopped.go_on()

    assert end.result == "stopped"
    assert f"{GATE}: fail" in end.reason
    assert "the waiver by ada expired on 2026-06-02 at 12:00 UTC" in end.reason
    stopped.clock.now = until - timedelta(microseconds=1)
    assert stopped.go_on().result == "released"


def test_a_live_release_whose_waiver_expired_is_shown_and_is_not_passed_again_until_waived_anew(
    stopped: Stopped,
) -> None:
    first = stopped.released()
    stopped.clock.now += 8 * DAY

    assert [one.state for one in expired_waivers(stopped.where, first.release)] == ["expired", "expired"]
    assert {one.waiver.state for one in stopped.newest().gates if one.waiver} == {"expired"}
    assert stopped.newest().level == "live"
    assert stopped.go_on().result == "stopped"
    second = stopped.released()
    assert (second.version, second.package) == ("v2", first.package)
    assert {one.waiver.state for one in second.gates if one.waiver} == {"in force"}


def test_what_was_live_is_told_with_its_waivers_as_they_stood_then(stopped: Stopped) -> None:
    stopped.released()
    live, stopped.clock.now = stopped.clock.now, stopped.clock.now + 8 * DAY

    def states(at: datetime) -> set[str]:
        gates = standing_at(stopped.where, "rules", at).releases[0].release.gates
        return {one.waiver.state for one in gates if one.waiver}

    assert states(live) == {"in force"}
    assert states(stopped.clock.now) == {"expired"}


def test_what_is_live_and_still_waived_is_not_released_again_but_what_was_waived_for_longer_is(
    stopped: Stopped,
) -> None:
    first = stopped.released()
    assert stopped.go_on().release == first.release
    stopped.waive(GATE, days=30)
    again = stopped.go_on()

    assert again.result == "released"
    assert again.release != first.release


def test_a_waiver_that_expires_before_the_release_goes_live_keeps_it_from_going_live(stopped: Stopped) -> None:
    stopped.waive(OTHER)
    stopped.waive(GATE, days=SOON / DAY)
    line = open_again(stopped.where, stopped.walk, rollout=True, attended=True, by="bob")
    keep = stopped.where.shelf.keep_release

    def keep_late(release: Release, **more: object) -> str:
        found = keep(release, **more)  # type: ignore[arg-type]
        stopped.clock.now += SOON
        return found

    stopped.where.shelf.keep_release = keep_late  # type: ignore[method-assign]
    assert advance(stopped.where, line)

    assert stopped.end(line.id).result == "stopped"
    assert "expired" in stopped.end(line.id).reason
    assert current_plan(stopped.where, "rules") is None
    assert stopped.newest().level == "released"


def kept(where: Installation, waiver: Waiver, key: Ed25519PrivateKey | None, name: str = "") -> None:
    """Put a waiver into the ledger past all that refuses it, signed by a key or by nobody."""
    digest = name or digest_of(waiver)
    bodies = {"waiver": canonical(waiver)} | ({"envelope": sign(waiver, key)} if key else {})
    for kind, body in bodies.items():
        entry = Entry(kind=kind, id=digest, subject=waiver.endpoint, body=body, by="mallory", at=START)
        where.shelf.ledger.records.append(entry)


FAULTS: dict[str, Callable[[Installation, Waiver, Ed25519PrivateKey], None]] = {
    "nobody signed it": lambda where, waiver, _: kept(where, waiver, None),
    "a stranger signed it": lambda where, waiver, _: kept(where, waiver, Ed25519PrivateKey.generate()),
    "it is about another gate": lambda where, waiver, key: kept(where, replace(waiver, gate=OTHER), key),
    "it is about another package": lambda where, waiver, key: kept(where, replace(waiver, package=sha256(b"")), key),
    "it is about another endpoint": lambda where, waiver, key: kept(where, replace(waiver, endpoint="ruled"), key),
    "it lies under another one's name": lambda where, waiver, key: kept(where, waiver, key, name=sha256(b"name")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_waiver_that_is_none_opens_nothing(stopped: Stopped, fault: str) -> None:
    judged = judgement_of(stopped.where, stopped.walk)
    stopped.waive(OTHER)
    genuine = Waiver(
        endpoint="rules",
        package=judged.package,
        gate=GATE,
        reason="because",
        until=START + DAY,
        by="mallory",
        at=START,
    )
    FAULTS[fault](stopped.where, genuine, signing_key(stopped.where.state.signing_key))

    assert stopped.go_on().result == "stopped"


def test_a_body_that_was_changed_beside_its_envelope_does_not_count(stopped: Stopped) -> None:
    """What was signed counts: here for a day, whatever the record beside it says."""
    judged = judgement_of(stopped.where, stopped.walk)
    signed = Waiver(
        endpoint="rules", package=judged.package, gate=GATE, reason="a day", until=START + DAY, by="ada", at=START
    )
    envelope = sign(signed, signing_key(stopped.where.state.signing_key))
    longer = replace(signed, until=START + 80 * DAY)
    for kind, body in {"waiver": canonical(longer), "envelope": envelope}.items():
        entry = Entry(kind=kind, id=digest_of(signed), subject="rules", body=body, by="mallory", at=START)
        stopped.where.shelf.ledger.records.append(entry)

    assert [one.until for one in waivers_of(stopped.where, "rules")] == [START + DAY]


def test_only_walks_that_came_to_their_gates_can_be_waived(stopped: Stopped, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    clicks().write_csv(tmp_path / "rows.csv")
    line = open_import(stopped.where, asked(tmp_path, "other"), rollout=True, attended=True, by="bob")

    with pytest.raises(Refused, match="did not come to its gates") as refused:
        waive(stopped.where, line.id, GATE, "a pilot", START + DAY, by="ada")
    assert "warn=True" in refused.value.way_out
    with pytest.raises(NotFound, match="There is no walk nowhere"):
        waive(stopped.where, "nowhere", GATE, "a pilot", START + DAY, by="ada")


def test_a_walk_is_not_gone_on_with_once_its_files_changed(stopped: Stopped, template: tuple[Path, str]) -> None:
    script = template[0] / "script.py"
    script.write_text(SCRIPT + "\n")
    try:
        with pytest.raises(Refused, match="was changed since walk"):
            stopped.go_on()
    finally:
        script.write_text(SCRIPT)
