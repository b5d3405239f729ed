"""gz and zip as they are delivered: whole, cut, damaged, locked, nested, and hostile."""

from __future__ import annotations

import dataclasses
import gzip
import io
import zipfile
from pathlib import Path

import pytest
from reading import read, write

from dagster_project.ingest.readers import DEFAULT_LIMITS

TEXT = "编号,姓名,金额\n1,张三,10\n2,李四,20\n"
ROWS = [(1, ("1", "张三", "10")), (2, ("2", "李四", "20"))]
SMALL = dataclasses.replace(DEFAULT_LIMITS, ratio_from_bytes=1 << 20)


def many_rows(count: int) -> str:
    return "编号,姓名,金额\n" + "".join(f"{n},张{n * 7919 % 10007},{n * 104729 % 1299709}\n" for n in range(1, count + 1))


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_gz_is_told_by_its_first_bytes_not_its_name(tmp_path: Path) -> None:
    assert read(write(tmp_path, gzip.compress(TEXT.encode("gb18030"))), encoding="gb18030").rows == ROWS


def test_gz_of_several_members_and_trailing_zeros(tmp_path: Path) -> None:
    head, tail = TEXT.encode()[:25], TEXT.encode()[25:]
    assert read(write(tmp_path, gzip.compress(head) + gzip.compress(tail) + b"\0" * 700)).rows == ROWS


def test_gz_of_nothing(tmp_path: Path) -> None:
    assert "is empty: a header must be delivered" in read(write(tmp_path, gzip.compress(b""))).message


