"""Keys, keyed hashes, and what may be shown of a personal value."""

from __future__ import annotations

import stat
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from ingest_kit import KEY, convert, make_contract, make_entity

from dagster_project.home import Home
from dagster_project.ingest.deidentify import KEY_VARIABLE, HashKey, HashKeyError, create_key, hash_column, hash_text, hkdf, load_key
from dagster_project.ingest.mapping import Mapping
from dagster_project.ingest.quarantine import masked_sql, shown_sql


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    return Home.at(tmp_path).ensure()


@pytest.mark.parametrize(
    ("material", "salt", "info", "length", "output"),
    [
        (
            "0b" * 22,
            "000102030405060708090a0b0c",
            "f0f1f2f3f4f5f6f7f8f9",
            42,
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        ("0b" * 22, "", "", 42, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"),
    ],
)
def test_hkdf_gives_the_vectors_of_rfc_5869(material: str, salt: str, info: str, length: int, output: str) -> None:
    assert hkdf(bytes.fromhex(material), bytes.fromhex(salt), bytes.fromhex(info), length).hex() == output


def test_no_key_is_made_unasked(home: Home) -> None:
    with pytest.raises(HashKeyError, match="no key for hashing"):
        load_key(home)
    assert list(home.secrets.iterdir()) == []


def test_a_key_is_made_once_and_for_its_owner_alone(home: Home) -> None:
    key = create_key(home)
    path = home.secrets / "hmac.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_key(home) == key
    assert len(key.master) == 32
    with pytest.raises(HashKeyError, match="exists"):
        create_key(home)
    assert load_key(home) == key
    assert [p.name for p in home.secrets.iterdir()] == ["hmac.key"]


def test_a_key_open_to_others_is_refused(home: Home) -> None:
    create_key(home)
    (home.secrets / "hmac.key").chmod(0o640)
    with pytest.raises(HashKeyError, match="open to others"):
        load_key(home)


@pytest.mark.parametrize("content", ["", "abc", "zz" * 32, "ab" * 31, "ab" * 33])
def test_a_key_of_the_wrong_form_is_refused_without_being_shown(home: Home, content: str) -> None:
    path = home.secrets / "hmac.key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(HashKeyError, match="64 hexadecimal digits") as refused:
        load_key(home)
    assert not content or content not in str(refused.value)


def test_the_environment_goes_before_the_file(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    create_key(home)
    monkeypatch.setenv(KEY_VARIABLE, "ab" * 32)
    assert load_key(home).master == bytes.fromhex("ab" * 32)


def test_a_key_is_named_without_being_told() -> None:
    other = HashKey(bytes(32))
    assert (len(KEY.id), KEY.id == KEY.id, KEY.id == other.id) == (16, True, False)
    assert KEY.id not in KEY.master.hex()
    assert KEY.master.hex() not in repr(KEY)
    assert repr(KEY.master) not in repr(KEY)


def test_one_value_hashes_alike_however_it_is_written() -> None:
    purpose = KEY.for_purpose("caller")
    written = [
        "34010019900307123x",
        "34010019900307123X",
        "３４０１００１９９００３０７１２３Ｘ",
        " 340100 19900307 123X ",
        "340100-19900307-123x",
    ]
    assert len({hash_text(purpose, text) for text in written}) == 1
    assert hash_text(purpose, "340100199003071231") != hash_text(purpose, written[0])
    assert hash_text(purpose, " - ") is None


def test_hashes_of_two_purposes_or_two_keys_cannot_be_joined() -> None:
    hashes = {hash_text(key.for_purpose(purpose), "13812345678") for key in (KEY, HashKey(bytes(32))) for purpose in ("caller", "party")}
    assert len(hashes) == 4
    assert all(h is not None and len(h) == 32 and set(h) <= set("0123456789abcdef") for h in hashes)


def test_a_column_is_hashed_text_by_text() -> None:
    purpose = KEY.for_purpose("caller")
    column = pa.chunked_array([["a", None, "b"], ["a", "-"]])
    assert hash_column(purpose, column).to_pylist() == [
        hash_text(purpose, "a"),
        None,
        hash_text(purpose, "b"),
        hash_text(purpose, "a"),
        None,
    ]


def test_of_a_personal_column_only_the_hash_is_left(home: Home) -> None:
    entity = make_entity(id="text", phone_key={"type": "text", "grade": "pseudonym"})
    contract = make_contract(
        {"id": "ID", "phone_key": {"from": "电话", "nulls": ["无"], "personal": {"treatment": "hmac", "purpose": "caller"}}}
    )
    rows = convert(
        home,
        entity,
        contract,
        [{"ID": "1", "电话": "138 1234 5678"}, {"ID": "2", "电话": "１３８１２３４５６７８"}, {"ID": "3", "电话": "无"}],
    )
    assert [r.values["phone_key"] for r in rows] == [hash_text(KEY.for_purpose("caller"), "13812345678")] * 2 + [None]


def test_of_a_value_asked_for_its_presence_only_that_is_left(home: Home) -> None:
    entity = make_entity(id="text", has_phone="boolean")
    contract = make_contract({"id": "ID", "has_phone": {"from": "电话", "nulls": ["无"], "personal": {"treatment": "presence"}}})
    delivered: list[str | None] = ["13812345678", "x", "无", " ", None]
    rows = convert(home, entity, contract, [{"ID": str(i), "电话": phone} for i, phone in enumerate(delivered)])
    assert [(r.fate, r.values["has_phone"]) for r in rows] == [("accepted", there) for there in (True, True, False, False, False)]


def test_a_dropped_column_is_never_asked_for() -> None:
    contract = make_contract({"id": "ID", "name": {"from": "姓名", "personal": {"treatment": "drop"}}})
    import datetime as dt

    mapping = Mapping(contract, make_entity(id="text"), dt.date(2024, 1, 1), None)
    assert (mapping.wanted, mapping.optional, mapping.known) == ((("ID",),), (), ("姓名",))
    assert "name" not in mapping.columns


@pytest.mark.parametrize(
    ("text", "shape"),
    [("张三", "文文"), ("Zoë 7", "xxx 9"), ("１３８-ab", "999-xx"), ("さとう", "文文文"), ("김", "文"), ("Ж1", "x9"), ("", "")],
)
def test_a_shape_tells_kinds_of_characters_only(text: str, shape: str) -> None:
    assert duckdb.execute(f"select {masked_sql('$1')}", [text]).fetchone() == (shape,)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("身份证340100199003071234", "身份证999999999999999999"),
        ("34010019900307123X,", "999999999999999999,"),
        ("电话13812345678。", "电话99999999999。"),
        ("+86 138-1234-5678", "+99999999999"),
        ("皖A12345号", "文x99999号"),
        ("皖AD12345", "文x99999"),
        ("a.b@example.org", "x@x"),
        ("A3401000000002024030001", "A3401000000002024030001"),
        ("34010000001310000001", "34010000001310000001"),
        ("20240305081530", "20240305081530"),
        ("2023-02-30", "2023-02-30"),
    ],
)
def test_what_looks_like_a_person_is_masked_in_any_cell(text: str, shown: str) -> None:
    (got,) = duckdb.execute(f"select {shown_sql('$1')}", [text]).fetchone() or ("",)
    assert got.removeprefix("+") == shown.removeprefix("+")
