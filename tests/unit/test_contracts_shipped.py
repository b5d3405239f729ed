"""The contracts that the project ships, their schema for editors, and what a contract's version depends on."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import jsonschema
import pytest

from dagster_project.contracts.document import parse
from dagster_project.contracts.json_schema import SCHEMA_FILE, schema_text, write_schema
from dagster_project.contracts.load import PROJECT_SOURCES, contract_folders, load_catalogue, load_contracts, survey
from dagster_project.contracts.personal import personal_kind
from dagster_project.contracts.version import contract_version

SHIPPED = sorted(PROJECT_SOURCES.glob("*/*.yaml"))


def test_every_shipped_contract_is_sound() -> None:
    catalogue, problems = survey([PROJECT_SOURCES])
    assert [str(p) for p in problems] == []
    assert {c.group for c in catalogue.contracts} >= {"city", "open_data"}
    assert sorted(catalogue.files.values()) == SHIPPED


def test_folders_named_in_the_environment_are_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POOL_SOURCES", f"{tmp_path}")
    assert contract_folders() == (PROJECT_SOURCES, tmp_path)
    assert [c.id for c in load_contracts()] == [c.id for c in load_contracts([PROJECT_SOURCES])]


def test_the_schema_for_editors_is_that_of_the_model(tmp_path: Path) -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), "run: python -m dagster_project.contracts.json_schema"
    assert write_schema(tmp_path / "deep" / "schema.json").read_text(encoding="utf-8") == schema_text()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_contract_names_its_schema_and_obeys_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=../contract.schema.json\n")
    jsonschema.validate(parse(text), json.loads(schema_text()))


def test_the_schema_refuses_what_the_model_refuses() -> None:
    document = parse((PROJECT_SOURCES / "call" / "call_form.yaml").read_text(encoding="utf-8"))
    document["columns"]["incident_id"]["requird"] = True
    with pytest.raises(jsonschema.ValidationError, match="requird"):
        jsonschema.validate(document, json.loads(schema_text()))


def test_a_version_names_what_a_batch_was_made_with() -> None:
    catalogue = load_catalogue([PROJECT_SOURCES])
    contract = catalogue.contract("call_form")
    entity = catalogue.entity_of(contract)
    version = contract_version(contract, entity)
    assert len(version) == 12 and int(version, 16) >= 0
    described_anew = contract.model_copy(update={"owner": "somebody_else", "cadence": "weekly"})
    assert contract_version(described_anew, entity) == version
    columns = {**contract.columns, "channel": contract.columns["channel"].model_copy(update={"codes_else": "other"})}
    in_another_order = contract.model_copy(update={"columns": dict(reversed(contract.columns.items()))})
    assert contract_version(in_another_order, entity) == version
    assert contract_version(contract.model_copy(update={"columns": columns}), entity) != version
    retyped = (dataclasses.replace(entity.columns[0], type="integer"), *entity.columns[1:])
    assert contract_version(contract, dataclasses.replace(entity, columns=retyped)) != version


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("报警人电话", "person"),
        ("LXDH", "telephone"),
        ("lxdh", "telephone"),
        ("userPhone", "telephone"),
        ("Mobile No.", "telephone"),
        ("身份证号码", "ID card"),
        ("XYR_ZJHM", "ID card"),
        ("id_card", "ID card"),
        ("号牌号码", "plate"),
        ("HPHM", "plate"),
        ("人脸图像", "face"),
        ("银行卡号", "account"),
        ("accountNumber", "account"),
        ("XM", "person"),
        ("当事人", "person"),
        ("Full Name", "person"),
        ("Longitude", "address or trajectory"),
        ("案发地经度", "address or trajectory"),
        ("轨迹点", "address or trajectory"),
        ("被害者の年齢", "attribute of a person"),
        ("AgeBandOfCasualty", "attribute of a person"),
        ("简要案情", "free text"),
    ],
)
def test_a_column_name_looks_like_a_person(name: str, kind: str) -> None:
    assert personal_kind(name) == kind


@pytest.mark.parametrize(
    "name",
    ["JJDBH", "GXDWDM", "LSOA name", "Crime ID", "Vehicle Type", "Dispatch Time", "单位名称", "案件类别", "name_zh", "Package", "指标"],
)
def test_a_column_name_looks_like_no_person(name: str) -> None:
    assert personal_kind(name) is None


def test_yaml_is_read_as_it_is_written() -> None:
    text = "a: 10:30\nb: 2015-12-31\nc: [0110, 10, -1.5, 1e3, no, true, ~, '~', '', ]\nd: {01: x, 1: y, no: z, ~: n, 是: 否}\ne:\n"
    assert parse(text) == {
        "a": "10:30",
        "b": "2015-12-31",
        "c": ["0110", 10, -1.5, "1e3", "no", True, None, "~", ""],
        "d": {"01": "x", "1": "y", "no": "z", "~": "n", "是": "否"},
        "e": None,
    }
