"""A workshop with `lockgate up` running: real processes, real HTTP."""

import json
from typing import Any

import httpx

from tests.making.workshop import Workshop, wait_for

__all__ = ["Running", "parcel"]


class Running:
    """A workshop with everything running."""

    def __init__(self, workshop: Workshop, *options: str) -> None:
        self.workshop = workshop
        self.process = workshop.begin("up", "--port", "0", "--control-port", "0", "--tether", *options)
        self.up: dict[str, Any] = {}
        wait_for(self._answers)
        token = (workshop.state / "access" / "token").read_text()
        self.headers = {"Authorization": f"Bearer {token}"}

    def _answers(self) -> bool:
        path = self.workshop.state / "run" / "up.json"
        assert self.process.poll() is None, self.process.communicate()
        self.up = json.loads(path.read_text()) if path.exists() else {}
        return bool(self.up)

    def post(self, path: str, body: object, *, to: str = "control", **headers: str) -> httpx.Response:
        return httpx.post(f"{self.up[to]}{path}", json=body, headers={**self.headers, **headers}, timeout=60)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(f"{self.up['control']}{path}", headers={**self.headers, **headers}, timeout=60)

    def predict(self, *rows: dict[str, Any]) -> dict[str, Any]:
        answer = self.post("/v1/predict/parcels", {"rows": rows}, to="predict")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=20)


def parcel(number: int = 1, **fields: object) -> dict[str, Any]:
    row = {"parcel": f"q{number}", "sent_at": "2026-04-11T10:00:00Z", "depot": "ams", "service": "day", "weight": 12.5}
    return {**row, **fields}
