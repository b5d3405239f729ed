"""What differs between two releases."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from dagster_project.cli.console import USAGE, HomeOption, app, err, home_of, out


@app.command()
def diff(
    before: Annotated[str | None, typer.Argument(help="a release; the one before the other if absent")] = None,
    after: Annotated[str | None, typer.Argument(help="a release; the current one if absent")] = None,
    home: HomeOption = None,
    kpi: Annotated[list[str] | None, typer.Option("--kpi", help="this KPI only; repeatable")] = None,
    unit: Annotated[list[str] | None, typer.Option("--unit", help="this unit (its code) only; repeatable")] = None,
    limit: Annotated[int, typer.Option(min=0, help="largest restatements and turned verdicts shown, each")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
) -> None:
    """What changed from one release to another: counts restated, new periods, verdicts turned."""
    from dagster_project.release import ReleaseError, compare, diff_words, releases_to_compare

    try:
        found = compare(*releases_to_compare(home_of(home), before, after), kpi or (), unit or (), limit)
    except ReleaseError as problem:
        err.print(f"pool: {problem}", markup=False)
        raise typer.Exit(USAGE) from None
    if as_json:
        out.out(json.dumps(found.as_json(), ensure_ascii=False, indent=2, default=str))
        return
    for line in diff_words.lines(found):
        out.print(line, markup=False)
