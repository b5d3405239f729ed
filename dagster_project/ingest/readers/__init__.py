"""Readers: delivered bytes to raw text, one module per platform.

A reader knows file formats and nothing of entities, types or rules. It yields bounded chunks of string columns (RawChunk), the rows
that are no records (RawReject), and raises UnreadableFile when the rest of a file cannot be read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Literal

from dagster_project.contracts.model import Format
from dagster_project.ingest.decode import DEFAULT_LIMITS, Content, Limits, open_contents
from dagster_project.ingest.landing import DeliveredFile, still_same
from dagster_project.ingest.readers.delimited import read_delimited
from dagster_project.ingest.readers.fixed import read_fixed
from dagster_project.ingest.readers.header import Request, delivered_as
from dagster_project.ingest.readers.json_records import read_json, read_ndjson
from dagster_project.ingest.readers.parquet import read_parquet
from dagster_project.ingest.readers.raw import RawChunk, RawReject, UnreadableFile, shape_of
from dagster_project.ingest.readers.sqlite import read_sqlite
from dagster_project.ingest.readers.workbook import read_workbook
from dagster_project.ingest.readers.xml_records import read_xml

__all__ = ["DEFAULT_LIMITS", "Limits", "RawChunk", "RawReject", "UnreadableFile", "delivered_as", "read_file", "shape_of"]


def read_file(
    file: DeliveredFile,
    format: Format,
    wanted: Sequence[tuple[str, ...]],
    optional: Sequence[tuple[str, ...]] = (),
    *,
    known: Collection[str] = (),
    ignore: Collection[str] | Literal["*"] = "*",
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[RawChunk | RawReject]:
    """Read one delivered file, each member of a zip in the order of their names.

    ``wanted`` and ``optional`` are groups of aliases: of each group the first delivered name is read; a group of ``wanted`` without a
    delivered column is an error, one of ``optional`` is absent from the chunks. ``known`` are delivered columns that the contract
    names but does not read (personal ones that are dropped); ``ignore`` is the contract's list: any column beyond these is an error,
    '*' allows all. Every chunk of a member holds the same columns, except json and xml, where an optional one may come later.

    Rows yielded before an error count as decoded. Raises UnreadableFile, and nothing else, for whatever is wrong with the file.
    """
    request = Request(tuple(map(tuple, wanted)), tuple(map(tuple, optional)), tuple(known), ignore if ignore == "*" else tuple(ignore))
    name = file.relative_path
    try:
        if not still_same(file):
            raise UnreadableFile("has changed or gone since it was found; it is read once it stays the same")
        for content in open_contents(file.path, format.kind, format.member, limits):
            name = f"{file.relative_path}!{content.member}" if content.member else file.relative_path
            yield from _read_content(content, name, format, request, limits)
        name = file.relative_path
        if not still_same(file):
            raise UnreadableFile("was changed while it was read; it is read again once it stays the same")
    except UnreadableFile as error:
        error.file_name = error.file_name or name
        raise
    except (OSError, MemoryError) as error:
        raise UnreadableFile(f"cannot be read: {getattr(error, 'strerror', None) or type(error).__name__}", file_name=name) from None


def _read_content(content: Content, name: str, format: Format, request: Request, limits: Limits) -> Iterator[RawChunk | RawReject]:
    if format.kind in {"csv", "tsv"}:
        return read_delimited(content.stream, name, format, request, limits)
    if format.kind in {"xlsx", "xls"}:
        return read_workbook(content.stream, name, format, request, limits)
    if format.kind == "json":
        return read_json(content.stream, name, format, request, limits)
    if format.kind == "ndjson":
        return read_ndjson(content.stream, name, format, request, limits)
    if format.kind == "xml":
        return read_xml(content.stream, name, format, request, limits)
    if format.kind == "fixed":
        return read_fixed(content.stream, name, format, request, limits)
    if format.kind == "sqlite":
        return read_sqlite(content, name, format, request, limits)
    return read_parquet(content, name, format.encoding, request, limits)
