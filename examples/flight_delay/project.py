"""Will this flight land more than 15 minutes late?  Asked when it is due to leave the gate."""

from datetime import datetime
from datetime import timedelta as span

import tables  # plain functions that return frames

import lockgate as lg

project = lg.Project("flight-delay", owner="operations", timezone="America/New_York")

schedule = project.source(
    tables.schedule, key="flight_id", event_time="scheduled_departure", available_delay=span(0)
)  # planned long before; asked at departure
departures = project.source(
    tables.departures, key="flight_id", event_time="scheduled_departure", available_time="reported"
)
arrivals = project.source(tables.arrivals, key="flight_id", event_time="scheduled_departure", available_time="landed")
weather = project.source(
    tables.weather, key="origin", event_time="hour", available_delay=span(minutes=50), stale_after=span(hours=3)
)
planes = project.table(tables.planes, key="tail_number")  # no clock: as in the snapshot

schedule.expect(
    lg.unique("flight_id"),
    lg.missing("tail_number", at_most=0.02),
    lg.between("distance", 10, 6_000),
    lg.one_of("origin", "EWR", "JFK", "LGA"),
)
departures.expect(lg.unique("flight_id"), lg.between("departure_delay", -120, 2_000))
arrivals.expect(lg.missing("arrival_delay"), lg.between("arrival_delay", -120, 2_000))
weather.expect(lg.between("wind_speed", 0, 150, at_most=0.001), lg.missing("visibility", at_most=0.01))


@project.request(key="flight_id", asked_at="scheduled_departure", history=schedule)
class Flight:
    """The endpoint's contract."""

    flight_id: str
    scheduled_departure: datetime  # a zone is required on the wire
    origin: lg.Category = lg.field(unseen="refuse")
    destination: lg.Category = lg.field(unseen="other")  # counted, not refused
    carrier: lg.Category = lg.field(unseen="other")
    tail_number: str | None
    distance: float = lg.field(between=(10, 6_000))


@project.outcome(arrivals, final_after=span(hours=24), never="exclude")  # 2.8 % never land
def late(arrival_delay: float) -> bool:
    """Say what late means: once, for training and for outcomes alike."""
    return arrival_delay > 15


airport = project.window(
    "origin",
    departures,
    by="origin",
    value="departure_delay",
    over=[span(hours=3), span(days=1)],
    of=["count", "mean", "max"],
)  # gives origin_count_3h, origin_mean_3h, ... origin_max_1d
airline = project.window(
    "carrier", departures, by="carrier", value="departure_delay", over=[span(hours=3)], of=["count", "mean", "std"]
)
plane = project.window(
    "plane", departures, by="tail_number", value="departure_delay", over=[span(hours=12)], of=["count", "mean", "last"]
)


@project.feature
def local_hour(scheduled_departure: datetime) -> int:
    """Give the hour on the airport's clock."""
    return scheduled_departure.hour  # in the project's zone


@project.feature
def minute_of_day(scheduled_departure: datetime) -> int:
    """Give the time of day."""
    return scheduled_departure.hour * 60 + scheduled_departure.minute


@project.feature
def weekday(scheduled_departure: datetime) -> int:
    """Give the day of the week, Monday 0."""
    return scheduled_departure.weekday()


@project.feature(version=2)
def plane_age(scheduled_departure: datetime, built: int | None = planes["year_built"]) -> int | None:
    """Give the aircraft's age in years; null where the register does not know."""
    return None if built is None else scheduled_departure.year - built


@project.model(
    late,
    threshold=0.5,
    test=lg.last(span(days=14)),
    parameters={"trees": 100, "learning_rate": 0.08},
    features=[
        lg.fields("origin", "destination", "carrier", "distance"),
        local_hour,
        minute_of_day,
        weekday,
        plane_age,
        airport,
        airline,
        plane,
        weather["wind_speed", "visibility", "precipitation"],
    ],
)
def fit(training: lg.TrainingSet, parameters: lg.Parameters) -> lg.Fitted:
    """Fit gradient-boosted trees; float64, columns in the order of `features`."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import log_loss

    model = HistGradientBoostingClassifier(
        max_iter=parameters["trees"],
        learning_rate=parameters["learning_rate"],
        categorical_features=list(training.categorical),
        early_stopping=False,
        random_state=0,
    )
    model.fit(training.x, training.y)
    newest, happened = training.x[-2_000:], training.y[-2_000:]  # of the rows that it learnt from
    for step, scores in enumerate(model.staged_predict_proba(newest), start=1):
        training.run.log(step=step, loss=log_loss(happened, scores[:, 1], labels=[0, 1]))
    return lg.fitted(model, late_share=float(training.y.mean()))


project.gate(
    lg.metric("roc_auc", at_least=0.60),
    lg.metric("roc_auc", at_least=0.55, by="origin"),
    lg.no_worse_than_live("roc_auc", by=0.02),
)
