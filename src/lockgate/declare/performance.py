"""Gates on what a package takes, as a user declares them. What they decide is in `gates/performance.py`."""

from datetime import timedelta

from lockgate.declare.gates import GateWanted
from lockgate.declare.mistakes import declaration

__all__ = ["cold_start", "cpu", "latency", "memory", "no_slower_than_live", "package_size", "throughput"]

_MEGABYTE = 1_000_000


@declaration
def latency(*, p50: timedelta | None = None, p95: timedelta | None = None, p99: timedelta | None = None) -> GateWanted:
    """Bound how long a request of one row takes, from its bytes to the bytes of its answer.

    Test rows are put to the endpoint's own code, one after the other, in a process of its own on the machine that
    judges. There is no network in it.

    Args:
        p50: half of the requests take at most so long.
        p95: 95 of 100 do.
        p99: 99 of 100 do.
    """
    return GateWanted("latency", p50=_seconds(p50), p95=_seconds(p95), p99=_seconds(p99))


@declaration
def throughput(*, at_least: float) -> GateWanted:
    """Bound how many predictions a second one worker makes, of requests that come at once, up to 32.

    Args:
        at_least: predictions a second.
    """
    return GateWanted("throughput", at_least=at_least)


@declaration
def no_slower_than_live(
    *, p50: float | None = None, p95: float | None = None, p99: float | None = None, throughput: float | None = None
) -> GateWanted:
    """Compare with the live release: both answer the same requests, in turns, on the same machine; a first one passes.

    It passes where an interval shows that the loss is less than what is tolerated, fails where there is a loss and it
    may be as large, and is inconclusive where the machine was too noisy to tell. Of two packages that take the same,
    one in fifty is refused at most.

    Args:
        p50: how much longer the median request may take, as a share: 0.1 for 10 %.
        p95: likewise the 95th percentile.
        p99: likewise the 99th.
        throughput: how much longer a prediction may take where requests come at once, up to 32, as a share.
    """
    return GateWanted("no_slower_than_live", p50=p50, p95=p95, p99=p99, throughput=throughput)


@declaration
def cpu(*, at_most: timedelta | None = None, growth: float | None = None) -> GateWanted:
    """Bound the processor time that a prediction takes, all threads together.

    Args:
        at_most: the ceiling.
        growth: how much more than the live release, as a share, compared as in `lockgate.no_slower_than_live`.
    """
    return GateWanted("cpu", at_most=_seconds(at_most), growth=growth)


@declaration
def memory(*, at_most: float | None = None, growth: float | None = None) -> GateWanted:
    """Bound the most memory that a process takes which answers with this package alone.

    Args:
        at_most: the ceiling, in megabytes.
        growth: how much more than the live release, in megabytes; two starts of one package differ by up to 4.
    """
    return GateWanted("memory", at_most=_bytes(at_most), growth=_bytes(growth))


@declaration
def package_size(*, at_most: float | None = None, growth: float | None = None) -> GateWanted:
    """Bound the size of a package's files.

    Args:
        at_most: the ceiling, in megabytes.
        growth: how much more than the live release, in megabytes.
    """
    return GateWanted("package_size", at_most=_bytes(at_most), growth=_bytes(growth))


@declaration
def cold_start(*, at_most: timedelta | None = None, growth: float | None = None) -> GateWanted:
    """Bound the time from the start of a process to its first answer.

    Args:
        at_most: the ceiling.
        growth: how much longer than the live release, as a share; each is then started eight times more.
    """
    return GateWanted("cold_start", at_most=_seconds(at_most), growth=growth)


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


def _bytes(megabytes: float | None) -> float | None:
    return None if megabytes is None else megabytes * _MEGABYTE
