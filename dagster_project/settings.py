"""What ``home.json`` may say, looked at before a night does anything: a value that is wrong must not show when half of the night is done.

Belongs here: that the values are of their kind. What they mean is said where they are used.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from dagster_project.contracts.load import load_catalogue
from dagster_project.home import Home, UnreadableSettingsError
from dagster_project.release.record import ReleaseError
from dagster_project.release.retention import retention_of

HISTORY_DAYS = 90
"""How long Dagster's history of a run is kept unless ``history_days`` says otherwise."""


class SettingsError(ValueError):
    """``home.json`` says something that cannot be meant; the message names the file, the key, and how to write it."""


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _are_groups(value: Any) -> bool:
    known = {c.group for c in load_catalogue().contracts}
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) and v in known for v in value)


KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "format": (lambda value: _is_whole(value, 0), "a whole number that the project writes itself"),
    "groups": (_are_groups, 'groups of sources, as ["city"]'),
    "public": (lambda value: isinstance(value, bool), "true or false"),
    "history_days": (lambda value: _is_whole(value, 1), f"a whole number of days, 1 or more, as {HISTORY_DAYS}"),
}
RETENTION = "retention"


def check_settings(home: Home) -> None:
    """Raise SettingsError when ``home.json`` cannot be read, has a key that nobody knows, or a value that is not of its kind."""
    try:
        settings = home.settings()
    except UnreadableSettingsError as problem:
        raise SettingsError(str(problem)) from None
    for key, value in settings.items():
        if key == RETENTION:
            continue
        if key not in KINDS:
            raise SettingsError(f"{home.settings_file}: nobody knows the key {key}; known are {', '.join(sorted({*KINDS, RETENTION}))}")
        is_one, kind = KINDS[key]
        if not is_one(value):
            raise SettingsError(f"{home.settings_file}: {key} is {json.dumps(value, ensure_ascii=False)}; write {kind}")
    try:
        retention_of(home)
    except ReleaseError as problem:
        raise SettingsError(str(problem)) from None


def history_days(home: Home) -> int:
    """How many days Dagster's history of a run is kept. Raises SettingsError."""
    check_settings(home)
    return int(home.settings().get("history_days", HISTORY_DAYS))
