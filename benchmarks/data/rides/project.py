"""What will a ride cost?  Twenty row features, of the kinds that features are: for the benchmark of features."""

import math
from datetime import datetime, timedelta
from typing import Any

import lockgate as lg

project = lg.Project("rides", owner="benchmarks", timezone="America/New_York")


def rides() -> Any:  # noqa: ANN401 - never called: the benchmark makes its own rows
    """Give the rides."""
    raise NotImplementedError


history = project.source(rides, key="ride_id", event_time="asked", available_delay=timedelta(0))


@project.request(key="ride_id", asked_at="asked", history=history)
class Ride:
    """What is asked."""

    ride_id: int
    asked: datetime
    amount: float | None
    limit: float | None
    visits: int | None
    minutes: float
    from_latitude: float
    from_longitude: float
    to_latitude: float
    to_longitude: float
    kind: str | None
    email: str | None


@project.outcome(history, final_after=timedelta(hours=1))
def cost(amount: float) -> float:
    """Say what is foreseen."""
    return amount


@project.feature
def amount_ratio(amount: float, limit: float) -> float:
    """Ratio; null where there is no limit."""
    return amount / limit


@project.feature
def per_visit(amount: float, visits: int) -> float:
    """Ratio with a zero in it."""
    return amount / visits


@project.feature
def log_amount(amount: float) -> float:
    """Logarithm."""
    return math.log1p(amount)


@project.feature
def log_ratio(amount_ratio: float) -> float:
    """Logarithm of another feature."""
    return math.log(amount_ratio)


@project.feature
def clipped(amount: float) -> float:
    """Clip."""
    return min(max(amount, 0.0), 500.0)


@project.feature
def bucket(minutes: float) -> int:
    """Buckets."""
    if minutes < 5:
        return 0
    if minutes < 15:
        return 1
    return 2 if minutes < 60 else 3


@project.feature
def visits_or_none(visits: int | None) -> int:
    """Fill a null."""
    return 0 if visits is None else visits


@project.feature
def kind_rank(kind: str | None) -> int:
    """Map a category."""
    return {None: 0, "economy": 1, "comfort": 2, "van": 3, "lux": 4}.get(kind, 0)


@project.feature
def is_company(email: str | None) -> bool:
    """Text test."""
    return email is not None and not email.endswith(("gmail.com", "hotmail.com"))


@project.feature
def hour(asked: datetime) -> int:
    """Time part."""
    return asked.hour


@project.feature
def weekday(asked: datetime) -> int:
    """Time part."""
    return asked.weekday()


@project.feature
def is_night(hour: int) -> bool:
    """Part of a day."""
    return hour >= 22 or hour < 6


@project.feature
def distance(from_latitude: float, from_longitude: float, to_latitude: float, to_longitude: float) -> float:
    """Haversine."""
    one, other = math.radians(from_latitude), math.radians(to_latitude)
    across = math.radians(to_longitude - from_longitude) / 2
    inside = math.sin((other - one) / 2) ** 2 + math.cos(one) * math.cos(other) * math.sin(across) ** 2
    return 12742.0176 * math.asin(math.sqrt(inside))


@project.feature
def speed(distance: float, minutes: float) -> float:
    """Ratio of another feature."""
    return distance / (minutes / 60)


@project.feature
def amount_minutes(amount: float, minutes: float) -> float:
    """Product."""
    return amount * minutes


@project.feature
def over_limit(amount: float, limit: float) -> bool:
    """Comparison with nulls."""
    return amount > limit


@project.feature
def half_hour(asked: datetime) -> int:
    """Time part."""
    return asked.hour * 2 + asked.minute // 30


@project.feature
def log_minutes(minutes: float) -> float:
    """Logarithm."""
    return math.log(minutes)


@project.feature
def domain_length(email: str) -> int:
    """Text."""
    return len(email.rpartition("@")[2])


@project.feature
def share_of_day(half_hour: int) -> float:
    """Ratio of another feature."""
    return half_hour / 48


@project.model(
    cost,
    test=lg.last(timedelta(days=1)),
    features=[
        amount_ratio,
        per_visit,
        log_amount,
        log_ratio,
        clipped,
        bucket,
        visits_or_none,
        kind_rank,
        is_company,
        hour,
        weekday,
        is_night,
        distance,
        speed,
        amount_minutes,
        over_limit,
        half_hour,
        log_minutes,
        domain_length,
        share_of_day,
    ],
)
def fit(training: lg.TrainingSet, parameters: lg.Parameters) -> lg.Fitted:
    """Fit nothing: only the features are measured."""
    raise NotImplementedError
