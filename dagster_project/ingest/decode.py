"""Decoding: from the bytes of a delivered file to the bytes, or the text, of its content.

gz and zip are recognised by their first bytes and peeled off under limits (a small archive may expand to fill any disk); text
encodings are checked, byte order marks dropped. Nothing is ever unpacked to a named file.
"""

from __future__ import annotations

import codecs
import fnmatch
import importlib
import os
import struct
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, BinaryIO, Protocol, cast

from dagster_project.ingest.readers.raw import UnreadableFile

READ_BYTES = 1 << 20
MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What a delivered file may at most demand. A file beyond a limit is an UnreadableFile that names the limit.

    ``expanded_bytes``: of one file or archive member after decompression; ``expansion_ratio``: decompressed to compressed bytes,
    looked at from ``ratio_from_bytes`` on; ``members``: of a zip; ``record_bytes``: one row of text or one json record;
    ``document_bytes``, ``workbook_cells`` (the rectangle that a sheet spans), ``workbook_memory`` and ``workbook_seconds`` (of a
    processor): of a workbook, whose format must be read as a whole;
    ``json_depth``: levels of nested arrays and objects; ``query_seconds``: that a
    delivered database may take to be read.
    """

    expanded_bytes: int = 64 << 30
    expansion_ratio: int = 200
    ratio_from_bytes: int = 64 * MIB
    members: int = 10_000
    record_bytes: int = 16 * MIB
    document_bytes: int = 1 << 30
    workbook_cells: int = 50_000_000
    workbook_memory: int = 4 << 30
    workbook_seconds: int = 900
    json_depth: int = 64
    query_seconds: int = 900


DEFAULT_LIMITS = Limits()


class ByteStream(Protocol):
    """Bytes that are read once, from front to back. Raises UnreadableFile where the delivery is damaged."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Content:
    """One file, or one member of a zip: ``member`` is its name in there. ``seekable`` sources are plain files."""

    member: str | None
    stream: ByteStream
    plain_path: Path | None = None


_OTHER_ARCHIVES = {
    b"Rar!\x1a\x07": "RAR",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bzip2",
    b"\x28\xb5\x2f\xfd": "Zstandard",
}
_GZIP, _ZIP = b"\x1f\x8b", (b"PK\x03\x04", b"PK\x05\x06")
_OLE, _PARQUET, _SQLITE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"PAR1", b"SQLite format 3\0"
_WORKBOOKS = {"xlsx", "xls"}
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, RuntimeError, IndexError, OverflowError)
"""What zipfile raises on damaged archives."""


def open_contents(path: Path, kind: str, member: str | None = None, limits: Limits = DEFAULT_LIMITS) -> Iterator[Content]:
    """Open a delivered file and yield its content: the file itself, what is inside its gz, or each member of its zip by name.

    ``kind`` is the contract's format (a workbook is a zip that is not peeled), ``member`` a glob on member names. An archive inside an
    archive is refused. Raises UnreadableFile.
    """
    try:
        with open(path, "rb", opener=_open_no_link) as file:
            head = file.read(512)
            file.seek(0)
            if head.startswith(_GZIP):
                yield Content(None, _refusing_archives(_GzipStream(file, limits), kind, "gz"))
            elif head.startswith(_ZIP) and not _is_workbook_of(kind, file):
                yield from _zip_members(file, kind, member, limits)
            else:
                _refuse_foreign(head, kind)
                yield Content(None, file, path)
    except OSError as error:
        raise UnreadableFile(f"cannot be read: {error.strerror or type(error).__name__}") from None


def _open_no_link(path: str, flags: int) -> int:
    """What was found as a file must not have become a link out of landing since."""
    return os.open(path, flags | os.O_NOFOLLOW)


def _is_workbook_of(kind: str, file: BinaryIO) -> bool:
    """Whether a zip is to be read as a workbook. One that is a workbook while the contract says otherwise is refused."""
    try:
        with zipfile.ZipFile(file) as archive:
            is_workbook = bool({"[Content_Types].xml", "xl/workbook.xml"}.intersection(archive.namelist()))
    except ZIP_ERRORS:
        return kind in _WORKBOOKS
    finally:
        file.seek(0)
    if is_workbook and kind not in _WORKBOOKS:
        raise UnreadableFile(f"is an Excel workbook, the contract says {kind}")
    return is_workbook


