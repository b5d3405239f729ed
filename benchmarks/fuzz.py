"""Mutated deliveries of every form: none may crash the pool, hang it, or lose a row.

``python -m benchmarks.fuzz [--cases N] [--seed N] [--form NAME …] [--replay FORM:NUMBER] [--scratch DIR]``

A case is a small delivery, made from a seed and its number: either its cells are hostile and its form is right, and then every row that
was written must be read; or its bytes are changed (bits, lengths, pieces cut, doubled, swapped, tokens put in; also inside and outside of
gz and zip), and then whatever could be decoded must balance: read = accepted + quarantined + duplicate + filtered, the pool and the
quarantine hold just as many rows, and what failed says why. Cases run together in a process of their own; when that dies, hangs or finds a
fault, each of them runs alone, so that the one is named.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import gzip
import io
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.contracts.entities import Entity, EntityColumn, load_entities
from dagster_project.contracts.model import Contract
from dagster_project.home import Home
from dagster_project.ingest.night import ingest_source
from dagster_project.ingest.pool import batch_path
from dagster_project.ingest.quarantine import quarantine_path
from dagster_project.ingest.receipts import Receipts

SECONDS_PER_FILE = 20.0
TOGETHER = 40
FIRST_BATCH = dt.date(2000, 1, 1)
HEADER = ("编号", "类别", "金额", "时间")
WIDTHS = (24, 12, 12, 24)
UNEXPECTED = "in the program, not by the delivery"

IDS = ("a-1", "a-2", "甲方", "x y", "'", "-", "0", "NULL", "＃", "a" * 20)
CELLS = (
    "", "甲", "乙", "丙", "1", "-1", "1,000", "1e309", "9" * 40, "0x10", "NaN", "∞", "２", "2024-03-05", "2024-03-05 10:00:00", "2023-02-30",
    "0000-00-00", "99999-01-01", "24:00:00", '"', '""', "'", "''; drop table x", ",", "\t", "|", ";", "\\", "\\N", "%", "=1+1", "<a>", "&lt;",
    "]]>", "{}", "[", "null", "true", "\u200b", "\ufeff", "\u202e", "\u0300" * 5, "😀", "𠮷", "𠮷" * 3, "é", "ß" * 6,
)  # fmt: skip
BREAKS = ("\n", "\r", "\r\n", "\x0b", "\x85", "\u2028", "\0", "\x1a", "\x7f", "a\nb", '"\n', "\n\n")
TOKENS = (
    b'"', b'""', b"'", b",", b"\t", b"\n", b"\r", b"\r\n", b"\0", b"\x1a", b"\xff", b"\xfe", b"\xef\xbb\xbf", b"\xff\xfe", b"\x81", b"\x81\x30",
    b"\x84\x31\x95\x33", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"{", b"}", b"[", b"]", b"[" * 200, b'{"a":' * 100, b"<", b"</", b">",
    b"<!DOCTYPE x [<!ENTITY a 'b'>]>", b"&a;", b"<![CDATA[", b"]]>", b"<?xml version='1.0' encoding='utf-7'?>", b"PK\x03\x04", b"PK\x05\x06",
    b"\x1f\x8b", b"PAR1", b"SQLite format 3\0", b"\xd0\xcf\x11\xe0", b"Rar!\x1a\x07", b"9" * 400, b"-", b"1e999", b"a" * 5000, b"\\u0000", b"\\",
)  # fmt: skip


# ---- deliveries -------------------------------------------------------------------------------------------------------

Rows = list[tuple[str, ...]]


def _delimited(delimiter: str) -> Callable[[Rows], bytes]:
    def write(rows: Rows) -> bytes:
        text = io.StringIO()
        csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([HEADER, *rows])
        return text.getvalue().encode()

    return write


def _fixed(rows: Rows) -> bytes:
    return "".join("".join(cell[:w].ljust(w) for cell, w in zip(row, WIDTHS, strict=True)) + "\n" for row in rows).encode()


def _xlsx(rows: Rows) -> bytes:
    import openpyxl

    workbook = openpyxl.Workbook(write_only=True)
    sheet = workbook.create_sheet()
    for row in [HEADER, *rows]:
        sheet.append(list(row))
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()


def _xls(rows: Rows) -> bytes:
    import xlwt

    workbook = xlwt.Workbook()
    sheet = workbook.add_sheet("sheet")
    for y, row in enumerate([HEADER, *rows]):
        for x, cell in enumerate(row):
            sheet.write(y, x, cell)
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()


def _records(rows: Rows) -> list[dict[str, str]]:
    return [dict(zip(HEADER, row, strict=True)) for row in rows]


def _json(rows: Rows) -> bytes:
    return json.dumps({"data": {"list": _records(rows)}}, ensure_ascii=False).encode()


def _ndjson(rows: Rows) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in _records(rows)).encode()


def _xml(rows: Rows) -> bytes:
    from xml.sax.saxutils import escape

    fields = ("".join(f"<{name}>{escape(cell)}</{name}>" for name, cell in record.items()) for record in _records(rows))
    return ("<?xml version='1.0' encoding='UTF-8'?><all>" + "".join(f"<one>{f}</one>" for f in fields) + "</all>").encode()


def _parquet(rows: Rows) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({name: [row[n] for row in rows] for n, name in enumerate(HEADER)}), out)
    return out.getvalue()


def _sqlite(rows: Rows) -> bytes:
    columns = ", ".join(f'"{name}"' for name in HEADER)
    with sqlite3.connect(":memory:") as database:
        database.execute(f"create table things ({columns})")
        database.executemany("insert into things values (?, ?, ?, ?)", rows)
        database.commit()
        return database.serialize()


@dataclass(frozen=True)
class Form:
    """A form of delivery: what its contract says, how its right files are written, and which characters it cannot carry."""

    format: dict[str, Any]
    write: Callable[[Rows], bytes]
    lines_in_cells: bool = True
    control_characters: bool = True

    def can_carry(self, text: str) -> bool:
        if not self.lines_in_cells and any(c in text for c in "\n\r\x0b\x85\u2028\0\x1a\x7f"):
            return False
        return self.control_characters or all(c >= " " or c in "\t\n" for c in text)


FORMS = {
    "csv": Form({"kind": "csv"}, _delimited(",")),
    "tsv": Form({"kind": "tsv", "delimiter": "\t"}, _delimited("\t")),
    "fixed": Form(
        {"kind": "fixed", "fields": [{"name": n, "width": w} for n, w in zip(HEADER, WIDTHS, strict=True)]}, _fixed, lines_in_cells=False
    ),
    "xlsx": Form({"kind": "xlsx"}, _xlsx, control_characters=False),
    "xls": Form({"kind": "xls"}, _xls, control_characters=False),
    "json": Form({"kind": "json", "records": "data.list"}, _json),
    "ndjson": Form({"kind": "ndjson"}, _ndjson),
    "xml": Form({"kind": "xml", "records": "all/one"}, _xml, control_characters=False),
    "parquet": Form({"kind": "parquet"}, _parquet),
    "sqlite": Form({"kind": "sqlite", "table": "things"}, _sqlite),
}


@dataclass(frozen=True)
class Case:
    """A delivery to be tried. ``rows``: how many must be read, None where its bytes were changed."""

    form: str
    number: int
    content: bytes
    rows: int | None
    how: str


def _wrapped(data: bytes, chance: random.Random) -> tuple[bytes, str]:
    kind = chance.choice(("", "", "", "gz", "zip"))
    if kind == "gz":
        return gzip.compress(data, 1, mtime=0), " in gz"
    if kind == "zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo("things"), data, zipfile.ZIP_DEFLATED)
        return out.getvalue(), " in zip"
    return data, ""


def _changed(data: bytes, chance: random.Random) -> tuple[bytes, str]:
    """The bytes after one to six changes, and which they were."""
    content, names = bytearray(data), []
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        name = chance.choice(("bit", "byte", "cut off", "cut out", "doubled", "token", "token", "swapped", "zeros", "number"))
        at = chance.randrange(len(content) + 1)
        upto = min(len(content), at + chance.choice((1, 2, 8, 64, 512)))
        if name == "bit" and at < len(content):
            content[at] ^= 1 << chance.randrange(8)
        elif name == "byte" and at < len(content):
            content[at] = chance.randrange(256)
        elif name == "cut off":
            del content[at:]
        elif name == "cut out":
            del content[at:upto]
        elif name == "doubled":
            content[at:at] = content[at:upto] * chance.choice((1, 1, 2, 50))
        elif name == "token":
            content[at:at] = chance.choice(TOKENS)
        elif name == "swapped":
            other = chance.randrange(len(content) + 1)
            content[at:upto], content[other : other + upto - at] = content[other : other + upto - at], content[at:upto]
        elif name == "zeros":
            content[at:upto] = bytes(upto - at)
        elif name == "number":
            content[at : at + 4] = chance.choice((b"\xff\xff\xff\xff", b"\x00\x00\x00\x80", b"\xff\xff\xff\x7f", b"\x01\x00\x00\x00"))
        names.append(name)
    return bytes(content), ", ".join(names)


def make_case(form: str, number: int, seed: int = 1) -> Case:
    """The same form, number and seed give the same bytes."""
    chance, kind = random.Random(f"{seed} {form} {number}"), FORMS[form]
    rows: Rows = []
    for _ in range(chance.choice((1, 2, 5, 20, 60))):
        cells = [chance.choice(BREAKS) if chance.random() < 0.1 else chance.choice(CELLS) for _ in HEADER[1:]]
        rows.append((chance.choice(IDS), *(cell if kind.can_carry(cell) else "" for cell in cells)))
    data = kind.write(rows)
    if chance.random() < 0.25:
        content, wrap = _wrapped(data, chance) if form not in {"xlsx", "xls"} else (data, "")
        return Case(form, number, content, len(rows), f"hostile cells{wrap}")
    if chance.random() < 0.8:
        changed, how = _changed(data, chance)
        content, wrap = _wrapped(changed, chance)
        return Case(form, number, content, None, how + wrap)
    content, wrap = _wrapped(data, chance)
    changed, how = _changed(content, chance)
    return Case(form, number, changed, None, f"{how}, outside{wrap}")


# ---- trying them ------------------------------------------------------------------------------------------------------


def _contract(form: str, keyed: bool) -> tuple[Contract, Entity]:
    every_row = next(iter(load_entities().values())).every_row
    columns = (
        EntityColumn("thing_id", "text"),
        EntityColumn("kind", "text", codes=("a", "b")),
        EntityColumn("amount", "decimal(18,2)"),
        EntityColumn("seen_at", "timestamp"),
    )
    raw: dict[str, Any] = {
        "id": "things",
        "title": {"zh": "东西", "en": "Things"},
        "group": "city",
        "domain": "call",
        "entity": "thing",
        "owner": "desk",
        "cadence": "irregular",
        "grade": "internal",
        "landing": {"glob": "things/*", "batch": {"path": r"(\d{4}-\d\d-\d\d)", "format": "%Y-%m-%d"}},
        "format": FORMS[form].format,
        "extract": {"mode": "delta", "key": ["thing_id"]} if keyed else {"mode": "append"},
        "columns": {
            "thing_id": {"from": HEADER[0]},
            "kind": {"from": HEADER[1], "codes": {"甲": "a", "乙": "b"}},
            "amount": {"from": HEADER[2], "thousands": ","},
            "seen_at": {"from": HEADER[3]},
        },
        "tolerance": {"quarantined_share": 1.0},
    }
    return Contract.model_validate(raw), Entity("thing", columns, every_row)


def faults_of(cases: Sequence[Case], folder: Path) -> dict[int, str]:
    """Ingest the cases, a batch each, into a home in ``folder``; what is wrong by number of the case."""
    form = cases[0].form
    contract, entity = _contract(form, keyed=cases[0].number // TOGETHER % 3 == 2)
    home = Home.at(folder / "home", folder / "landing").ensure()
    (home.landing / "things").mkdir(parents=True)
    dates = {FIRST_BATCH + dt.timedelta(days=n): case for n, case in enumerate(cases)}
    long_ago = time.time() - 86_400
    for date, case in dates.items():
        file = home.landing / "things" / f"{date}.{form}"
        file.write_bytes(case.content)
        os.utime(file, (long_ago, long_ago))
    ingest_source(home, contract, entity, max(dates))
    with Receipts(home) as receipts:
        batches = {b.batch_date: b for b in receipts.batches()}
        files = {f.batch_date: f for f in receipts.files()}
    found = {}
    for date, case in dates.items():
        if date not in batches or date not in files:
            found[case.number] = "left no receipt"
        elif fault := _fault(home, case, batches[date], files[date]):
            found[case.number] = fault
    return found


def _fault(home: Home, case: Case, batch: Any, file: Any) -> str:
    def rows(path: Path) -> int:
        return pq.ParquetFile(path).metadata.num_rows if path.exists() else 0

    pooled = rows(batch_path(home, batch.entity, batch.source_id, batch.batch_date))
    aside = rows(quarantine_path(home, batch.source_id, batch.batch_date))
    fates = f"read {file.rows_read}, accepted {file.rows_accepted}, quarantined {file.rows_quarantined}, duplicate {file.rows_duplicate}"
    if UNEXPECTED in batch.detail:
        return batch.detail
    if not file.balances:
        return f"does not balance: {fates}"
    if pooled != (file.rows_accepted if batch.in_pool else 0):
        return f"{pooled} rows in the pool: {fates}"
    if aside != file.rows_quarantined:
        return f"{aside} rows in quarantine: {fates}"
    if batch.status == "failed" and not (file.detail and file.rows_quarantined == file.rows_read):
        return f"failed ({file.detail or 'without a word'}), {fates}"
    if file.seconds > SECONDS_PER_FILE:
        return f"took {file.seconds:.0f} s"
    if case.rows is not None and (file.rows_read != case.rows or batch.status == "failed"):
        return f"{case.rows} rows were written, {fates}; {file.detail}"
    return ""


def _in_a_process(cases: Sequence[Case], folder: Path) -> dict[int, str]:
    """As ``faults_of``, in a process that is ended after its time; whoever dies or hangs has a fault in all of its cases."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            with (folder / "log").open("w") as log:
                os.dup2(log.fileno(), 2)
                found = faults_of(cases, folder)
                (folder / "faults.json").write_text(json.dumps(found), encoding="utf-8")
                os._exit(0)
        except BaseException:
            import traceback

            (folder / "log").write_text(traceback.format_exc(), encoding="utf-8")
        finally:
            os._exit(1)
    deadline = time.monotonic() + SECONDS_PER_FILE * (1 + len(cases) / 4)
    ended, status = 0, 0
    while not ended and time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        time.sleep(0.005)
    if not ended:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return {case.number: "hangs" for case in cases}
    if status != 0:
        how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else (folder / "log").read_text(encoding="utf-8")[-600:]
        return {case.number: f"ended the process: {how}" for case in cases}
    return {int(number): fault for number, fault in json.loads((folder / "faults.json").read_text(encoding="utf-8")).items()}