def test_truncated_gz_yields_what_could_be_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagster_project.ingest.readers.delimited.BLOCK_BYTES", 4096)
    text = many_rows(20_000)
    packed = gzip.compress(text.encode())
    outcome = read(write(tmp_path, packed[: len(packed) // 2], name="a.csv.gz"))
    assert "the gz ends before its end mark: the transfer was cut off" in outcome.message
    assert 1000 < len(outcome.rows) < 20_000
    assert outcome.numbers == list(range(1, len(outcome.rows) + 1))
    assert outcome.cells == [tuple(line.split(",")) for line in text.splitlines()[1 : len(outcome.rows) + 1]]
    assert outcome.error is not None and outcome.error.row == len(outcome.rows) + 1


def test_gz_with_a_flipped_byte(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(many_rows(5_000).encode()))
    packed[len(packed) // 2] ^= 0xFF
    assert "the gz is damaged" in read(write(tmp_path, bytes(packed))).message


def test_gz_followed_by_other_bytes(tmp_path: Path) -> None:
    assert "followed by bytes that are no gz" in read(write(tmp_path, gzip.compress(TEXT.encode()) + b"<html>")).message


def test_zip_of_several_members_numbers_the_rows_of_each(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, zipped({"b.csv": TEXT.encode(), "a.csv": TEXT.encode()}), name="all.zip"))
    assert [chunk.file_name for chunk in outcome.chunks] == ["all.zip!a.csv", "all.zip!b.csv"]
    assert outcome.rows == ROWS + ROWS


def test_zip_member_glob(tmp_path: Path) -> None:
    path = write(tmp_path, zipped({"readme.txt": b"hello", "data/calls.csv": TEXT.encode()}))
    assert read(path, member="data/*.csv").rows == ROWS
    assert (
        read(path, member="*.tsv").message
        == "calls.csv: the zip holds no member that matches '*.tsv'; its members: readme.txt, data/calls.csv"
    )


def test_zip_with_gbk_member_names(tmp_path: Path) -> None:
    raw = zipped({"XXXX.csv": TEXT.encode()}).replace(b"XXXX", "接警".encode("gbk"))
    outcome = read(write(tmp_path, raw, name="all.zip"), member="接警.csv")
    assert outcome.chunks[0].file_name == "all.zip!接警.csv"


def test_zip_with_the_litter_of_other_systems(tmp_path: Path) -> None:
    path = write(tmp_path, zipped({"calls.csv": TEXT.encode(), "__MACOSX/._calls.csv": b"\0\5\x16\7", ".DS_Store": b"\0", "sub/": b""}))
    assert read(path).rows == ROWS


def test_zip_error_names_the_member(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, zipped({"a.csv": TEXT.encode(), "b.csv": TEXT.encode("gb18030")}), name="all.zip"))
    assert outcome.rows == ROWS
    assert outcome.message.startswith("all.zip!b.csv: the header cannot be decoded")


def test_truncated_zip(tmp_path: Path) -> None:
    packed = zipped({"a.csv": many_rows(1000).encode()})
    assert "the zip is damaged or cut off" in read(write(tmp_path, packed[: len(packed) // 2])).message


def test_zip_with_a_wrong_check_sum(tmp_path: Path) -> None:
    packed = zipped({"a.csv": TEXT.encode()}, zipfile.ZIP_STORED).replace("张三".encode(), "王五".encode())
    assert "the zip is damaged or cut off (Bad CRC-32" in read(write(tmp_path, packed)).message


def test_zip_locked_with_a_password(tmp_path: Path) -> None:
    packed = bytearray(zipped({"a.csv": TEXT.encode()}))
    packed[6] |= 1
    packed[packed.index(b"PK\1\2") + 8] |= 1
    assert "member 'a.csv': is locked with a password" in read(write(tmp_path, bytes(packed))).message


def test_zip_without_members(tmp_path: Path) -> None:
    assert "the zip holds no member; its members: none" in read(write(tmp_path, zipped({}))).message


def test_zip_with_too_many_members(tmp_path: Path) -> None:
    limits = dataclasses.replace(DEFAULT_LIMITS, members=2)
    path = write(tmp_path, zipped({f"{n}.csv": TEXT.encode() for n in range(3)}))
    assert "holds 3 members, more than the limit of 2" in read(path, limits=limits).message


def test_zip_with_one_name_twice(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("a.csv", TEXT)
            archive.writestr("a.csv", TEXT)
    assert "several members of the name 'a.csv'" in read(write(tmp_path, buffer.getvalue())).message


def test_gz_bomb(tmp_path: Path) -> None:
    bomb = gzip.compress(b"1,2,3\n" * 2_000_000)
    outcome = read(write(tmp_path, b"".join([gzip.compress("编号,姓名,金额\n".encode()), bomb])), limits=SMALL)
    assert "expands more than 200-fold" in outcome.message and "zip bomb" in outcome.message
    assert len(outcome.rows) < 1_000_000


def test_zip_bomb_by_what_it_declares(tmp_path: Path) -> None:
    outcome = read(write(tmp_path, zipped({"a.csv": b"1,2,3\n" * 2_000_000})), limits=SMALL)
    assert "member 'a.csv': expands more than 200-fold" in outcome.message
    assert outcome.rows == []


def test_zip_bomb_that_understates_its_size(tmp_path: Path) -> None:
    content = b"1,2,3\n" * 2_000_000
    packed = zipped({"a.csv": content}).replace(len(content).to_bytes(4, "little"), (4096).to_bytes(4, "little"))
    outcome = read(write(tmp_path, packed), limits=SMALL, header_rows=0, names=("编号", "姓名", "金额"))
    assert "the zip is damaged or cut off" in outcome.message
    assert len(outcome.rows) <= 4096


def test_expansion_beyond_the_absolute_limit(tmp_path: Path) -> None:
    limits = dataclasses.replace(DEFAULT_LIMITS, expanded_bytes=100_000)
    assert (
        "expands to more than the limit of 100,000 bytes"
        in read(write(tmp_path, gzip.compress(many_rows(20_000).encode())), limits=limits).message
    )


def test_genuine_delivery_that_packs_well_is_read(tmp_path: Path) -> None:
    packed = gzip.compress(("编号,姓名,金额\n" + "1,在线,1440\n" * 200_000).encode())
    outcome = read(write(tmp_path, packed), limits=dataclasses.replace(DEFAULT_LIMITS, expansion_ratio=2000, ratio_from_bytes=1000))
    assert (len(outcome.rows), outcome.error) == (200_000, None)


@pytest.mark.parametrize(
    "inner",
    [gzip.compress(TEXT.encode()), zipped({"a.csv": TEXT.encode()}), b"Rar!\x1a\x07\x00", b"7z\xbc\xaf\x27\x1c"],
    ids=["gz", "zip", "rar", "7z"],
)
def test_archive_inside_an_archive(tmp_path: Path, inner: bytes) -> None:
    assert "archive" in read(write(tmp_path, gzip.compress(inner))).message
    assert "archive" in read(write(tmp_path, zipped({"inner": inner}))).message


@pytest.mark.parametrize(
    ("head", "name"), [(b"Rar!\x1a\x07\x00", "RAR"), (b"7z\xbc\xaf\x27\x1c\0", "7-Zip"), (b"\xfd7zXZ\x00", "xz"), (b"BZh91AY", "bzip2")]
)
def test_archives_that_are_not_read_are_named(tmp_path: Path, head: bytes, name: str) -> None:
    assert f"is a {name} archive; gz and zip are read" in read(write(tmp_path, head + b"\0" * 600)).message


def test_file_that_becomes_a_link_after_it_was_found(tmp_path: Path) -> None:
    outside = write(tmp_path, TEXT, name="outside.csv")
    link = tmp_path / "calls.csv"
    link.symlink_to(outside)
    assert "cannot be read" in read(link).message
