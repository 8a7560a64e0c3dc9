"""A gate on what a package takes opens where it is shown to take no more; too little shown leaves it shut."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from lockgate.gates.judge import Case, judge
from lockgate.kernel.canonical import digest_of, sha256
from lockgate.kernel.verdicts import Verdict
from lockgate.records.package import Evidence
from lockgate.records.training import Machine
from lockgate.records.verdict import GateSpec

OURS, LIVE, TEST = sha256(b"ours"), sha256(b"live"), sha256(b"test")
NOW = datetime(2013, 3, 1, tzinfo=UTC)
MACHINE = Machine(processor="x", cores=1, memory=1, platform="x")
PASS, INCONCLUSIVE, FAIL = Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL
TURNS = ("p50", "p95", "p99", "throughput", "cpu")


def took(package: str, beside: str | None, *, factor: float = 1.0, noise: float = 0.01, **changes: Any) -> Evidence:  # noqa: ANN401 - any value of evidence
    """Give evidence of a package that takes `factor` as long as it should."""
    random = np.random.default_rng([1, package == OURS])
    turns = {name: (0.001 * factor * np.exp(random.normal(0, noise, 60))).tolist() for name in TURNS}
    turns["throughput"] = [1 / value for value in turns["throughput"]]
    values = {
        "beside": beside,
        "requests": 6_000,
        "p50": 0.001 * factor,
        "p95": 0.002 * factor,
        "p99": 0.003 * factor,
        "throughput": 1000 / factor,
        "cpu": 0.0005 * factor,
        "memory": 150_000_000,
        "package_size": 2_000_000,
        "cold_start": 1.5 * factor,
        "starts": [1.5 * factor] * 9,
        "turns": turns,
    }
    return Evidence(package=package, kind="performance", on=TEST, at=NOW, machine=MACHINE, values=values | changes)


def alone(**changes: Any) -> Case:  # noqa: ANN401 - any value of evidence
    return case(took(OURS, None, **changes), live=None)


def beside(*, noise: float = 0.01, factor: float = 1.0, **changes: Any) -> Case:  # noqa: ANN401 - any value of evidence
    ours = took(OURS, LIVE, factor=factor, noise=noise, **changes)
    return case(ours, took(LIVE, OURS, noise=noise), live=LIVE)


def case(*evidence: Evidence, live: str | None) -> Case:
    return Case(package=OURS, checks=(), evidence=evidence, live=live)


def gate(kind: str, **parameters: float) -> GateSpec:
    return GateSpec(kind=kind, parameters=parameters)


SLOWER = gate("no_slower_than_live", p95=0.1, throughput=0.1)

# gate, what there is to judge by, the verdict, and what must be said in `found` or `note`.
TABLE: dict[str, tuple[GateSpec, Case, Verdict, str]] = {
    "under a ceiling": (gate("latency", p99=0.005), alone(), PASS, "p99 3.000 ms"),
    "over one of two ceilings": (gate("latency", p50=0.005, p99=0.002), alone(), FAIL, "p99 3.000 ms"),
    "too few requests for a p99": (gate("latency", p99=0.005), alone(requests=1_999), INCONCLUSIVE, "needs 2,000"),
    "fast enough": (gate("throughput", at_least=900), alone(), PASS, "1,000 predictions/s"),
    "not fast enough": (gate("throughput", at_least=1_100), alone(), FAIL, "1,000 predictions/s"),
    "little processor time": (gate("cpu", at_most=0.001), alone(), PASS, "0.500 ms"),
    "too much memory": (gate("memory", at_most=149e6), alone(), FAIL, "150.0 MB"),
    "a small package": (gate("package_size", at_most=2e6), alone(), PASS, "2.0 MB"),
    "a slow start": (gate("cold_start", at_most=1.0), alone(), FAIL, "1.50 s"),
    "no evidence of a ceiling": (gate("latency", p99=1), case(live=None), INCONCLUSIVE, "no evidence"),
    "no evidence of a comparison": (SLOWER, case(live=LIVE), INCONCLUSIVE, "no evidence"),
    "it failed while it was sampled": (
        SLOWER,
        case(
            Evidence(package=OURS, kind="performance", on=TEST, at=NOW, machine=MACHINE, values={"failed": "it hung"}),
            live=LIVE,
        ),
        INCONCLUSIVE,
        "it hung",
    ),
    "no rival": (SLOWER, alone(), PASS, "The first release has no rival"),
    "a ceiling holds without a rival": (gate("memory", at_most=1e6, growth=1e7), alone(), FAIL, "no live release"),
    "the live package itself": (SLOWER, case(took(OURS, None), live=OURS), PASS, "it is the live package"),
    "the same": (SLOWER, beside(), PASS, "p95"),
    "faster": (SLOWER, beside(factor=0.5), PASS, "-50"),
    "slower by what is tolerated": (SLOWER, beside(factor=1.1), FAIL, "+10"),
    "much slower": (SLOWER, beside(factor=2), FAIL, "throughput"),
    "slower on a noisy machine": (SLOWER, beside(factor=1.02, noise=1.0), INCONCLUSIVE, "too noisy"),
    "the same on a noisy machine": (SLOWER, beside(noise=1.0), INCONCLUSIVE, "ship again"),
    "more processor time": (gate("cpu", growth=0.1), beside(factor=1.2), FAIL, "processor time"),
    "as much memory": (gate("memory", growth=1e7), beside(), PASS, "between two starts"),
    "50 MB more": (gate("memory", growth=5e7), beside(memory=200_000_000), FAIL, "200.0 MB against 150.0 MB"),
    "a larger package": (gate("package_size", growth=1e6), beside(package_size=3_000_001), FAIL, "3.0 MB"),
    "slower starts": (gate("cold_start", growth=0.2), beside(starts=[2.0] * 9), FAIL, "cold start"),
    "too few starts": (gate("cold_start", growth=0.2), beside(starts=[2.0] * 7), INCONCLUSIVE, "7 times"),
    "live was not sampled": (SLOWER, case(took(OURS, None), live=LIVE), INCONCLUSIVE, "could not be sampled"),
    "sampled beside another": (
        SLOWER,
        case(took(OURS, sha256(b"other")), took(LIVE, OURS), live=LIVE),
        INCONCLUSIVE,
        "no samples",
    ),
}


@pytest.mark.parametrize("what", TABLE)
def test_what_a_package_takes_is_judged_by_samples_of_it_and_of_the_live_one(what: str) -> None:
    spec, given, said, words = TABLE[what]
    found = judge(spec, given)

    assert found.verdict is said, found
    assert words in f"{found.found} {found.note}"
    assert found.expected
    assert found == judge(spec, given)
    assert set(found.evidence) <= {digest_of(one) for one in given.evidence}


def verdicts(factor: float, bias: float, seeds: Sequence[int]) -> list[Verdict]:
    """Judge samples with heavy tails, where each start of a process differs by a bias of its own."""
    found = []
    for seed in seeds:
        random = np.random.default_rng(seed)
        sides = []
        for package, other, times in ((OURS, LIVE, factor), (LIVE, OURS, 1.0)):
            start = math.exp(random.normal(0, bias))
            turns = {name: times * start * np.exp(0.03 * random.standard_t(2, 48)) for name in ("p95", "throughput")}
            turns["throughput"] = 1 / turns["throughput"]
            plain = {name: values.tolist() for name, values in turns.items()}
            sides.append(took(package, other, turns=plain))
        found.append(judge(SLOWER, case(*sides, live=LIVE)).verdict)
    return found


def test_of_two_that_take_the_same_hardly_one_is_refused() -> None:
    assert sum(not one.opens for one in verdicts(1.0, 0.005, range(300))) <= 15


def test_of_those_that_lose_what_is_tolerated_hardly_one_passes() -> None:
    assert sum(one.opens for one in verdicts(1.1, 0.005, range(300))) <= 15