def _refuse_foreign(head: bytes, kind: str) -> None:
    for magic, name in _OTHER_ARCHIVES.items():
        if head.startswith(magic):
            raise UnreadableFile(f"is a {name} archive; gz and zip are read, other archives must be unpacked before delivery")
    if head[257:262] == b"ustar":
        raise UnreadableFile("is a tar archive; gz and zip are read, other archives must be unpacked before delivery")
    if kind not in {*_WORKBOOKS, "parquet"}:
        if head.startswith(_OLE):
            raise UnreadableFile(f"is an Excel 97 workbook or another OLE document, the contract says {kind}")
        if head.startswith(_PARQUET):
            raise UnreadableFile(f"is a Parquet file, the contract says {kind}")
    if kind != "sqlite" and head.startswith(_SQLITE):
        raise UnreadableFile(f"is an SQLite database, the contract says {kind}")


class Peeked:
    """A stream whose first bytes were looked at; an error met while looking is raised behind them."""

    def __init__(self, stream: ByteStream, size: int) -> None:
        self._rest = stream
        self._error: UnreadableFile | None = None
        head = b""
        while len(head) < size:
            try:
                piece = stream.read(size - len(head))
            except UnreadableFile as error:
                self._error = error
                break
            if not piece:
                break
            head += piece
        self.head = head

    def skip(self, size: int) -> None:
        self.head = self.head[size:]

    def read(self, size: int, /) -> bytes:
        if self.head:
            taken, self.head = self.head[:size], self.head[size:]
            return taken
        if self._error is not None:
            raise self._error
        return self._rest.read(size)


def _refusing_archives(stream: ByteStream, kind: str, outer: str) -> ByteStream:
    peeked = Peeked(stream, 512)
    if peeked.head.startswith(_GZIP) or (peeked.head.startswith(_ZIP) and kind not in _WORKBOOKS):
        raise UnreadableFile(f"holds an archive inside its {outer}; deliver one level of compression")
    _refuse_foreign(peeked.head, kind)
    return peeked


class _Expansion:
    """Counts what comes out of an archive against what went in."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.out = 0

    def add(self, produced: int, consumed: int) -> None:
        self.out += produced
        limits = self._limits
        if self.out > limits.expanded_bytes:
            raise UnreadableFile(f"expands to more than the limit of {limits.expanded_bytes:,} bytes")
        if self.out > limits.ratio_from_bytes and self.out > limits.expansion_ratio * max(consumed, 1):
            raise UnreadableFile(
                f"expands more than {limits.expansion_ratio}-fold ({self.out:,} bytes out of {consumed:,}): taken for a zip bomb; "
                "if the delivery is genuine, have it delivered unpacked"
            )


class _GzipStream:
    """A gz, read member by member; never holds more than one piece of its output."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self._file = file
        self._expansion = _Expansion(limits)
        self._inflate = zlib.decompressobj(wbits=31)
        self._input = b""
        self._consumed = 0
        self._finished = False

    def read(self, size: int, /) -> bytes:
        while not self._finished:
            if not self._input:
                self._input = self._file.read(READ_BYTES)
                if not self._input:
                    raise UnreadableFile("the gz ends before its end mark: the transfer was cut off; have it delivered again")
            fed = len(self._input)
            try:
                piece = self._inflate.decompress(self._input, size)
            except zlib.error as error:
                raise UnreadableFile(f"the gz is damaged ({error}); have it delivered again") from None
            self._input = self._inflate.unconsumed_tail
            if self._inflate.eof:
                self._input = self._inflate.unused_data
                self._start_next_member()
            self._consumed += fed - len(self._input)
            self._expansion.add(len(piece), self._consumed)
            if piece:
                return piece
        return b""

    def _start_next_member(self) -> None:
        rest = self._input.lstrip(b"\0")
        while not rest:
            more = self._file.read(READ_BYTES)
            if not more:
                self._finished = True
                self._input = b""
                return
            rest = more.lstrip(b"\0")
        if not rest.startswith(_GZIP[: len(rest)]):
            raise UnreadableFile("the gz is followed by bytes that are no gz; have it delivered again")
        self._input = rest
        self._inflate = zlib.decompressobj(wbits=31)


def _member_name(info: zipfile.ZipInfo) -> str:
    """The name of a member; archivers of Chinese Windows write it in GBK and do not say so."""
    name = info.filename
    if not info.flag_bits & 0x800:
        raw = name.encode("cp437", "replace")
        for encoding in ("utf-8", "gb18030"):
            try:
                name = raw.decode(encoding)
                break
            except UnicodeDecodeError:
                continue
    return "".join(character if character.isprintable() else "\ufffd" for character in name)


