"""Telling people of a night that failed, was held, went stale, or never came: through a command, a webhook, or both.

POOL_ALERT_COMMAND is run with the message on its standard input; POOL_ALERT_WEBHOOK gets it as JSON by POST, with POOL_ALERT_TOKEN as its
bearer. Nothing is sent anywhere unless one of them is set, and a webhook sends to no other address than its own: redirects are not
followed, no proxy is read. Texts are masked before they leave the pool.

Belongs here: what is told, and the sending. Does not belong here: the looking (``watch``, the gate, Dagster's sensor).
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import Retry, Timeout

from dagster_project.contracts.personal_values import masked
from dagster_project.home import Home
from dagster_project.release.record import Release
from dagster_project.unreleased import nothing_delivered

COMMAND, WEBHOOK, TOKEN = "POOL_ALERT_COMMAND", "POOL_ALERT_WEBHOOK", "POOL_ALERT_TOKEN"
SECONDS = 60
TRIES = 3
LONGEST_LINE = 500
MOST_LINES = 50

Kind = Literal["failed", "held", "stale", "undelivered", "missed", "damaged"]
WORDS: dict[Kind, str] = {
    "failed": "运行失败 the run failed",
    "held": "有产品被扣留 products are held",
    "stale": "有产品陈旧 products are stale",
    "undelivered": "昨夜没有任何交付 nothing was delivered",
    "missed": "昨夜没有发布 no release of last night",
    "damaged": "数据池受损 the home is damaged",
}


@dataclass(frozen=True)
class Alert:
    """What happened to a night of a home, in lines for a person."""

    kind: Kind
    home: Home
    night: dt.date | None
    lines: tuple[str, ...]

    def text(self) -> str:
        """The whole message, personal values masked, long ones cut."""
        night = f", night {self.night}" if self.night else ""
        kept = [masked(line)[:LONGEST_LINE] for whole in self.lines for line in whole.splitlines()[:MOST_LINES]][:MOST_LINES]
        return "\n".join([f"{WORDS[self.kind]}: {self.home.root}{night}", *kept]) + "\n"


def alert_of_failure(home: Home, night: dt.date | None, lines: Sequence[str]) -> Alert:
    return Alert("failed", home, night, tuple(lines))


def alert_of_release(home: Home, release: Release, held: Sequence[str]) -> Alert | None:
    """What a release has to be told for: products that this night held, or that are still stale or left out; None when all are fresh."""
    kept_back = [p for p in release.manifest.products.values() if p.status != "fresh"]
    if not kept_back:
        return None
    lines = tuple(
        f"{p.product}: {p.status}" + (f", as of {p.as_of}" if p.as_of else "") + (f": {p.reason}" if p.reason else "") for p in kept_back
    )
    return Alert("held" if held else "stale", home, release.as_of, (f"release {release.version}", *lines))


def alert_of_deliveries(home: Home, night: dt.date) -> Alert | None:
    """What has to be told when nothing at all came for a night that was released; None when anything did."""
    words = nothing_delivered(home, night)
    return Alert("undelivered", home, night, (words,)) if words else None


def deliver(alert: Alert) -> tuple[str, ...]:
    """Send an alert whichever ways are set; what went wrong with the sending, in words: a night does not fail for it."""
    ways = ((COMMAND, _to_command), (WEBHOOK, _to_webhook))
    problems = (send(os.environ[name], alert) for name, send in ways if os.environ.get(name))
    return tuple(problem for problem in problems if problem)


def _to_command(command: str, alert: Alert) -> str:
    try:
        ended = subprocess.run(shlex.split(command), input=alert.text(), text=True, capture_output=True, check=False, timeout=SECONDS)
    except (OSError, ValueError, subprocess.TimeoutExpired) as problem:
        return f"the alert could not be sent: {COMMAND} could not be run ({type(problem).__name__})"
    return f"the alert could not be sent: {COMMAND} ended with {ended.returncode}" if ended.returncode else ""


def _to_webhook(address: str, alert: Alert) -> str:
    """The address may hold a secret: no message names it."""
    cannot = f"the alert could not be sent: {WEBHOOK}"
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return f"{cannot} is no http or https address"
    body = {
        "kind": alert.kind,
        "home": str(alert.home.root),
        "night": alert.night.isoformat() if alert.night else None,
        "text": alert.text(),
    }
    headers = {"Content-Type": "application/json"}
    if token := os.environ.get(TOKEN):
        headers["Authorization"] = f"Bearer {token}"
    retry = Retry(total=TRIES, backoff_factor=0.2, status_forcelist=(429, 500, 502, 503, 504), allowed_methods=None, redirect=False)
    try:
        with urllib3.PoolManager(retries=retry, timeout=Timeout(connect=10, read=SECONDS)) as pool:
            answer = pool.request("POST", address, body=json.dumps(body, ensure_ascii=False).encode(), headers=headers, redirect=False)
    except HTTPError as problem:
        return f"{cannot} cannot be reached or refuses ({type(problem).__name__})"
    return "" if 200 <= answer.status < 300 else f"{cannot} answers {answer.status}"