@dataclass(frozen=True)
class Fault:
    """A case that went wrong. ``python -m benchmarks.fuzz --seed SEED --replay FORM:NUMBER`` tries it again."""

    form: str
    number: int
    how: str
    problem: str


def run(cases: int, seed: int, scratch: Path, forms: Sequence[str] = tuple(FORMS), first: int = 0) -> list[Fault]:
    """Try ``cases`` cases, the forms in turn, from case ``first`` of each on; the faults."""
    faults = []
    per_form = -(-cases // len(forms))
    for form in forms:
        began = time.perf_counter()
        for start in range(first, first + per_form, TOGETHER):
            numbers = range(start, min(start + TOGETHER, first + per_form))
            batch = [make_case(form, number, seed) for number in numbers]
            if together := _in_a_process(batch, scratch / "together"):
                alone = [fault for case in batch for fault in _alone(case, seed, scratch)]
                faults += alone or [Fault(form, start, "only beside the cases after it", next(iter(together.values())))]
        print(f"{form}: {per_form} cases, {time.perf_counter() - began:.0f} s, faults so far {len(faults)}", file=sys.stderr, flush=True)
    shutil.rmtree(scratch / "together", ignore_errors=True)
    return faults


def _alone(case: Case, seed: int, scratch: Path) -> list[Fault]:
    found = _in_a_process([case], scratch / "alone").get(case.number)
    if found is None:
        return []
    print(f"--seed {seed} --replay {case.form}:{case.number}  # {case.how}: {found}", file=sys.stderr, flush=True)
    return [Fault(case.form, case.number, case.how, found)]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case of each form")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--form", choices=FORMS, nargs="+", default=list(FORMS))
    parser.add_argument("--replay", metavar="FORM:NUMBER", help="try one case in this process, and keep its file in --scratch")
    parser.add_argument("--scratch", type=Path)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        scratch = asked.scratch or Path(temporary)
        if asked.replay:
            form, _, number = asked.replay.partition(":")
            case = make_case(form, int(number), asked.seed)
            print(f"{case.how}, {len(case.content)} bytes: {faults_of([case], scratch / 'replay') or 'no fault'}")
            return
        faults = run(asked.cases, asked.seed, scratch, asked.form, asked.first)
    kinds = ", ".join(f"{form} {n}" for form, n in Counter(f.form for f in faults).items())
    print(f"{asked.cases} cases, {len(faults)} faults{': ' + kinds if kinds else ''}")
    if faults:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