def _zip_members(file: BinaryIO, kind: str, glob: str | None, limits: Limits) -> Iterator[Content]:
    try:
        archive = zipfile.ZipFile(file)
    except ZIP_ERRORS as error:
        raise UnreadableFile(f"the zip is damaged or cut off ({error}); have it delivered again") from None
    with archive:
        infos = archive.infolist()
        if len(infos) > limits.members:
            raise UnreadableFile(f"the zip holds {len(infos):,} members, more than the limit of {limits.members:,}")
        named = [(_member_name(info), info) for info in infos if not info.filename.endswith("/")]
        named = [(name, info) for name, info in named if not _is_litter(name)]
        chosen = sorted(((n, i) for n, i in named if glob is None or fnmatch.fnmatchcase(n, glob)), key=lambda pair: pair[0])
        if not chosen:
            wanted = f"no member that matches '{glob}'" if glob else "no member"
            raise UnreadableFile(f"the zip holds {wanted}; its members: {', '.join(n for n, _ in named[:20]) or 'none'}")
        twice = sorted(name for name, count in Counter(n for n, _ in chosen).items() if count > 1)
        if twice:
            raise UnreadableFile(f"the zip holds several members of the name '{twice[0]}'; have it delivered again")
        for name, info in chosen:
            try:
                stream = _open_member(archive, info, kind, limits)
            except UnreadableFile as error:
                raise UnreadableFile(f"member '{name}': {error.message}") from None
            yield Content(name, stream)


def _is_litter(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return "__MACOSX" in parts or parts[-1] in {".DS_Store", "Thumbs.db", "desktop.ini"}


def _open_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, kind: str, limits: Limits) -> ByteStream:
    if info.flag_bits & 0x1:
        raise UnreadableFile("is locked with a password; have it delivered without")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnreadableFile(f"is compressed by method {info.compress_type}; deliver zip files compressed by 'deflate'")
    _Expansion(limits).add(info.file_size, info.compress_size)
    try:
        opened = archive.open(info)
    except ZIP_ERRORS as error:
        raise UnreadableFile(f"cannot be unpacked ({error})") from None
    return _refusing_archives(_MemberStream(opened, info, limits), kind, "zip")


class _MemberStream:
    """A member of a zip, its actual size held against the limits and its check sum verified at the end."""

    def __init__(self, opened: IO[bytes], info: zipfile.ZipInfo, limits: Limits) -> None:
        self._opened = opened
        self._info = info
        self._expansion = _Expansion(limits)

    def read(self, size: int, /) -> bytes:
        try:
            piece: bytes = self._opened.read(size)
        except ZIP_ERRORS as error:
            raise UnreadableFile(f"the zip is damaged or cut off ({error}); have it delivered again") from None
        self._expansion.add(len(piece), self._info.compress_size)
        return piece


_DOUBLE_BYTE = {
    "gb18030", "gbk", "gb2312", "cp949", "euc_kr", "johab", "big5", "big5hkscs", "cp950",
    "shift_jis", "cp932", "shift_jis_2004", "shift_jisx0213", "euc_jp", "euc_jis_2004", "euc_jisx0213",
}  # fmt: skip
_LOWEST_TRAIL_BYTE = 0x30
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
    (b"\x84\x31\x95\x33", "gb18030"),
)


@dataclass(frozen=True)
class TextBytes:
    """The bytes of a text, its byte order mark removed. They are in ``codec``: the delivered encoding where its bytes can be cut
    at line ends and separators, else UTF-8, into which they are rewritten. ``offset`` is the delivered position of the first byte;
    ``verbatim``: positions are those of the delivery.
    """

    stream: ByteStream
    codec: str
    offset: int
    verbatim: bool


def codec_name(encoding: str) -> str:
    """Python's name of an encoding. Raises UnreadableFile for what is no encoding of text."""
    try:
        info = codecs.lookup(encoding)
    except LookupError:
        raise UnreadableFile(f"the contract's encoding '{encoding}' is unknown; name one of Python's, such as utf-8 or gb18030") from None
    if not getattr(info, "_is_text_encoding", True):
        raise UnreadableFile(f"the contract's encoding '{encoding}' is no encoding of text")
    return "utf-8" if info.name == "utf-8-sig" else info.name


@lru_cache(maxsize=64)
def _cut_anywhere(codec: str) -> bool:
    """Whether ASCII bytes stand for themselves and, from a double-byte character, only trail bytes of 0x30 and above can be ASCII."""
    try:
        ascii_as_is = bytes(range(128)).decode(codec) == bytes(range(128)).decode("ascii")
    except UnicodeDecodeError:
        return False
    return ascii_as_is and (codec in _DOUBLE_BYTE or codec in {"utf-8", "ascii", "iso8859-1"} or _is_charmap(codec))


def _is_charmap(codec: str) -> bool:
    try:
        module = importlib.import_module(f"encodings.{codec.replace('-', '_')}")
    except ImportError:
        return False
    return hasattr(module, "decoding_table")


