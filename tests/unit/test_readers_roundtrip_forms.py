"""Whatever is written as xml, in fixed width or into SQLite is read back, cell by cell and number by number."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading import read

from dagster_project.city.files import write_fixed, write_sqlite, write_xml
from dagster_project.ingest.readers import fixed, keyed, xml_records

ENCODINGS = {
    "utf-8": "aZ09 <>&'\"]张é😀\u2028\u00a0",
    "gb18030": "aZ0<&|张瓅é😀䶵",
    "gbk": "aZ0<&|张瓅丂",
    "big5": "aZ0<&|功許蓋",
    "shift_jis": "aZ0<&|ソ能表ｱ山",
}
SETTINGS = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    encoding = draw(st.sampled_from(sorted(ENCODINGS)))
    width = draw(st.integers(1, 4))
    cell = st.one_of(st.none(), st.text(alphabet=ENCODINGS[encoding], min_size=1, max_size=6))
    rows = draw(st.lists(st.lists(cell, min_size=width, max_size=width), min_size=1, max_size=30))
    return {"encoding": encoding, "rows": rows, "names": [f"c{n}" for n in range(width)], "piece": draw(st.sampled_from([1, 40, 1 << 16]))}


@SETTINGS
@given(table=tables())
def test_any_table_comes_back_from_xml(table: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_records, "READ_CHARACTERS", table["piece"])
    monkeypatch.setattr(keyed, "CHUNK_ROWS", 7)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "calls.csv"
        write_xml(path, table["names"], table["rows"], ("answer", "calls", "call"), encoding=table["encoding"])
        outcome = read(path, table["names"], kind="xml", records="answer/calls/call")
    assert outcome.error is None and outcome.rejects == []
    assert outcome.rows == [(number, tuple(row)) for number, row in enumerate(table["rows"], start=1)]


@SETTINGS
@given(table=tables(), cut=st.sets(st.integers(0, 29)))
def test_any_table_comes_back_from_fixed_width(table: dict[str, Any], cut: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixed, "BLOCK_BYTES", table["piece"])
    rows = [[None if cell is None or not cell.strip(" \u3000") else cell.strip(" \u3000") for cell in row] for row in table["rows"]]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "calls.csv"
        write_fixed(path, [24] * len(table["names"]), rows, encoding=table["encoding"])
        lines = path.read_bytes().split(b"\r\n")
        path.write_bytes(b"\n".join(line[:-1] + b"" if number in cut else line for number, line in enumerate(lines)))
        fields = [{"name": name, "width": 24} for name in table["names"]]
        outcome = read(path, table["names"], kind="fixed", fields=fields, encoding=table["encoding"], widths_in="bytes")
    assert outcome.error is None
    assert outcome.rows == [(number, tuple(row)) for number, row in enumerate(rows, start=1) if number - 1 not in cut]
    assert outcome.why == [(number + 1, "ragged_row") for number in sorted(cut) if number < len(rows)]


@SETTINGS
@given(
    rows=st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
            st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
        )
    )
)
def test_any_table_comes_back_from_sqlite(rows: list[tuple[int | None, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "calls.csv"
        write_sqlite(path, "call", ["n", "text"], [list(row) for row in rows])
        with closing(sqlite3.connect(path)) as base:
            assert base.execute("pragma integrity_check").fetchone() == ("ok",)
        outcome = read(path, ["n", "text"], kind="sqlite", table="call")
    assert outcome.error is None
    assert outcome.cells == [(None if n is None else str(n), text) for n, text in rows]
