"""xml: the records of a document, one element after the other; what has been read is forgotten.

The characters are decoded here, by the contract's encoding or the declared one, and parsed by libxml2 without any reach: no DTD is
loaded, no entity resolved, nothing fetched. A column is named by its path below the record: ``tel``, ``caller/name``, ``@id``,
``caller/@kind``; namespaces are left out. Text of the record's own is the column ``.``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from lxml import etree

from dagster_project.contracts.model import DECLARED, Format
from dagster_project.ingest.decode import ByteStream, Limits, Peeked, TextStream, codec_name, open_characters
from dagster_project.ingest.readers.header import Request
from dagster_project.ingest.readers.keyed import BadRecord, Delivered, KeyedRows
from dagster_project.ingest.readers.raw import RawChunk, RawReject, UnreadableFile

READ_CHARACTERS = 1 << 16
ANY_NAME = "*"
_DECLARATION = re.compile(rb"""\s*<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]*)["']""")
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))
_SUPERSETS = {"gb2312": "gb18030", "gbk": "gb18030"}


def read_xml(stream: ByteStream, file_name: str, format: Format, request: Request, limits: Limits) -> Iterator[RawChunk | RawReject]:
    """Read an xml document. A broken document is an UnreadableFile at the row reached; its records so far are yielded."""
    text = _declared_characters(stream) if format.encoding == DECLARED else open_characters(stream, format.encoding)
    assert format.records is not None
    document = _Document(format.records.strip("/").split("/"), limits)
    first_only = format.repeated_columns == "first"
    return KeyedRows(file_name, request, "bad_xml", lambda value: _one_text(value, first_only)).of(document.records(text))


def _declared_characters(stream: ByteStream) -> TextStream:
    """The document in the encoding that it declares. GB2312 and GBK are read as GB18030: what declares them often holds more."""
    peeked = Peeked(stream, 1024)
    marked = next((codec for mark, codec in _MARKS if peeked.head.startswith(mark)), None)
    if marked is not None:
        return open_characters(peeked, marked)
    declaration = _DECLARATION.match(peeked.head)
    if declaration is None:
        return open_characters(peeked, "utf-8")
    name = declaration[1].decode()
    try:
        codec = codec_name(name)
    except UnreadableFile:
        raise UnreadableFile(f"declares the encoding '{name}', which is none; say the right 'encoding' in the contract") from None
    if codec.startswith(("utf-16", "utf-32")):
        raise UnreadableFile(f"declares the encoding '{name}' and is not written in it; say the right 'encoding' in the contract")
    return open_characters(peeked, _SUPERSETS.get(codec, codec))


class _Repeated(list[Any]):
    """The values of an element that comes more than once in a record."""

    def __init__(self, name: str, first: str | None) -> None:
        super().__init__([first])
        self.name = name


def _one_text(value: Any, first_only: bool) -> str | None:
    assert isinstance(value, _Repeated)
    if not first_only:
        raise BadRecord(f"'{value.name}' comes {len(value)} times in the record; 'repeated_columns: first' would read the first")
    first: str | None = value[0]
    return first


