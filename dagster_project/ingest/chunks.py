"""What readers yield, put together into portions that are worth a statement."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator

import pyarrow as pa

from dagster_project.ingest.readers import RawChunk, RawReject, UnreadableFile

CHUNK_ROWS = 1 << 19
CHUNK_BYTES = 96 << 20


def timed(items: Iterator[RawChunk | RawReject], seconds: defaultdict[str, float], phase: str) -> Iterator[RawChunk | RawReject]:
    """The same items; the wall seconds that it took to make them are added to a phase."""
    while True:
        began = time.perf_counter()
        item = next(items, None)
        seconds[phase] += time.perf_counter() - began
        if item is None:
            return
        yield item


def gathered(items: Iterator[RawChunk | RawReject]) -> Iterator[RawChunk | list[RawReject]]:
    """Put neighbouring chunks of one file together until they are worth a statement, and rejects into lists."""
    chunks: list[RawChunk] = []
    rejects: list[RawReject] = []
    size = 0
    failure: UnreadableFile | None = None
    while True:
        try:
            item = next(items, None)
        except UnreadableFile as wrong:
            item, failure = None, wrong
        if item is None:
            break
        if isinstance(item, RawReject):
            rejects.append(item)
            if len(rejects) >= CHUNK_ROWS:
                yield rejects
                rejects = []
            continue
        if chunks and item.file_name != chunks[0].file_name:
            yield _joined(chunks)
            chunks, size = [], 0
        chunks.append(item)
        size += item.columns.nbytes
        if size >= CHUNK_BYTES or sum(len(c.row_numbers) for c in chunks) >= CHUNK_ROWS:
            yield _joined(chunks)
            chunks, size = [], 0
    if chunks:
        yield _joined(chunks)
    if rejects:
        yield rejects
    if failure is not None:
        raise failure


def _joined(chunks: list[RawChunk]) -> RawChunk:
    if len(chunks) == 1:
        return chunks[0]
    numbers = pa.concat_arrays([c.row_numbers for c in chunks])
    return RawChunk(pa.concat_tables([c.columns for c in chunks], promote_options="default"), numbers, chunks[0].file_name)
