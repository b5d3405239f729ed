"""What dbt's own process does differently: events that no logger writes are not rendered."""

from __future__ import annotations

import io

import pytest
from dbt_common.events.base_types import EventLevel
from dbt_common.events.event_manager import EventManager
from dbt_common.events.logger import LineFormat, LoggerConfig
from dbt_common.events.types import Note

from dagster_project.dbt_process import render_only_what_is_written


@pytest.mark.parametrize("line_format", [LineFormat.Json, LineFormat.PlainText, LineFormat.DebugText])
def test_an_event_below_the_level_of_a_logger_is_not_rendered_for_it(monkeypatch: pytest.MonkeyPatch, line_format: LineFormat) -> None:
    monkeypatch.setattr(EventManager, "add_logger", EventManager.add_logger)
    render_only_what_is_written()
    rendered: list[str] = []

    def scrubbed(line: str) -> str:
        rendered.append(line)
        return line

    written = io.StringIO()
    manager = EventManager()
    manager.add_logger(
        LoggerConfig(name=f"of {line_format}", line_format=line_format, level=EventLevel.INFO, scrubber=scrubbed, output_stream=written)
    )
    for level in (EventLevel.DEBUG, EventLevel.TEST, EventLevel.INFO, EventLevel.WARN):
        manager.fire_event(Note(msg=f"a {level.value} event"), level)
    assert [level for level in ("debug", "test", "info", "warn") if f"a {level} event" in written.getvalue()] == ["info", "warn"]
    assert len(rendered) == 2
