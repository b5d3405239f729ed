"""dbt as a process of a run: ``python -P -m dagster_project.dbt_process ARGUMENTS`` is dbt's command, ended when the run ends.

A run whose process alone is killed (by the kernel when memory is short, for instance) would leave dbt at work for as long as the marts take:
it holds the candidate, and the next run could not build one.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from dagster_project.with_parent import end_with_parent

if TYPE_CHECKING:
    from dbt_common.events.base_types import EventMsg
    from dbt_common.events.logger import LoggerConfig

LEVELS = ("debug", "test", "info", "warn", "error")


def render_only_what_is_written() -> None:
    """Let a logger of dbt ask for the level of an event before it makes a line of it, not afterwards.

    A night fires 6,000 events, nearly all for debugging; to render them for two loggers and then drop them took an eighth of dbt's time.
    """
    from dbt_common.events.event_manager import EventManager
    from dbt_common.events.logger import PRINT_EVENT_NAMES

    add_logger = EventManager.add_logger

    def add_logger_of_level(self: EventManager, config: LoggerConfig) -> None:
        levels = LEVELS[LEVELS.index(config.level.value) :]

        def is_written(event: EventMsg) -> bool:
            return (event.info.level in levels or event.info.name in PRINT_EVENT_NAMES) and config.filter(event)

        add_logger(self, replace(config, filter=is_written))

    EventManager.add_logger = add_logger_of_level  # type: ignore[method-assign]


def main() -> int:
    """Never returns where dbt itself ends the process."""
    end_with_parent()
    from dbt.cli.main import cli

    render_only_what_is_written()
    return cli() or 0


if __name__ == "__main__":
    sys.exit(main())
