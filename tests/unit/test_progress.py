"""Progress for a person at a terminal."""

from __future__ import annotations

import io
from contextlib import redirect_stderr

import pytest

from dagster_project.progress import PROGRESS, to_stderr


def test_progress_goes_to_the_standard_error_of_the_moment_it_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PROGRESS, "is_shown", False)
    with io.StringIO() as closed_later, redirect_stderr(closed_later):
        PROGRESS.say("silent until it is switched on")
        to_stderr()
        PROGRESS.say("ingest")
        assert closed_later.getvalue() == "  ingest\n"
    PROGRESS.say("dbt")
    assert capsys.readouterr().err == "  dbt\n"