def open_text(stream: ByteStream, encoding: str, separators: bytes = b"") -> TextBytes:
    """Prepare a text for being cut and parsed as bytes: check and drop its byte order mark, choose the bytes to parse.

    ``separators``: the bytes at which the text will be cut, besides line ends. A mark that contradicts the contract's encoding is an
    UnreadableFile. UTF-16 without mark is told by where its zero bytes are, little-endian if there are none.
    """
    unmarked, codec, offset = _without_mark(stream, encoding)
    if _cut_anywhere(codec) and (codec not in _DOUBLE_BYTE or all(s < _LOWEST_TRAIL_BYTE for s in separators)):
        return TextBytes(unmarked, codec, offset, True)
    return TextBytes(_Transcoded(TextStream(unmarked, codec, offset)), "utf-8", 0, False)


def open_characters(stream: ByteStream, encoding: str) -> TextStream:
    """Prepare a text for being read as characters; byte order marks as in `open_text`."""
    return TextStream(*_without_mark(stream, encoding))


def _without_mark(stream: ByteStream, encoding: str) -> tuple[ByteStream, str, int]:
    """The stream behind its byte order mark, its codec, and the length of the mark."""
    codec = codec_name(encoding)
    peeked = Peeked(stream, 1024)
    head = peeked.head
    mark, marked = next(((m, c) for m, c in _MARKS if head.startswith(m)), (b"", ""))
    if marked == "gb18030" and codec not in {"gb18030", "gbk"}:
        mark, marked = b"", ""
    agrees = marked in {"", codec} or (codec in {"utf-16", "utf-32"} and marked.startswith(codec)) or (marked, codec) == ("gb18030", "gbk")
    if not agrees:
        raise UnreadableFile(f"starts with the byte order mark of {marked.upper()}, the contract says {encoding}")
    if codec in {"utf-16", "utf-32"}:
        codec = marked or (codec + "-" + ("be" if head[0::2].count(0) > head[1::2].count(0) else "le"))
    peeked.skip(len(mark))
    return peeked, codec, len(mark)


def bad_byte(codec: str, byte: int | None, position: int | None = None) -> str:
    """The message for bytes that are not of the encoding; ``position`` in the file counts from 1."""
    what = f"byte 0x{byte:02x}" if byte is not None else "the end of the text"
    where = f" at position {position:,}" if position is not None else ""
    return f"{what}{where} is not {codec}; correct 'encoding' in the contract or have the file delivered again"


class TextStream:
    """Characters of a text; those that precede a wrong byte are delivered before the UnreadableFile."""

    def __init__(self, stream: ByteStream, codec: str, offset: int) -> None:
        self._stream = stream
        self._codec = codec
        self._decoder = codecs.getincrementaldecoder(codec)("strict")
        self._fed = offset
        self._error: UnreadableFile | None = None
        self._finished = False

    def read(self, size: int, /) -> str:
        """At most about ``size`` characters; the empty string at the end."""
        while self._error is None and not self._finished:
            piece = self._stream.read(size)
            self._finished = not piece
            try:
                text = self._decoder.decode(piece, final=self._finished)
            except UnicodeDecodeError as error:
                position = self._fed + len(piece) - len(error.object) + error.start
                self._error = UnreadableFile(bad_byte(self._codec, error.object[error.start], position + 1))
                text = error.object[: error.start].decode(self._codec)
            self._fed += len(piece)
            if text:
                return text
        if self._error is not None:
            raise self._error
        return ""


class _Transcoded:
    """A text rewritten as UTF-8 while it is read."""

    def __init__(self, text: TextStream) -> None:
        self._text = text

    def read(self, size: int, /) -> bytes:
        try:
            return self._text.read(size).encode("utf-8")
        except UnicodeEncodeError:
            raise UnreadableFile("holds an unpaired surrogate, which stands for no character; have the file delivered again") from None


def seekable(content: Content, stack: ExitStack) -> IO[bytes]:
    """A content as a file that can be read from anywhere: what comes out of an archive goes through an unnamed temporary file."""
    if content.plain_path is not None:
        return cast(IO[bytes], content.stream)
    spool = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    while piece := content.stream.read(READ_BYTES):
        spool.write(piece)
    spool.seek(0)
    return cast(IO[bytes], spool)


def read_whole(stream: ByteStream, limit: int, what: str) -> bytes:
    """All bytes of a stream that must be held as a whole. Raises UnreadableFile beyond ``limit`` bytes."""
    pieces: list[bytes] = []
    size = 0
    while piece := stream.read(READ_BYTES):
        size += len(piece)
        if size > limit:
            raise UnreadableFile(f"is larger than {limit:,} bytes, the limit for {what}; have it delivered as csv")
        pieces.append(piece)
    return b"".join(pieces)
