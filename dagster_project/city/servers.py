"""Two systems of the city that deliver no files: the dispatch orders in a PostgreSQL database, the feedback forms behind an HTTP API.

Both hold what they would hold at a moment of the world. The API speaks in pages and is as unreliable as declared: some requests are
answered with 429, some with 503, some break off in the middle. It listens on 127.0.0.1.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pyarrow as pa

from dagster_project.city import people
from dagster_project.city.clock import NEVER, Seconds, spelled
from dagster_project.city.world import World, generator

ORDERS = "dispatch_order"
ORDER_TABLE = f"""
    create table {ORDERS} (
        "PJDBH" text not null, "JJDBH" text not null, "CJDWDM" text not null, "PJSJ" timestamp not null, "CJRXM" text, "LXDH" text,
        "GXSJ" timestamp not null
    ) partition by range ("PJSJ")
"""
Record = dict[str, Any]


def _known(times: Seconds, until: int) -> Seconds:
    return np.where(times < until, times, NEVER)


def dispatch_orders(world: World, until: int) -> list[Record]:
    """派警单: one order per call that was dispatched by a moment; it changes when the patrol arrives. The officer is named."""
    calls = world.calls
    chosen = np.nonzero(calls.dispatched < until)[0]
    arrived = _known(calls.arrived, until)[chosen]
    changed = np.where(arrived < NEVER, np.maximum(arrived, calls.dispatched[chosen]), calls.dispatched[chosen])
    names, phones = people.names(world.seed, "officers", len(calls.number)), people.phones(world.seed, "officers", len(calls.number))
    sent, moved = spelled(calls.dispatched[chosen]), spelled(changed)
    return [
        {"PJDBH": f"P{calls.number[i][1:]}", "JJDBH": calls.number[i], "CJDWDM": str(calls.responder[i]), "PJSJ": sent[n], "CJRXM": names[i],
         "LXDH": phones[i], "GXSJ": moved[n]}
        for n, i in enumerate(chosen.tolist())
    ]  # fmt: skip


def feedback_forms(world: World, until: int) -> list[Record]:
    """反馈单: one form per call that a patrol reached by a moment, with the columns that stay empty everywhere; it changes at the end."""
    calls = world.calls
    chosen = np.nonzero(calls.arrival_entered < until)[0]
    closed = _known(calls.closed, until)[chosen]
    changed = np.where(closed < NEVER, np.maximum(closed, calls.arrival_entered[chosen]), calls.arrival_entered[chosen])
    order = np.argsort(changed, kind="stable")
    names = people.names(world.seed, "officers", len(calls.number))
    arrived, ended, moved = spelled(calls.arrival_entered[chosen]), spelled(closed), spelled(changed)
    return [
        {"fkdbh": f"F{calls.number[int(chosen[n])][1:]}", "jjdbh": calls.number[int(chosen[n])], "dwdm": str(calls.responder[int(chosen[n])]),
         "ddxcsj": arrived[n], "jasj": ended[n] or None, "fkrxm": names[int(chosen[n])], "fknr": "到场处置完毕", "reserver01": None,
         "gxsj": moved[n]}
        for n in order.tolist()
    ]  # fmt: skip


def load_orders(address: str, world: World, until: int) -> int:
    """Make the table of dispatch orders of a PostgreSQL database hold what it would hold at a moment; the number of orders."""
    from adbc_driver_postgresql import dbapi

    orders = dispatch_orders(world, until)
    columns = pa.Table.from_pylist(orders, schema=pa.schema([(name, pa.string()) for name in orders[0]]))
    typed = ", ".join(f'"{n}"::timestamp' if n in {"PJSJ", "GXSJ"} else f'"{n}"' for n in columns.column_names)
    with dbapi.connect(address, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute(f"drop table if exists {ORDERS}")
        cursor.execute(ORDER_TABLE)
        for month in sorted({order["PJSJ"][:7] for order in orders}):
            first = f"date '{month}-01'"
            name = f"{ORDERS}_{month.replace('-', '')}"
            cursor.execute(f"create table {name} partition of {ORDERS} for values from ({first}) to ({first} + interval '1 month')")
        cursor.adbc_ingest("arriving", columns, mode="create", temporary=True)
        cursor.execute(f"insert into {ORDERS} select {typed} from arriving")
        cursor.execute("drop table arriving")
        connection.commit()
    return len(orders)


@dataclass(frozen=True)
class Unreliable:
    """The shares of requests that are answered with 429 and a Retry-After, with 503, or broken off in the middle of the answer."""

    too_many: float = 0.0
    unavailable: float = 0.0
    broken_off: float = 0.0
    retry_after: int = 1


@dataclass
class PagedApi:
    """An HTTP API on 127.0.0.1 whose records may change while it runs. ``asked`` are the queries that were answered with a page.

    ``/by_page``, ``/by_offset`` and ``/by_cursor`` give the same records, each in its way to page, none below ``updated_since``.
    """

    records: list[Record]
    token: str
    changed: str = "gxsj"
    unreliable: Unreliable = Unreliable()
    seed: int = 1
    port: int = 0
    asked: list[str] = field(default_factory=list)
    answers: dict[int, int] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def answer(self, path: str, query: dict[str, str]) -> Record | None:
        """One page: some records, how many there are, and how to go on."""
        since = query.get("updated_since", "")
        found = [record for record in self.records if record[self.changed] >= since]
        size = min(int(query.get("size", 100)), 1000)
        if path == "/v1/by_page":
            start = (int(query.get("page", 1)) - 1) * size
        elif path == "/v1/by_offset":
            start = int(query.get("offset", 0))
        elif path == "/v1/by_cursor":
            start = int(base64.b64decode(query["cursor"])) if query.get("cursor") else 0
        else:
            return None
        more = start + size < len(found)
        following = base64.b64encode(str(start + size).encode()).decode() if more and path.endswith("cursor") else None
        return {"code": 0, "data": {"total": len(found), "next": following, "list": found[start : start + size]}}


@contextmanager
def serve(api: PagedApi) -> Iterator[PagedApi]:
    """Run the API as long as the context lives; its port is kept, so that it can come back."""
    random = generator(api.seed, "faults of the API")
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *arguments: Any) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            with lock:
                drawn = float(random.random())
            status, body, headers = self._answer(drawn)
            api.answers[status] = api.answers.get(status, 0) + 1
            broken = status == 200 and 1 - drawn < api.unreliable.broken_off
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if broken else body)
            if broken:
                self.close_connection = True

        def _answer(self, drawn: float) -> tuple[int, bytes, dict[str, str]]:
            faults = api.unreliable
            if self.headers.get("Authorization") != f"Bearer {api.token}":
                return 401, b'{"code":401}', {}
            if drawn < faults.too_many:
                return 429, b'{"code":429}', {"Retry-After": str(faults.retry_after)}
            if drawn < faults.too_many + faults.unavailable:
                return 503, b"<html>busy</html>", {"Content-Type": "text/html"}
            asked = urlsplit(self.path)
            answer = api.answer(asked.path, {name: values[-1] for name, values in parse_qs(asked.query).items()})
            if answer is None:
                return 404, b'{"code":404}', {}
            api.asked.append(self.path)
            return 200, json.dumps(answer, ensure_ascii=False).encode(), {}

    server = ThreadingHTTPServer(("127.0.0.1", api.port), Handler)
    server.daemon_threads = True
    api.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