class _Document:
    """A document on its way through the parser, and how much of it is held."""

    def __init__(self, path: list[str], limits: Limits) -> None:
        self._path = path
        self._limits = limits
        # Only elements of these names come out of the parser as events: each event costs as much as the parsing of its element.
        names = {path[0], *path[-2:]}
        self._parser = etree.XMLPullParser(
            ("start", "end"), tag=[f"{{*}}{name}" for name in sorted(names)], encoding="utf-8", resolve_entities=False, no_network=True,
            load_dtd=False, dtd_validation=False, huge_tree=False, remove_comments=True, remove_pis=True,
        )  # fmt: skip
        self._root: etree._Element | None = None
        self._parent_seen = len(path) == 1
        self._held = 0

    def records(self, text: TextStream) -> Iterator[Delivered]:
        """Every record. Raises UnreadableFile behind the records before it."""
        fed = 0
        while piece := text.read(READ_CHARACTERS):
            fed += len(piece)
            self._held += len(piece)
            failure = self._feed(piece)
            yield from self._completed()
            if failure is not None:
                raise failure
            if self._root is None and fed > self._limits.record_bytes:
                raise self._without_records("")
            if self._prune() and self._held > self._limits.record_bytes:
                raise UnreadableFile(f"one record is longer than the limit of {self._limits.record_bytes:,} characters")
        if not fed:
            raise UnreadableFile("is empty: it holds no XML document")
        try:
            root = self._parser.close()
        except etree.XMLSyntaxError as error:
            yield from self._completed()
            raise _broken(error) from None
        yield from self._completed()
        if not self._parent_seen or self._root is None:
            raise self._without_records(f"; its root is '{_local(root.tag)}'")

    def _without_records(self, what: str) -> UnreadableFile:
        where = "/".join(self._path)
        return UnreadableFile(f"the document has no element '{where}' where 'records' looks for it{what}")

    def _feed(self, piece: str) -> UnreadableFile | None:
        try:
            self._parser.feed(piece.encode())
        except etree.XMLSyntaxError as error:
            return _broken(error)
        return None

    def _completed(self) -> Iterator[Delivered]:
        for event, element in self._parser.read_events():
            if event == "start":
                if self._root is None and element.getparent() is None:
                    _refuse_entities(element)
                    self._root = element
                self._parent_seen = self._parent_seen or _stands_at(element, self._path[:-1])
            elif _stands_at(element, self._path):
                yield _delivered(element)
                element.clear()
                self._held = 0

    def _prune(self) -> bool:
        """Forget what is complete and no part of a record that is still open; whether one may be."""
        node, depth = self._root, 1
        while node is not None:
            if depth == len(self._path) and _stands_at(node, self._path):
                return True
            del node[:-1]
            node, depth = (node[-1], depth + 1) if len(node) else (None, depth)
        return False


def _stands_at(element: etree._Element, path: list[str]) -> bool:
    """Whether these are the names from the root to the element."""
    node: etree._Element | None = element
    for name in reversed(path):
        if node is None or name not in {ANY_NAME, _local(node.tag)}:
            return False
        node = node.getparent()
    return node is None


def _broken(error: etree.XMLSyntaxError) -> UnreadableFile:
    """The parser's words may quote the document, so that its error code is told instead."""
    last = error.error_log.last_error if error.error_log else None
    code = (last.type_name if last is not None else "ERR_SYNTAX").removeprefix("ERR_").replace("_", " ").lower()
    return UnreadableFile(f"the XML is broken or cut off ({code}, line {error.lineno or 1:,}); have it delivered again")


def _refuse_entities(root: etree._Element) -> None:
    declared = root.getroottree().docinfo.internalDTD
    if declared is not None and next(iter(declared.iterentities()), None) is not None:
        raise UnreadableFile("declares entities of its own, which are never resolved; have it delivered without a document type")


@lru_cache(maxsize=4096)
def _local(tag: Any) -> str:
    return str(tag).rpartition("}")[2]


def _delivered(record: etree._Element) -> Delivered:
    row: dict[str, Any] = {}
    try:
        _put_element(row, record, "")
    except BadRecord as bad:
        return Delivered(bad, 0, "".join(str(text) for text in record.itertext()))
    return Delivered(row, sum(len(value) for value in row.values() if value is not None), "")


def _put_element(row: dict[str, Any], element: etree._Element, path: str) -> None:
    """Enter attributes, text and children of an element under their paths."""
    below = f"{path}/" if path else ""
    for name, value in element.items():
        _put(row, f"{below}@{_local(name)}", value)
    text = element.text or ""
    for child in element:
        tag = child.tag
        if not isinstance(tag, str):
            raise BadRecord("an entity in the record is not resolved; have it delivered with plain characters")
        name = below + _local(tag)
        if len(child) or child.keys():
            _put_element(row, child, name)
        else:
            _put(row, name, child.text or None)
        text += child.tail or ""
    if text.strip() or (path and not len(element)):
        _put(row, path or ".", text or None)


def _put(row: dict[str, Any], name: str, value: str | None) -> None:
    before = row.get(name)
    if name not in row:
        row[name] = value
    elif isinstance(before, _Repeated):
        before.append(value)
    else:
        row[name] = _Repeated(name, before)
        row[name].append(value)
