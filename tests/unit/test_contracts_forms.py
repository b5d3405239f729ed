"""Contracts of the forms that need more said of them: xml, fixed width, databases, and sources that are pulled."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagster_project.contracts.load import survey

HEAD = """\
id: calls
title: {zh: 警情, en: Calls}
group: city
domain: call
entity: incident
owner: command_centre
cadence: daily
grade: internal
"""
COLUMNS = """\
columns:
  incident_id: {from: JJDBH, required: true}
  reported_at: {from: BJSJ, required: true}
  _updated_at: {from: GXSJ, type: timestamp}
  _caller: {from: BJRXM, type: text, personal: {treatment: drop}}
"""
LANDING = "landing: {glob: call/calls/*, batch: {path: '(\\d{8})', format: '%Y%m%d'}}\n"
DELIVERED = HEAD + LANDING + "extract: {mode: delta, key: [incident_id]}\n" + COLUMNS
FIXED = "format: {kind: fixed, fields: [{name: JJDBH, width: 19}, {name: BJSJ, width: 14}, {name: GXSJ, width: 14}]}\n"
XML = "format: {kind: xml, records: calls/call}\n"
SQLITE = "format: {kind: sqlite, table: call}\n"
PULLED = (
    HEAD
    + """\
landing: {glob: call/calls_*.parquet, batch: {path: 'calls_(\\d{8})', format: '%Y%m%d'}}
pull:
  kind: sql
  server: CALL_DATABASE
  table: public.call
  cursor: {column: GXSJ, overlap: 900}
format: {kind: parquet}
extract: {mode: delta, key: [incident_id], version: _updated_at}
"""
    + COLUMNS
)
API = PULLED.replace("calls_*.parquet", "calls_*.ndjson").replace("kind: parquet", "kind: ndjson")
API = API.replace("  kind: sql\n", "  kind: rest\n").replace("  table: public.call\n", "  path: /calls\n")
API = API.replace("{column: GXSJ, overlap: 900}", "{column: GXSJ, overlap: 900, parameter: since}")


def problems_of(folder: Path, text: str) -> list[str]:
    path = folder / "call" / "calls.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return [f"{p.line}: {p.message} | {p.suggestion or ''}" for p in survey([folder])[1]]


@pytest.mark.parametrize("text", [DELIVERED + FIXED, DELIVERED + XML, DELIVERED + SQLITE, PULLED, API])
def test_sound_contracts(tmp_path: Path, text: str) -> None:
    assert problems_of(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (DELIVERED + "format: {kind: xml}\n", "kind 'xml' needs 'records'"),
        (DELIVERED + "format: {kind: fixed}\n", "kind 'fixed' needs 'fields'"),
        (DELIVERED + "format: {kind: csv, table: call}\n", "'table' is for sqlite deliveries, not for csv"),
        (DELIVERED + "format: {kind: csv, encoding: declared}\n", "'declared' is not an encoding of text"),
        (DELIVERED + FIXED.replace("BJSJ", "BJSJN"), "'BJSJ' is not among 'format.fields' | did you mean 'BJSJN'?"),
        (DELIVERED + FIXED.replace("name: GXSJ", "name: JJDBH"), "names twice: JJDBH"),
        (DELIVERED + FIXED.replace("width: 19", "width: 0"), "greater than or equal to 1"),
        (DELIVERED + "format: {kind: sqlite}\n", "kind 'sqlite' needs either 'table' or 'query'"),
        (DELIVERED + "format: {kind: sqlite, query: delete from call}\n", "it must be a single SELECT"),
        (DELIVERED + "format: {kind: sqlite, query: 'select 1; select 2'}\n", "it must be a single SELECT"),
        (PULLED.replace("server: CALL_DATABASE", "server: postgresql://me:secret@host/db"), "must be the name of an environment variable"),
        (PULLED.replace("  table: public.call\n", ""), "kind 'sql' needs 'table'"),
        (PULLED.replace("  table: public.call\n", "  table: public.call\n  path: /calls\n"), "'path' is not for kind 'sql'"),
        (PULLED.replace("kind: parquet", "kind: csv"), "what is pulled by 'sql' lies in landing as parquet"),
        (PULLED.replace("column: GXSJ", "column: GXSI"), "'GXSI' is not read by any column | did you mean 'GXSJ'?"),
        (PULLED.replace("column: GXSJ", "column: BJRXM"), "'BJRXM' is not read by any column"),
        (PULLED.replace("mode: delta", "mode: full"), "a pull by cursor brings changes only"),
        (PULLED.replace("mode: delta, key: [incident_id], version: _updated_at", "mode: append"), "it needs a 'key' to know it again"),
        (
            PULLED.replace("  cursor: {column: GXSJ, overlap: 900}\n", "").replace("mode: delta", "mode: append"),
            "'append' would add them up",
        ),
        (PULLED.replace("calls_*.parquet", "*/calls_*.parquet"), "must hold one '*', which is the night"),
        (PULLED.replace("calls_(\\d{8})", "x(\\d{8})"), "it does not find the night in 'call/calls_20240309.parquet'"),
        (PULLED.replace("'%Y%m%d'", "'%Y%m'"), "a pulled batch is dated by the night"),
        (API.replace("  path: /calls\n", ""), "kind 'rest' needs 'path'"),
        (API.replace(", parameter: since", ""), "needs the 'parameter' that takes it"),
        (API.replace("  path: /calls\n", "  path: /calls\n  pages: {by: cursor, parameter: c}\n"), "'next' belongs to pages by cursor"),
        (API.replace("  path: /calls\n", "  path: /calls\n  token: {variable: let-me-in}\n"), "no secret stands in a contract"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    found = problems_of(tmp_path, text)
    assert any(said in problem for problem in found), found
    assert "secret@" not in "".join(found) and "let-me-in" not in "".join(found)
