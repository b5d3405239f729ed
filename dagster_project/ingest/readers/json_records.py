"""json (one document, its records in an array) and ndjson (one record a line), read record by record.

Numbers keep the text they were delivered in; nested values become compact JSON text; null and an absent key are both no value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from json import scanner
from typing import Any

from dagster_project.contracts.model import Format
from dagster_project.ingest.decode import ByteStream, Limits, TextBytes, TextStream, bad_byte, open_characters, open_text
from dagster_project.ingest.readers.header import Request
from dagster_project.ingest.readers.keyed import BadRecord, Delivered, KeyedRows
from dagster_project.ingest.readers.raw import RawChunk, RawReject, UnreadableFile
from dagster_project.ingest.readers.records import Dialect, blocks_of_records

READ_CHARACTERS = 1 << 20
_BLOCK_BYTES = 4 << 20
_LINES = Dialect(b"\0", None)
_SPACE = re.compile(r"[ \t\r\n]*")


class _Number(str):
    """The text of a number, told apart from a string that looks like one."""

    __slots__ = ()


class _Repeating(dict[str, Any]):
    """An object that names a key twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    return record if len(record) == len(pairs) else _Repeating(record)


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_Number, parse_int=_Number, parse_constant=_Number, strict=False)
_scan_value: Callable[[str, int], tuple[Any, int]] = scanner.make_scanner(_DECODER)  # type: ignore[arg-type]


def parse_exactly(text: str) -> Any:
    """A JSON document whose numbers keep the text they were delivered in. Raises ValueError."""
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def exact_text(value: Any, depth: int) -> str:
    """What `parse_exactly` gave, as compact JSON text again. Raises BadRecord where it is nested deeper, or names a key twice."""
    return _json_text(value, depth)


def read_json(stream: ByteStream, file_name: str, format: Format, request: Request, limits: Limits) -> Iterator[RawChunk | RawReject]:
    """Read a json document. A broken document is an UnreadableFile at the row reached; its records so far are yielded."""
    path = format.records.split(".") if format.records else []
    window = _Window(open_characters(stream, format.encoding), limits)
    return _keyed(file_name, request, limits).of(map(_as_row, _records_of_document(window, path)))


def read_ndjson(stream: ByteStream, file_name: str, format: Format, request: Request, limits: Limits) -> Iterator[RawChunk | RawReject]:
    """Read lines of json; a broken line is rejected alone."""
    return _keyed(file_name, request, limits).of(map(_as_row, _records_of_lines(open_text(stream, format.encoding), limits)))


def _keyed(file_name: str, request: Request, limits: Limits) -> KeyedRows:
    return KeyedRows(file_name, request, "bad_json", lambda value: _nested_text(value, limits.json_depth), frozenset({_Number}))


def _as_row(delivered: Delivered) -> Delivered:
    """The record, or the BadRecord that says why its value is none."""
    value = delivered.value
    if type(value) is dict or isinstance(value, BadRecord):
        return delivered
    names_twice = isinstance(value, _Repeating)
    return delivered._replace(
        value=BadRecord("the record names a key twice" if names_twice else f"the record is {_kind(value)}, not an object")
    )


def _records_of_document(window: _Window, path: list[str]) -> Iterator[Delivered]:
    yield from _walk(window, path, path)
    window.expect_end()


def _records_of_lines(text: TextBytes, limits: Limits) -> Iterator[Delivered]:
    for block in blocks_of_records(text.stream, _LINES, text.offset, _BLOCK_BYTES, limits.record_bytes):
        for line in block.data.replace(b"\r", b"\n").split(b"\n"):
            stripped = line.strip()
            if not stripped:
                continue
            try:
                decoded = stripped.decode(text.codec)
            except UnicodeDecodeError as error:
                # No line before holds these bytes: it would have been the one that fails.
                position = block.offset + block.data.index(stripped) + error.start + 1 if text.verbatim else None
                raise UnreadableFile(bad_byte(text.codec, stripped[error.start], position)) from None
            yield Delivered(_parse_line(decoded), len(decoded), decoded)


def _parse_line(line: str) -> Any:
    try:
        value, end = _scan_value(line, 0)
    except json.JSONDecodeError as error:
        return BadRecord(f"{error.msg} at character {error.pos + 1}")
    except StopIteration as stop:
        return BadRecord(f"Expecting value at character {stop.value + 1}")
    except RecursionError:
        return BadRecord("nested too deeply")
    return value if end == len(line) else BadRecord(f"Extra data at character {end + 1}")


