"""A mistake in a contract is told with file, line, place and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagster_project.contracts.load import ContractProblem, load_catalogue, load_contract, survey
from dagster_project.contracts.problems import ContractError

SOUND = """\
# yaml-language-server: $schema=../contract.schema.json
id: calls
title: {zh: 警情, en: Calls}
group: city
domain: call
entity: incident
owner: command_centre
systems: [S02]
cadence: daily
due: 10:30
grade: internal
landing:
  glob: call/calls/*/*.csv
  batch:
    path: calls/(\\d{8})/
    format: '%Y%m%d'
format:
  kind: csv
  encoding: gb18030
extract:
  mode: delta
  key: [incident_id]
  version: _updated_at
filter: not _is_test
columns:
  incident_id: {from: JJDBH, required: true}
  relation:
    from: GLLX
    codes: {'1': repeat, 2: chase, 03: officer}
  is_urgent: {from: JJBS, codes: {1: true, 0: false}}
  category: {from: [JQLBDM, LBDM]}
  channel: {constant: phone}
  unit_code: {from: GXDWDM, pad: 12}
  reported_at: {from: BJSJ, required: true, formats: ['%Y%m%d%H%M%S']}
  closed_at: {from: CZWBSJ, nulls: [无]}
  _updated_at: {from: GXSJ, type: timestamp}
  _is_test: {from: CSBS, type: boolean, codes: {1: true, 0: false}}
  _caller: {from: BJRXM, type: text, personal: {treatment: drop}}
rules:
  - id: closed_after_report
    expect: closed_at >= reported_at
    message: closed before reported
corrections:
  - where: unit_code = '990100'
    set: {unit_code: '990101'}
    reason: wrong code until the register is corrected
    expect: 3
"""

MISTAKES = [
    # what is written wrongly, its place in the document, words of the message, words of the suggestion
    ("encoding: gb18030", "encodng: gb18030", "format.encodng", "unknown key 'encodng'", "did you mean 'encoding'?"),
    ("required: true, formats", "requird: true, formats", "columns.reported_at.requird", "unknown key", "did you mean 'required'?"),
    ("cadence: daily", "cadence: dayly", "cadence", "'dayly' is none of", "did you mean 'daily'?"),
    ("kind: csv", "kind: cvs", "format.kind", "'cvs' is none of", "did you mean 'csv'?"),
    ("owner: command_centre\n", "", "owner", "the key 'owner' is missing", ""),
    ("[S02]", "[S02, S16]", "systems[1]", "system 'S16' must stay out of the pool", "nothing of it may be landed"),
    ("[S02]", "[S0Z]", "systems[0]", "there is no system 'S0Z'", "did you mean"),
    ("group: city", "group: City", "group", "'City' is not a name", "a-z"),
    ("from: GLLX", "from: 2013", "columns.relation.from", "2013 is read as int, text is needed", "put it in quotes"),
    ("[JQLBDM, LBDM]", "[JQLBDM, 3]", "columns.category.from[1]", "3 is read as int", "put it in quotes"),
    ("mode: delta", "mode: dleta", "extract.mode", "'dleta' is none of", "did you mean 'delta'?"),
    ("key: [incident_id]", "key: [incident]", "extract.key[0]", "'incident' is not among 'columns'", "did you mean 'incident_id'?"),
    ("version: _updated_at", "version: _updated", "extract.version", "'_updated' is not among 'columns'", "did you mean '_updated_at'?"),
    ("path: calls/(\\d{8})/", "path: calls/(\\d{8}/", "landing.batch", "is not a regular expression of RE2", ""),
    ("path: calls/(\\d{8})/", "path: calls/\\d{8}/", "landing.batch", "exactly one group", ""),
    ("glob: call/calls/*/*.csv", "glob: ../calls/*.csv", "landing.glob", "must stay below landing", ""),
    ("{treatment: drop}", "{treatment: hmac}", "columns._caller.personal", "treatment 'hmac' needs 'purpose'", ""),
    ("type: timestamp}", "required: true}", "columns._updated_at", "needs a 'type'", ""),
    ("{from: GXDWDM, pad: 12}", "{from: GXDWDM, type: text}", "columns.unit_code.type", "has its type from the entity", ""),
    ("entity: incident", "entity: incidnet", "entity", "there is no entity 'incidnet'", "did you mean 'incident'?"),
    ("id: calls", "id: call", "id", "'call' is not the name of the file", "write id: calls"),
    ("domain: call", "domain: calls", "domain", "'calls' is not the folder of the file", "write domain: call"),
    ("encoding: gb18030", "encoding: gb18003", "format.encoding", "'gb18003' is not an encoding", "did you mean 'gb18030'?"),
    ("encoding: gb18030", "encoding: hex", "format.encoding", "'hex' is not an encoding of text", ""),
    ("format: '%Y%m%d'", "format: '%Q%m%d'", "landing.batch.format", "'%Q' is not a part of a time", ""),
    ("format: '%Y%m%d'", "format: '%m%d'", "landing.batch.format", "has no year", "%Y"),
    ("['%Y%m%d%H%M%S']", "['yyyyMMdd']", "columns.reported_at.formats[0]", "is not a format of a time", "%Y-%m-%d"),
    ("  closed_at:", "  closd_at:", "columns.closd_at", "not a column of entity 'incident'", "did you mean 'closed_at'?"),
    ("2: chase", "2: chas", "columns.relation.codes.2", "'chas' is not a code of 'relation'", "did you mean 'chase'?"),
    ("JJBS, codes: {1: true", "JJBS, codes: {1: 'yes'", "columns.is_urgent.codes.1", "'yes' is not boolean", "true or false"),
    ("{constant: phone}", "{constant: 1}", "columns.channel.constant", "1 is not text", "quotes"),
    ("pad: 12", "unit: second", "columns.unit_code.unit", "'unit' is for integer and decimal columns", ""),
    ("{constant: phone}", "{batch: first_day}", "columns.channel.batch", "'batch' is for date and timestamp columns", ""),
    ("nulls: [无]", "pad: 3", "columns.closed_at.pad", "'pad' is for text columns", ""),
    ("reported_at: {from: BJSJ,", "received_at: {from: BJSJ,", "columns", "requires 'reported_at', which is not mapped", "map it"),
    ("from: GXDWDM", "from: 报警人电话", "columns.unit_code.from", "'报警人电话' looks like a person", "personal"),
    ("from: GXDWDM", "from: CPHM", "columns.unit_code.from", "looks like a plate", "drop"),
    ("from: GXDWDM", "from: phoneNumber", "columns.unit_code.from", "looks like a telephone", "hmac"),
    ("not _is_test", "not _is_tset", "filter", "'_is_tset' is not a column here", "did you mean '_is_test'"),
    ("closed_at >= reported_at", "closed_at >= > reported_at", "rules[0].expect", "is not an SQL condition", ""),
    ("closed_at >= reported_at", "count(*) > 1", "rules[0].expect", "looks at one row only", ""),
    ("closed_at >= reported_at", "_caller is not null", "rules[0].expect", "'_caller' is not a column here", ""),
    ("{unit_code: '99", "{unit_cod: '99", "corrections[0].set.unit_cod", "'unit_cod' is not among 'columns'", "did you mean 'unit_code'?"),
    ("set: {unit_code: '990101'}", "set: {unit_code: 990101}", "corrections[0].set.unit_code", "990101 is not text", "quotes"),
    ("  channel: {constant: phone}", "  category: {constant: x}", "", "the key 'category' is written twice", ""),
    ("group: city", "group: [city", "", "not YAML", ""),
    ("group: city", "group: !!python/name:os.system ''", "", "have no meaning here", ""),
]  # fmt: skip


def write_contract(root: Path, text: str, name: str = "calls", domain: str = "call") -> Path:
    path = root / domain / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(root: Path) -> tuple[ContractProblem, ...]:
    return survey([root])[1]


def test_the_sound_contract_is_sound(tmp_path: Path) -> None:
    write_contract(tmp_path, SOUND)
    (contract,) = load_catalogue([tmp_path]).contracts
    assert contract.due is not None and contract.due.isoformat() == "10:30:00"
    assert contract.columns["relation"].codes == {"1": "repeat", "2": "chase", "03": "officer"}


@pytest.mark.parametrize(("right", "wrong", "place", "message", "suggestion"), MISTAKES, ids=[f"{m[1].strip()[:40]}" for m in MISTAKES])
def test_a_mistake_is_told_with_its_line(tmp_path: Path, right: str, wrong: str, place: str, message: str, suggestion: str) -> None:
    assert SOUND.count(right) >= 1
    text = SOUND.replace(right, wrong, 1)
    path = write_contract(tmp_path, text)
    found = problems_of(tmp_path)
    told = [p for p in found if p.path == place and message in p.message]
    assert told, f"not told; told were: {[str(p) for p in found]}"
    problem = told[0]
    assert problem.file == path
    assert suggestion in str(problem)
    assert str(problem).startswith(f"{path}:{problem.line}:")
    if wrong and place and place != "columns":
        last_key = place.rpartition(".")[2].partition("[")[0]
        assert last_key in text.splitlines()[problem.line - 1] or wrong.strip() in text.splitlines()[problem.line - 1]


def test_the_line_of_a_mistake_is_the_line_where_it_stands(tmp_path: Path) -> None:
    text = SOUND.replace("2: chase", "2: chas").replace("encoding: gb18030", "encoding: gb18003")
    write_contract(tmp_path, text)
    lines = {p.path: text.splitlines()[p.line - 1].strip() for p in problems_of(tmp_path)}
    assert lines == {"format.encoding": "encoding: gb18003", "columns.relation.codes.2": "codes: {'1': repeat, 2: chas, 03: officer}"}


def test_a_key_written_twice_is_told_on_its_second_line(tmp_path: Path) -> None:
    text = SOUND.replace("group: city\n", "group: city\nowner: somebody\n")
    write_contract(tmp_path, text)
    (problem,) = problems_of(tmp_path)
    assert text.splitlines()[problem.line - 1] == "owner: command_centre"


def test_every_problem_of_every_contract_is_told_and_the_sound_ones_stay(tmp_path: Path) -> None:
    write_contract(tmp_path, SOUND.replace("kind: csv", "kind: cvs").replace("cadence: daily", "cadence: dayly"))
    write_contract(tmp_path, SOUND.replace("id: calls", "id: forms").replace("entity: incident", "entity: incidnet"), "forms")
    write_contract(tmp_path, SOUND.replace("id: calls", "id: sound"), "sound")
    catalogue, problems = survey([tmp_path])
    assert [p.path for p in problems] == ["cadence", "format.kind", "entity"]
    assert [c.id for c in catalogue.contracts] == ["sound"]
    with pytest.raises(ContractError) as failure:
        load_catalogue([tmp_path])
    assert failure.value.problems == problems
    assert str(failure.value).count("\n") == 2


def test_one_id_in_two_folders_is_told(tmp_path: Path) -> None:
    first = write_contract(tmp_path / "a", SOUND)
    write_contract(tmp_path / "b", SOUND)
    _, (problem,) = survey([tmp_path / "a", tmp_path / "b"])
    assert problem.path == "id" and str(first) in problem.message and problem.file.is_relative_to(tmp_path / "b")


def test_files_in_the_wrong_place_are_told(tmp_path: Path) -> None:
    (tmp_path / "stray.yaml").write_text(SOUND, encoding="utf-8")
    write_contract(tmp_path, SOUND).rename(tmp_path / "call" / "calls.yml")
    stray, misnamed = problems_of(tmp_path)
    assert "in none" in stray.message
    assert misnamed.suggestion == "rename it to calls.yaml"
    assert "no such folder" in problems_of(tmp_path / "absent")[0].message


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"", 1, "a mapping of keys"),
        (b"- id: calls\n", 1, "a mapping of keys"),
        (SOUND.encode("gb18030"), 3, "UTF-8"),
        (b"id: calls\nid: [1\n", 3, "not YAML"),
        (b"id: a\n---\nid: b\n", 2, "another document"),
    ],
    ids=["empty", "a list", "saved as GB18030", "open bracket", "two documents"],
)
def test_a_file_that_is_no_contract_is_told(tmp_path: Path, content: bytes, line: int, message: str) -> None:
    path = write_contract(tmp_path, "")
    path.write_bytes(content)
    (problem,) = problems_of(tmp_path)
    assert message in problem.message and problem.line == line
    with pytest.raises(ContractError, match=message):
        load_contract(path)


ENTITIES = """\
sources:
  - name: outside
    tables:
      - name: drone_flight
        columns:
          - {name: unit_code, config: {meta: {type: text, required: true}}}
          - {name: minutes, config: {meta: {type: integer, unit: minute}}}
"""
FLIGHTS = """\
id: flights
title: {zh: 飞行, en: Flights}
group: outside
domain: drone
entity: drone_flight
owner: outside
cadence: daily
grade: internal
landing: {glob: 'flights/*.csv', batch: {constant: 2024-01-01}}
format: {kind: csv, header_rows: 0, names: [unit, hours]}
extract: {mode: append}
columns:
  unit_code: {from: unit}
  minutes: {from: hours, unit: hour}
"""


def test_an_outside_folder_brings_its_own_entities(tmp_path: Path) -> None:
    (tmp_path / "entities.yml").write_text(ENTITIES, encoding="utf-8")
    write_contract(tmp_path, FLIGHTS, "flights", "drone")
    catalogue = load_catalogue([tmp_path])
    assert catalogue.entity_of(catalogue.contract("flights")).by_name["minutes"].unit == "minute"
    with pytest.raises(KeyError, match="did you mean 'flights'"):
        catalogue.contract("flihts")


@pytest.mark.parametrize(
    ("right", "wrong", "place", "message", "suggestion"),
    [
        ("unit: hour", "unit: yuan", "columns.minutes.unit", "'yuan' cannot be converted to 'minute'", ""),
        ("unit: hour", "unit: hours", "columns.minutes.unit", "not a known unit of measure", "did you mean 'hour'?"),
        ("from: hours", "from: huors", "columns.minutes.from", "not among 'format.names'", "did you mean 'hours'?"),
        ("names: [unit, hours]", "names: [unit, hours, unit]", "format.names", "names twice: unit", ""),
    ],
)
def test_units_and_names_of_a_delivery_without_header(
    tmp_path: Path, right: str, wrong: str, place: str, message: str, suggestion: str
) -> None:
    (tmp_path / "entities.yml").write_text(ENTITIES, encoding="utf-8")
    write_contract(tmp_path, FLIGHTS.replace(right, wrong), "flights", "drone")
    (problem,) = problems_of(tmp_path)
    assert (problem.path, problem.suggestion or "") == (place, suggestion)
    assert message in problem.message


def test_a_broken_file_of_entities_is_told(tmp_path: Path) -> None:
    path = tmp_path / "entities.yml"
    for text, message in (
        (ENTITIES.replace("type: integer", "type: intger"), "'intger' is none of"),
        (ENTITIES.replace("drone_flight", "incident"), "exists already"),
        ("sources: 3\n", "not shaped like a dbt source file"),
        ("sources: [\n", "not YAML"),
    ):
        path.write_text(text, encoding="utf-8")
        (problem,) = problems_of(tmp_path)
        assert problem.file == path and message in problem.message


def test_pseudonyms_must_be_hashed(tmp_path: Path) -> None:
    text = SOUND.replace("entity: incident", "entity: mediation").replace("filter: not _is_test\n", "").partition("columns:")[0]
    columns = """columns:
  incident_id: {from: JJDBH}
  dispute_id: {from: HFCS}
  opened_at: {from: HFSJ}
  parties_key: {from: LXDH, personal: {treatment: keep, reason: wanted}}
  _updated_at: {from: GXSJ, type: timestamp}
"""
    write_contract(tmp_path, text + columns)
    (problem,) = problems_of(tmp_path)
    assert problem.path == "columns.parties_key" and "pseudonyms only" in problem.message and "hmac" in (problem.suggestion or "")


def test_presence_is_yes_or_no(tmp_path: Path) -> None:
    text = SOUND.replace("entity: incident", "entity: callback").replace("filter: not _is_test\n", "").partition("columns:")[0]
    columns = """columns:
  incident_id: {from: JJDBH}
  attempt: {from: HFCS}
  called_at: {from: HFSJ}
  result: {from: HFJG}
  channel: {from: LXDH, personal: {treatment: presence}}
  has_phone: {from: LXDH, codes: {无: false}, personal: {treatment: presence}}
  _updated_at: {from: GXSJ, type: timestamp}
"""
    write_contract(tmp_path, text + columns)
    of_channel, of_codes = problems_of(tmp_path)
    assert of_channel.path == "columns.channel.personal" and "'channel' is text" in of_channel.message
    assert of_codes.path == "columns.has_phone.codes" and "nulls" in (of_codes.suggestion or "")


def test_a_reduced_source_loses_no_column_silently(tmp_path: Path) -> None:
    text = SOUND.replace("  mode: delta\n  key: [incident_id]\n  version: _updated_at\n", "  mode: append\n")
    write_contract(tmp_path, text.replace("rules:", "reduce: {by: [reported_at, unit_code, is_urgent, relation, incident_id]}\nrules:"))
    assert {p.path for p in problems_of(tmp_path)} == {"columns.category", "columns.closed_at"}
