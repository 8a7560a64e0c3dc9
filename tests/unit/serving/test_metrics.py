"""The counters, as Prometheus reads them."""

import re

from lockgate.serving.metrics import BUCKETS, Tally

COMMENT = re.compile(r"# (HELP [a-z_]+ \S.*|TYPE [a-z_]+ (counter|gauge|histogram))")
SAMPLE = re.compile(r'([a-z_]+)\{([a-z]+="([^"\\\n]|\\["\\n])*",?)+\} (\d+(\.\d+(e-?\d+)?)?)')


def some() -> str:
    tally = Tally()
    tally.count("lockgate_predictions_total", 3, endpoint="flights", version="v1")
    tally.count("lockgate_predictions_total", endpoint="flights", version="v1")
    tally.count("lockgate_refused_total", endpoint="", code="not-found")
    tally.count("lockgate_unseen_total", endpoint="flights", field='a "b"\\c\nd')
    for seconds in (0.00005, 0.003, 0.003, 100.0):
        tally.took("flights", seconds)
    return tally.text({"lockgate_plan_number": {"flights": 7}})


def test_every_line_is_what_prometheus_reads() -> None:
    lines = some().split("\n")
    assert lines.pop() == "", "the last line ends too"
    assert [line for line in lines if not COMMENT.fullmatch(line) and not SAMPLE.fullmatch(line)] == []


def test_every_sample_comes_after_the_type_of_its_family() -> None:
    family = ""
    for line in some().splitlines():
        if line.startswith("# TYPE "):
            family = line.split()[2]
        elif not line.startswith("#"):
            assert re.sub("_(bucket|sum|count)$", "", line.partition("{")[0]) == family


def test_counts_add_up() -> None:
    text = some()
    assert 'lockgate_predictions_total{endpoint="flights",version="v1"} 4' in text
    assert 'lockgate_plan_number{endpoint="flights"} 7' in text


def test_buckets_are_cumulative_and_end_with_all() -> None:
    counts = [int(count) for count in re.findall(r"_bucket\{.*\} (\d+)", some())]
    assert counts == sorted(counts)
    assert (len(counts), counts[0], counts[-2], counts[-1]) == (len(BUCKETS) + 1, 1, 3, 4)
    assert 'lockgate_request_seconds_count{endpoint="flights"} 4' in some()
