"""Replays flights against an endpoint over HTTP, in the order in which things happened and became known."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import polars as pl
import project
import tables

__all__ = ["Replay"]

_STEP = timedelta(minutes=15)
_AT_ONCE = 16
_TRIES = 30


class Replay:
    """Flights, departures, weather and landings of 2013, and an endpoint to tell them to.

    Args:
        url: where the endpoint answers.
        token: may predict, and post outcomes and events.
    """

    def __init__(self, url: str, token: str) -> None:
        """Read the year once."""
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self._schedule = tables.schedule().sort("scheduled_departure", "flight_id")
        self._departures = tables.departures().sort("reported", "flight_id")
        self._landings = tables.arrivals().sort("landed", "flight_id")
        observed = tables.weather().with_columns(known=pl.col("hour") + timedelta(minutes=50))
        self._weather = observed.sort("known", "origin")
        self._asked: dict[str, tuple[str, datetime]] = {}
        self.sent = 0
        self.answered = 0
        self.outcomes_posted = 0
        self.last_prediction = ""

    def run(self, begin: datetime, end: datetime, *, ask: bool = True) -> Iterator[float]:
        """Replay from `begin` to just before `end`, asking nothing new if `ask` is off; give how far it is, 0 to 1."""
        moment = begin
        with asyncio.Runner() as runner:
            client = httpx.AsyncClient(base_url=self._url, headers=self._headers, timeout=30.0)
            while moment < end:
                until = min(moment + 16 * _STEP, end)
                runner.run(self._some(client, moment, until, ask=ask))
                moment = until
                yield (moment - begin) / (end - begin)
            runner.run(client.aclose())

    async def _some(self, client: httpx.AsyncClient, begin: datetime, end: datetime, *, ask: bool) -> None:
        moment = begin
        while moment < end:
            until = min(moment + _STEP, end)
            # What becomes known in this quarter of an hour is told at its beginning, with its own time.
            await self._tell(client, "weather", _between(self._weather, "known", moment, until).drop("known"))
            await self._tell(client, "departures", _between(self._departures, "reported", moment, until))
            if ask:
                await self._ask(client, _between(self._schedule, "scheduled_departure", moment, until))
            await self._tell_landings(client, _between(self._landings, "landed", moment, until))
            moment = until

    async def _ask(self, client: httpx.AsyncClient, flights: pl.DataFrame) -> None:
        """Ask about each minute's flights in one request, a few requests at once."""
        minutes = [part.to_dicts() for part in flights.partition_by("scheduled_departure", maintain_order=True)]
        limit = asyncio.Semaphore(_AT_ONCE)

        async def one(rows: list[dict[str, Any]]) -> None:
            async with limit:
                self.sent += len(rows)
                found = await _post(client, "/v1/predict/flight-delay", {"rows": [_plain(row) for row in rows]})
            for row, answer in zip(rows, found["predictions"], strict=True):
                self._asked[row["flight_id"]] = (answer["id"], row["scheduled_departure"])
                self.last_prediction = answer["id"]
                self.answered += 1

        await asyncio.gather(*(one(rows) for rows in minutes))

    async def _tell_landings(self, client: httpx.AsyncClient, landings: pl.DataFrame) -> None:
        """Tell how late each flight landed that was asked about: by prediction id, every tenth by key and time."""
        outcomes = [
            self._outcome(number, row)
            for number, row in enumerate(landings.iter_rows(named=True))
            if row["flight_id"] in self._asked
        ]
        if outcomes:
            await _post(client, "/v1/outcomes", {"endpoint": "flight-delay", "outcomes": outcomes})
            self.outcomes_posted += len(outcomes)

    def _outcome(self, number: int, row: dict[str, Any]) -> dict[str, Any]:
        prediction, asked_at = self._asked[row["flight_id"]]
        told = {"value": project.late(row["arrival_delay"]), "observed_at": row["landed"].isoformat()}
        if number % 10:
            return {"prediction": prediction, **told}
        return {"key": row["flight_id"], "asked_at": asked_at.isoformat(), **told}

    async def _tell(self, client: httpx.AsyncClient, source: str, told: pl.DataFrame) -> None:
        """Post rows of a source in the order in which they became known; again, until answers are given with them."""
        rows = [_plain(row) for row in told.iter_rows(named=True)]
        for _ in range(_TRIES if rows else 0):
            found = await _post(client, f"/v1/events/{source}", {"endpoint": "flight-delay", "rows": rows})
            if found["applied"]:
                return
        if rows:
            msg = f"rows of {source} were taken {_TRIES} times, and never applied"
            raise RuntimeError(msg)


def _between(frame: pl.DataFrame, column: str, begin: datetime, end: datetime) -> pl.DataFrame:
    times = frame[column]
    first = times.search_sorted(begin.astimezone(UTC), "left")
    last = times.search_sorted(end.astimezone(UTC), "left")
    return frame[first:last]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}


async def _post(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    answer = await client.post(path, json=body)
    if not answer.is_success:
        msg = f"{path} answered {answer.status_code}: {answer.text[:2000]}"
        raise RuntimeError(msg)
    return answer.json()