def _kind(value: Any) -> str:
    return {list: "an array", str: "a string", _Number: "a number", bool: "true or false", type(None): "null"}.get(type(value), "no object")


def _nested_text(value: Any, depth: int) -> str:
    """A value as JSON text, numbers as delivered; of a plain value, its own text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _json_text(value, depth)


def _json_text(value: Any, depth: int) -> str:
    if depth == 0:
        raise BadRecord("nested too deeply")
    if type(value) is _Number:
        return value
    if type(value) is _Repeating:
        raise BadRecord("an object in the record names a key twice")
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{_json_text(v, depth - 1)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_json_text(v, depth - 1) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False)


class _Window:
    """A document, of which only the part being parsed is held."""

    def __init__(self, text: TextStream, limits: Limits) -> None:
        self._text = text
        self._limits = limits
        self._held = ""
        self._position = 0
        self._finished = False

    def _more(self) -> bool:
        """Read on; False at the end of the document."""
        if self._finished:
            return False
        piece = self._text.read(max(READ_CHARACTERS, len(self._held) - self._position))
        self._finished = not piece
        self._held = self._held[self._position :] + piece
        self._position = 0
        return bool(piece)

    def peek(self) -> str:
        """The next character that is no white space, '' at the end."""
        while True:
            space = _SPACE.match(self._held, self._position)
            assert space is not None
            self._position = space.end()
            if self._position < len(self._held):
                return self._held[self._position]
            if not self._more():
                return ""

    def take(self, expected: str) -> None:
        found = self.peek()
        if found != expected:
            raise UnreadableFile(self._broken(f"'{expected}' expected" if found else f"it ends where '{expected}' is expected"))
        self._position += 1

    def value(self) -> Delivered:
        """The next value; its text only where it is no object that may become a row."""
        if not self.peek():
            raise UnreadableFile(self._broken("it ends where a value is expected"))
        while True:
            try:
                value, end = _scan_value(self._held, self._position)
            except (json.JSONDecodeError, StopIteration) as error:
                if self._too_long() or not self._more():
                    raise UnreadableFile(self._broken(getattr(error, "msg", "Expecting value"))) from None
                continue
            except RecursionError:
                raise UnreadableFile(self._broken("it is nested too deeply")) from None
            if end == len(self._held) and self._more():
                continue
            text = "" if type(value) is dict else self._held[self._position : end]
            length = end - self._position
            self._position = end
            return Delivered(value, length, text)

    def _too_long(self) -> bool:
        return len(self._held) - self._position > self._limits.record_bytes

    def _broken(self, why: str) -> str:
        if self._too_long():
            return f"the JSON is broken or one record is longer than the limit of {self._limits.record_bytes:,} characters ({why})"
        return f"the JSON is broken or cut off ({why}); have it delivered again"

    def expect_end(self) -> None:
        if self.peek():
            raise UnreadableFile("the JSON document goes on after its end; if each line is a record of its own, say 'kind: ndjson'")


def _walk(window: _Window, path: list[str], whole: list[str]) -> Iterator[Delivered]:
    """The records at a path of keys; the rest of the document is parsed and dropped."""
    if not path:
        yield from _elements(window, whole)
        return
    found = False
    window.take("{")
    while window.peek() != "}":
        key = window.value().value
        if type(key) is not str:
            raise UnreadableFile("the JSON is broken (a key is expected); have it delivered again")
        window.take(":")
        if key == path[0] and not found:
            found = True
            yield from _walk(window, path[1:], whole)
        else:
            window.value()
        if window.peek() != "}":
            window.take(",")
    window.take("}")
    if not found:
        raise UnreadableFile(f"the document has no '{path[0]}' where 'records: {'.'.join(whole)}' looks for it")


def _elements(window: _Window, whole: list[str]) -> Iterator[Delivered]:
    start = window.peek()
    if start == "[":
        window.take("[")
        while window.peek() != "]":
            yield window.value()
            if window.peek() != "]":
                window.take(",")
        window.take("]")
        return
    single = window.value()
    if isinstance(single.value, dict):
        yield single
    elif single.value is not None:
        where = f"at '{'.'.join(whole)}'" if whole else "in the document"
        raise UnreadableFile(f"{where} stands {_kind(single.value)}, not an array of records")
