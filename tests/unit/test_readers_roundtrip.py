"""Whatever is written as csv is read back, cell by cell and number by number."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading import read

from dagster_project.ingest.readers import delimited
from dagster_project.ingest.readers.records import Dialect, _find_records_one_by_one, find_records

ALPHABETS = {
    "utf-8": "aZ09 ,;\t|\"'\r\n\\张é😀\u2028\u00a0",
    "utf-8-sig": 'a9,"\n\ufeff张',
    "utf-16": 'aZ0,"\r\n张é😀ਊ਍',
    "utf-16-be": 'aZ0,"\r\n张ਊ',
    "gb18030": "aZ0,\"'\r\n|张瓅é😀\u2028䶵",
    "gbk": 'aZ0,"\r\n|张瓅丂',
    "shift_jis": 'aZ0,"\r\nソ能表ｱ山',
    "cp932": 'aZ0,"\r\nソ能表①ｱ',
    "cp949": 'aZ0,"\r\n갂똠한',
    "big5": 'aZ0,"\r\n功許蓋',
    "latin-1": 'aZ0,"\r\nÿé\x85\xa0',
    "cp1252": 'aZ0,"\r\n€é',
    "euc_jp": 'aZ0,"\r\n山ｱ',
}


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    encoding = draw(st.sampled_from(sorted(ALPHABETS)))
    width = draw(st.integers(1, 4))
    cell = st.text(alphabet=ALPHABETS[encoding], max_size=6)
    return {
        "encoding": encoding,
        "rows": draw(st.lists(st.lists(cell, min_size=width, max_size=width), max_size=40)),
        "names": [f"c{n}" for n in range(width)],
        "delimiter": draw(st.sampled_from([",", ";", "\t", "|"])),
        "quoting": draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        "block": draw(st.sampled_from([16, 50, 8 << 20])),
    }


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=tables())
def test_any_table_in_any_encoding_comes_back(table: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", table["block"])
    text = io.StringIO()
    writer = csv.writer(text, delimiter=table["delimiter"], quoting=table["quoting"], lineterminator="\r\n")
    writer.writerow(table["names"])
    writer.writerows(table["rows"])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "calls.csv"
        path.write_bytes(text.getvalue().encode(table["encoding"]))
        outcome = read(path, table["names"], encoding=table["encoding"], delimiter=table["delimiter"])
    assert outcome.error is None and outcome.rejects == []
    assert outcome.rows == [(number, tuple(row)) for number, row in enumerate(table["rows"], start=1)]


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=tables(), ragged=st.sets(st.integers(0, 39)), nul=st.sets(st.integers(0, 39)))
def test_bad_rows_among_good_ones_keep_their_numbers(
    table: dict[str, Any], ragged: set[int], nul: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", table["block"])
    text = io.StringIO()
    writer = csv.writer(text, delimiter=table["delimiter"], quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(table["names"])
    for index, row in enumerate(table["rows"]):
        writer.writerow([*row[:-1], row[-1] + "\0" * (index in nul), *(["more"] if index in ragged else [])])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "calls.csv"
        path.write_bytes(text.getvalue().encode(table["encoding"]))
        outcome = read(path, table["names"], encoding=table["encoding"], delimiter=table["delimiter"])
    assert outcome.error is None
    good = [(n, tuple(row)) for n, row in enumerate(table["rows"], start=1) if n - 1 not in ragged | nul]
    assert outcome.rows == good
    bad = {n + 1: "nul_byte" for n in nul} | {n + 1: "ragged_row" for n in ragged - nul}
    assert dict(outcome.why) == {n: reason for n, reason in bad.items() if n <= len(table["rows"])}


@settings(max_examples=500, deadline=None)
@given(data=st.text(alphabet='ab,"\r\n', max_size=60).map(str.encode))
def test_both_ways_to_find_records_agree_with_each_other_and_with_pyarrow(data: bytes) -> None:
    dialect = Dialect(b",", b'"')
    quick, slow = find_records(data, dialect), _find_records_one_by_one(data, dialect)
    assert quick.starts.tolist() == slow.starts.tolist()
    assert quick.ends.tolist() == slow.ends.tolist()
    assert quick.cells.tolist() == slow.cells.tolist()
    widths = []
    for width in sorted(set(quick.cells.tolist())):
        kept = b"\n".join(data[s:e] for s, e, c in zip(quick.starts, quick.ends, quick.cells, strict=True) if c == width)
        table = pa.csv.read_csv(
            pa.BufferReader(kept),
            read_options=pa.csv.ReadOptions(column_names=[str(n) for n in range(width)], use_threads=False, block_size=1 << 20),
            parse_options=pa.csv.ParseOptions(newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(column_types={str(n): pa.binary() for n in range(width)}, strings_can_be_null=False),
        )
        widths += [width] * table.num_rows
    assert sorted(widths) == sorted(quick.cells.tolist())
