"""Personal values at landing: keyed hashes under purpose-derived keys.

The key of a home lies in ``secrets/hmac.key`` (mode 0600) or comes from POOL_HMAC_KEY, 64 hexadecimal digits. Every purpose has its
own key, derived by HKDF-SHA-256 (RFC 5869), so that hashes of two purposes cannot be joined. No value and no key is ever part of a
message.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from dagster_project.home import Home
from dagster_project.ingest.pool import sync_folder
from dagster_project.ledger import record

KEY_FILE = "hmac.key"
NEXT_KEY_FILE = "hmac.key.next"
KEY_VARIABLE = "POOL_HMAC_KEY"
KEY_BYTES = 32
HASH_CHARACTERS = 32
_SALT = b"police data pool"
_PURPOSE_LABEL = b"purpose:"
_KEY_ID_LABEL = b"key id"
_BLANKS_AND_HYPHENS = re.compile(r"[\s\-]")


class HashKeyError(RuntimeError):
    """The key of a home cannot be used; the message says why and what to do, never the key."""


@dataclass(frozen=True)
class HashKey:
    """The master key of a home. Its ``id`` may be shown and stored; the key is left out of its representation."""

    master: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """16 hexadecimal digits that tell two keys apart and tell nothing about either."""
        return hashlib.sha256(hkdf(self.master, _SALT, _KEY_ID_LABEL, KEY_BYTES)).hexdigest()[:16]

    def for_purpose(self, purpose: str) -> bytes:
        """The 32 bytes under which values of one purpose are hashed."""
        return hkdf(self.master, _SALT, _PURPOSE_LABEL + purpose.encode(), KEY_BYTES)


def hkdf(material: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """HKDF with SHA-256 (RFC 5869)."""
    return HKDF(SHA256(), length, salt, info).derive(material)


def create_key(home: Home) -> HashKey:
    """Make the key of a new home; readable by its owner alone. Raises HashKeyError if the home has one."""
    path = home.secrets / KEY_FILE
    try:
        _write_new_key(path)
    except FileExistsError:
        raise HashKeyError(f"{path} exists; a new key would cut every link to what is in the pool") from None
    key = load_key(home)
    record(home, "key", {"key_id": key.id})
    return key


def _write_new_key(path: Path) -> None:
    """Draw a key into a file of its owner's alone, whole or not at all. Raises FileExistsError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def next_key(home: Home, begun: str | None) -> HashKey:
    """The key that a rotation goes to: the one given in POOL_HMAC_KEY, the one that the rotation ``begun`` goes to, else a new one.

    A key made here waits beside the home's own until ``adopt_next_key``.
    """
    if os.environ.get(KEY_VARIABLE):
        return load_key(home)
    waiting = home.secrets / NEXT_KEY_FILE
    if waiting.exists():
        return _read_key(waiting)
    if begun is not None and (home.secrets / KEY_FILE).exists() and load_key(home).id == begun:
        return load_key(home)
    _write_new_key(waiting)
    return _read_key(waiting)


def adopt_next_key(home: Home, key: HashKey) -> None:
    """Let the key take the place of the home's own if it is the one that waits."""
    waiting = home.secrets / NEXT_KEY_FILE
    if waiting.exists() and _read_key(waiting) == key:
        waiting.replace(home.secrets / KEY_FILE)
        sync_folder(home.secrets)


def load_key(home: Home) -> HashKey:
    """The key of a home: POOL_HMAC_KEY if set, else the file in its secrets. Raises HashKeyError."""
    given = os.environ.get(KEY_VARIABLE)
    if given:
        return HashKey(_key_bytes(given, KEY_VARIABLE))
    return _read_key(home.secrets / KEY_FILE)


def _read_key(path: Path) -> HashKey:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        raise HashKeyError(
            f"no key for hashing: {path} is missing and {KEY_VARIABLE} is not set; make one once with "
            f"'pool doctor --create-key --home {path.parent.parent}', and keep a copy where the pool is not"
        ) from None
    except (OSError, UnicodeDecodeError) as wrong:
        raise HashKeyError(f"the key {path} cannot be read: {type(wrong).__name__}") from None
    if mode & 0o077:
        raise HashKeyError(f"the key {path} is open to others (mode {mode:04o}); set it to 0600 and consider it known")
    return HashKey(_key_bytes(text, str(path)))


def _key_bytes(text: str, place: str) -> bytes:
    if not re.fullmatch(rf"[0-9a-fA-F]{{{2 * KEY_BYTES}}}", text.strip()):
        raise HashKeyError(f"{place} does not hold {2 * KEY_BYTES} hexadecimal digits")
    return bytes.fromhex(text.strip())


def hash_text(purpose_key: bytes, value: str) -> str | None:
    """The keyed hash of one value, 32 hexadecimal digits; None when nothing is left of it.

    Written forms of one value agree: full-width or not, upper or lower case, with blanks and hyphens or without.
    """
    normal = _BLANKS_AND_HYPHENS.sub("", unicodedata.normalize("NFKC", value)).upper()
    return None if not normal else hmac.digest(purpose_key, normal.encode(), "sha256").hex()[:HASH_CHARACTERS]


def hash_column(purpose_key: bytes, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Replace every text by its keyed hash, each distinct one hashed once; null stays null."""
    encoded = column.combine_chunks().dictionary_encode()
    hashed = pa.array([hash_text(purpose_key, value) for value in encoded.dictionary.to_pylist()], pa.string())
    return pa.chunked_array([hashed.take(encoded.indices)])
