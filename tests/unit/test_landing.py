"""Discovery: which files of landing are a source's, how they are dated, and which are refused."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dagster_project.contracts.model import BatchDate, Contract
from dagster_project.ingest.landing import DeliveredFile, RefusedFile, batch_date, discover, still_same

NIGHTLY = {"path": r"(\d{8})", "format": "%Y%m%d"}


def contract(glob: str, batch: dict[str, Any] | None = None, **landing: Any) -> Contract:
    return Contract.model_validate(
        {
            "id": "calls",
            "title": {"zh": "接警", "en": "Calls"},
            "group": "city",
            "domain": "call",
            "entity": "incident",
            "owner": "command_centre",
            "cadence": "daily",
            "grade": "internal",
            "landing": {"glob": glob, "batch": batch or {"constant": "2024-01-31"}, **landing},
            "format": {"kind": "csv"},
            "extract": {"mode": "append"},
            "columns": {"incident_id": {"from": "编号"}},
        }
    )


def put(landing: Path, *names: str, content: bytes = b"x") -> None:
    for name in names:
        path = landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def found(landing: Path, glob: str, batch: dict[str, Any] | None = None, **options: Any) -> tuple[list[DeliveredFile], list[RefusedFile]]:
    return discover(contract(glob, batch, **options), landing)


def names(landing: Path, glob: str) -> list[str]:
    delivered, refused = found(landing, glob)
    assert refused == []
    return [file.relative_path for file in delivered]


def refusals(landing: Path, glob: str, **options: Any) -> list[tuple[str, str]]:
    return [(file.relative_path, file.reason) for file in found(landing, glob, **options)[1]]


def test_files_are_ordered_by_batch_date_then_path(tmp_path: Path) -> None:
    put(tmp_path, "b/20240102.csv", "a/20240102.csv", "z/20240101.csv")
    delivered, refused = found(tmp_path, "*/*.csv", NIGHTLY)
    assert [(f.batch_date, f.relative_path) for f in delivered] == [
        (dt.date(2024, 1, 1), "z/20240101.csv"),
        (dt.date(2024, 1, 2), "a/20240102.csv"),
        (dt.date(2024, 1, 2), "b/20240102.csv"),
    ]
    assert refused == []


def test_what_is_known_of_a_delivered_file(tmp_path: Path) -> None:
    put(tmp_path, "20240102.csv", content=b"12345")
    os.utime(tmp_path / "20240102.csv", ns=(1, 1_700_000_000_123_456_789))
    path = tmp_path / "20240102.csv"
    assert found(tmp_path, "*.csv", NIGHTLY)[0] == [
        DeliveredFile("calls", dt.date(2024, 1, 2), path, "20240102.csv", 5, 1_700_000_000_123_456_789)
    ]


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("*.csv", ["a.csv"]),
        ("**/*.csv", ["a.csv", "x/b.csv", "x/y/c.csv"]),
        ("x/**", ["x/b.csv", "x/y/c.csv", "x/y/d.txt"]),
        ("x/*/*", ["x/y/c.csv", "x/y/d.txt"]),
        ("**/y/[cd].*", ["x/y/c.csv", "x/y/d.txt"]),
        ("?.csv", ["a.csv"]),
        ("nowhere/*.csv", []),
        ("a.csv/*", []),
    ],
)
def test_globs(tmp_path: Path, glob: str, expected: list[str]) -> None:
    put(tmp_path, "a.csv", "x/b.csv", "x/y/c.csv", "x/y/d.txt")
    assert names(tmp_path, glob) == expected


def test_landing_that_does_not_exist_holds_nothing(tmp_path: Path) -> None:
    assert found(tmp_path / "absent", "**/*.csv") == ([], [])


@pytest.mark.parametrize(
    ("batch", "path", "expected"),
    [
        ({"path": r"(\d{8})", "format": "%Y%m%d"}, "in/20240229/a.csv", dt.date(2024, 2, 29)),
        ({"path": r"(\d{4}-\d{2})", "format": "%Y-%m"}, "2024-02/a.csv", dt.date(2024, 2, 29)),
        ({"path": r"(\d{4}-\d{2})", "format": "%Y-%m"}, "2023-12/a.csv", dt.date(2023, 12, 31)),
        ({"path": r"PKS(\d{4})", "format": "%Y"}, "PKS2013.xlsx", dt.date(2013, 12, 31)),
        ({"path": r"(\d{4}年\d+月)", "format": "%Y年%m月"}, "2024年4月统计.xlsx", dt.date(2024, 4, 30)),
        ({"path": r"(\d{4}W\d\d)", "format": "%GW%V"}, "2024W09.csv", dt.date(2024, 3, 3)),
        ({"path": r"(\d{7})", "format": "%Y%j"}, "2024060.csv", dt.date(2024, 2, 29)),
        ({"constant": "2015-12-31"}, "anything", dt.date(2015, 12, 31)),
    ],
)
def test_batch_dates(batch: dict[str, Any], path: str, expected: dt.date) -> None:
    assert batch_date(BatchDate.model_validate(batch), path) == expected


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("a.csv", "the path does not match"),
        ("20230231.csv", "'20230231' in the path is no date of the format '%Y%m%d'"),
        ("20241301.csv", "is no date"),
    ],
)
def test_file_that_cannot_be_dated_is_refused(tmp_path: Path, path: str, said: str) -> None:
    put(tmp_path, path, "20240101.csv")
    delivered, refused = found(tmp_path, "*.csv", NIGHTLY)
    assert [f.relative_path for f in delivered] == ["20240101.csv"]
    assert [(f.relative_path, f.reason, f.waiting) for f in refused] == [(path, "undatable", False)]
    assert said in refused[0].detail


def test_link_out_of_landing_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "outside/secret.csv", "landing/20240101.csv")
    landing = tmp_path / "landing"
    (landing / "20240102.csv").symlink_to(tmp_path / "outside" / "secret.csv")
    assert refusals(landing, "*.csv") == [("20240102.csv", "link_outside")]


def test_folder_that_is_a_link_out_of_landing(tmp_path: Path) -> None:
    put(tmp_path, "outside/a.csv", "landing/in/b.csv")
    landing = tmp_path / "landing"
    (landing / "away").symlink_to(tmp_path / "outside")
    assert refusals(landing, "*/*.csv") == [("away/a.csv", "link_outside")]
    assert names(landing, "**/*.csv") == ["in/b.csv"]


def test_link_within_landing_is_taken_and_landing_itself_may_be_a_link(tmp_path: Path) -> None:
    put(tmp_path, "real/a.csv")
    (tmp_path / "real" / "b.csv").symlink_to("a.csv")
    (tmp_path / "landing").symlink_to(tmp_path / "real")
    delivered, refused = found(tmp_path / "landing", "*.csv")
    assert [f.relative_path for f in delivered] == ["a.csv", "b.csv"]
    assert delivered[1].path == tmp_path / "real" / "a.csv"
    assert refused == []


def test_links_that_lead_nowhere_or_in_circles(tmp_path: Path) -> None:
    (tmp_path / "a.csv").symlink_to("gone.csv")
    (tmp_path / "b.csv").symlink_to("b.csv")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert refusals(tmp_path, "**/*.csv") == [("a.csv", "broken_link"), ("b.csv", "broken_link")]


def test_names_of_unfinished_transfers_are_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "b.csv.tmp", "c.csv.part", "d.csv.filepart", "e.csv.PART", ".f.csv", ".hidden/g.csv", "~$h.csv", "i.csv~")
    assert names(tmp_path, "**/*") == ["a.csv"]


def test_file_held_open_for_writing_waits(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "b.csv")
    with (tmp_path / "a.csv").open("ab"):
        delivered, refused = found(tmp_path, "*.csv")
        assert [f.relative_path for f in delivered] == ["b.csv"]
        assert [(f.relative_path, f.reason, f.waiting) for f in refused] == [("a.csv", "still_written", True)]
    assert names(tmp_path, "*.csv") == ["a.csv", "b.csv"]


def test_file_held_open_for_reading_does_not_wait(tmp_path: Path) -> None:
    put(tmp_path, "a.csv")
    with (tmp_path / "a.csv").open("rb"):
        assert names(tmp_path, "*.csv") == ["a.csv"]


def test_file_that_has_not_settled_waits(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "b.csv")
    os.utime(tmp_path / "a.csv", (1000, 1000))
    os.utime(tmp_path / "b.csv", (1050, 1050))
    delivered, refused = discover(contract("*.csv", settle_seconds=60), tmp_path, now=1090.0)
    assert [f.relative_path for f in delivered] == ["a.csv"]
    assert [(f.relative_path, f.waiting) for f in refused] == [("b.csv", True)]
    assert refused[0].detail == "was changed less than 60 s ago (settle_seconds); it is taken once it rests"


def test_changed_file_is_no_longer_the_same(tmp_path: Path) -> None:
    put(tmp_path, "a.csv")
    file = found(tmp_path, "*.csv")[0][0]
    assert still_same(file)
    put(tmp_path, "a.csv", content=b"xy")
    assert not still_same(file)
    (tmp_path / "a.csv").unlink()
    assert not still_same(file)


def test_file_touched_without_change_of_size_is_no_longer_the_same(tmp_path: Path) -> None:
    put(tmp_path, "a.csv")
    file = found(tmp_path, "*.csv")[0][0]
    os.utime(tmp_path / "a.csv", ns=(file.mtime_ns + 1, file.mtime_ns + 1))
    assert not still_same(file)


def test_pipes_and_sockets_are_refused_and_folders_passed_over(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.csv"))
        assert refusals(tmp_path, "*.csv") == [("pipe.csv", "not_a_file"), ("socket.csv", "not_a_file")]


def test_file_name_in_gbk_bytes_is_read_as_such(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/" + "接警20240102.csv".encode("gbk")
    Path(os.fsdecode(raw)).write_bytes(b"x")
    delivered, _ = found(tmp_path, "接警*.csv", NIGHTLY)
    assert [f.relative_path for f in delivered] == ["接警20240102.csv"]
    assert delivered[0].path.read_bytes() == b"x"


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that another user could enter (pytest's own are private)."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def as_nobody(landing: Path, glob: str) -> list[tuple[str, str]]:
    """What an unprivileged user is refused; permissions do not stop root."""
    if os.geteuid() != 0:
        return refusals(landing, glob)
    os.seteuid(65534)
    try:
        return refusals(landing, glob)
    finally:
        os.seteuid(0)


def test_unreadable_file_is_refused(public_folder: Path) -> None:
    put(public_folder, "a.csv", "b.csv")
    (public_folder / "b.csv").chmod(0)
    assert as_nobody(public_folder, "*.csv") == [("b.csv", "unreadable")]


def test_folder_that_cannot_be_searched_is_refused(public_folder: Path) -> None:
    put(public_folder, "in/a.csv", "out/b.csv")
    (public_folder / "in").chmod(0)
    assert as_nobody(public_folder, "**/*.csv") == [("in", "unreadable")]
    (public_folder / "in").chmod(0o755)


def test_zero_byte_file_is_delivered(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", content=b"")
    assert [(f.relative_path, f.bytes) for f in found(tmp_path, "*.csv")[0]] == [("a.csv", 0)]
