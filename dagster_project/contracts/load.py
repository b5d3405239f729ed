"""From folders of YAML to contracts and entities, or to a list of what is wrong with them, with file and line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from dagster_project.contracts.check import check_contract
from dagster_project.contracts.document import line_of, parse
from dagster_project.contracts.entities import POOL_SOURCE_YAML, Entity, EntityError, load_entities
from dagster_project.contracts.model import Contract
from dagster_project.contracts.problems import ContractError, ContractProblem, DocumentPath, Finding, did_you_mean, dotted
from dagster_project.contracts.systems import check_systems

PROJECT_SOURCES = Path(__file__).resolve().parents[1] / "sources"
ENTITIES_FILE = "entities.yml"


@dataclass(frozen=True)
class Catalogue:
    """Every contract, sorted by id; every entity by name; the file that each contract came from."""

    contracts: tuple[Contract, ...]
    entities: dict[str, Entity]
    files: dict[str, Path]

    def contract(self, source_id: str) -> Contract:
        """The contract of a source. Raises KeyError with a suggestion."""
        for contract in self.contracts:
            if contract.id == source_id:
                return contract
        hint = did_you_mean(source_id, self.files)
        raise KeyError(f"there is no source '{source_id}'" + (f" ({hint})" if hint else ""))

    def entity_of(self, contract: Contract) -> Entity:
        return self.entities[contract.entity]


def contract_folders() -> tuple[Path, ...]:
    """The project's own folder of contracts, and the folders named in POOL_SOURCES, separated as in PATH."""
    outside = [Path(part).resolve() for part in os.environ.get("POOL_SOURCES", "").split(os.pathsep) if part]
    return (PROJECT_SOURCES, *outside)


def load_contract(path: Path) -> Contract:
    """One contract, not yet checked against its entity. Raises ContractError."""
    contract, problems = _read(path)
    if contract is None:
        raise ContractError(problems)
    return contract


def load_contracts(folders: Sequence[Path] | None = None) -> tuple[Contract, ...]:
    """Every contract of the folders (those of ``contract_folders`` if none are given), checked. Raises ContractError."""
    return load_catalogue(folders).contracts


def load_catalogue(folders: Sequence[Path] | None = None) -> Catalogue:
    """Every contract and entity of the folders, checked against each other. Raises ContractError with all that is wrong."""
    chosen = contract_folders() if folders is None else tuple(folders)
    catalogue, problems = _surveyed(chosen, _state_of(chosen))
    if problems:
        raise ContractError(problems)
    return catalogue


def _state_of(folders: Sequence[Path]) -> tuple[tuple[str, int, int], ...]:
    """Every file that a survey reads, with its time of change and size."""
    files = [POOL_SOURCE_YAML, *(path for folder in folders for pattern in ("*.y*ml", "*/*.y*ml") for path in folder.glob(pattern))]
    return tuple(sorted((str(path), stat.st_mtime_ns, stat.st_size) for path in files if (stat := path.stat())))


@lru_cache(maxsize=4)
def _surveyed(folders: tuple[Path, ...], state: tuple[tuple[str, int, int], ...]) -> tuple[Catalogue, tuple[ContractProblem, ...]]:
    return survey(folders)


def survey(folders: Sequence[Path] | None = None) -> tuple[Catalogue, tuple[ContractProblem, ...]]:
    """The sound contracts of the folders, and every problem of the others, in the order of their files."""
    chosen = contract_folders() if folders is None else tuple(folders)
    entities, problems = _entities(chosen)
    contracts: dict[str, Contract] = {}
    files: dict[str, Path] = {}
    for folder in chosen:
        problems += _misplaced_files(folder)
        for path in sorted(folder.glob("*/*.yaml")):
            contract, found = _read(path)
            if contract is not None:
                found = [*found, *_checked(contract, path, files, entities)]
            problems += found
            if contract is not None and not found:
                contracts[contract.id] = contract
                files[contract.id] = path
    ordered = tuple(contracts[source_id] for source_id in sorted(contracts))
    return Catalogue(ordered, entities, files), tuple(problems)


def _entities(folders: Iterable[Path]) -> tuple[dict[str, Entity], list[ContractProblem]]:
    problems: list[ContractProblem] = []
    paths: list[Path] = []
    for folder in folders:
        path = folder / ENTITIES_FILE
        if not path.is_file():
            continue
        try:
            load_entities(*paths, path)
            paths.append(path)
        except yaml.MarkedYAMLError as wrong:
            problems.append(_syntax_problem(path, wrong))
        except EntityError as wrong:
            problems.append(ContractProblem(path, wrong.line, "", str(wrong).removeprefix(f"{path}:{wrong.line}: ")))
        except (KeyError, TypeError, AttributeError) as wrong:
            problems.append(
                ContractProblem(
                    path, 1, "", f"not shaped like a dbt source file: {wrong!r}", "sources: [{name, tables: [{name, columns}]}]"
                )
            )
    return dict(load_entities(*paths)), problems


def _misplaced_files(folder: Path) -> list[ContractProblem]:
    if not folder.is_dir():
        return [ContractProblem(folder, 1, "", "there is no such folder of contracts", "correct POOL_SOURCES")]
    problems = [
        ContractProblem(
            path, 1, "", "a contract stands in the folder of its domain, this one in none", f"move it to {folder / '<domain>' / path.name}"
        )
        for path in sorted(folder.glob("*.yaml"))
    ]
    problems += [
        ContractProblem(path, 1, "", "contracts are read from '*.yaml' only", f"rename it to {path.with_suffix('.yaml').name}")
        for path in sorted(folder.glob("*/*.yml"))
    ]
    return problems


def _read(path: Path) -> tuple[Contract | None, list[ContractProblem]]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as wrong:
        return None, [
            ContractProblem(
                path, path.read_bytes()[: wrong.start].count(b"\n") + 1, "", "a contract is UTF-8 text, this is not", "save it as UTF-8"
            )
        ]
    except OSError as wrong:
        return None, [ContractProblem(path, 1, "", f"cannot be read: {wrong.strerror}")]
    try:
        document = parse(text)
    except yaml.MarkedYAMLError as wrong:
        return None, [_syntax_problem(path, wrong)]
    except yaml.YAMLError as wrong:
        return None, [ContractProblem(path, 1, "", f"not YAML: {wrong}")]
    if not isinstance(document, dict):
        return None, [
            ContractProblem(
                path, 1, "", "a contract is a mapping of keys, this file is not", "see the JSON Schema in sources/contract.schema.json"
            )
        ]
    try:
        return Contract.model_validate(document), []
    except ValidationError as wrong:
        return None, _located(path, text, _findings(wrong, document))


def _syntax_problem(path: Path, wrong: yaml.MarkedYAMLError) -> ContractProblem:
    mark = wrong.problem_mark or wrong.context_mark
    return ContractProblem(path, int(mark.line) + 1 if mark else 1, "", f"not YAML: {wrong.problem or wrong.context}")


def _checked(contract: Contract, path: Path, files: dict[str, Path], entities: dict[str, Entity]) -> list[ContractProblem]:
    findings: list[Finding] = []
    if contract.id != path.stem:
        findings.append(Finding(("id",), f"'{contract.id}' is not the name of the file", f"write id: {path.stem}, or rename the file"))
    if contract.domain != path.parent.name:
        findings.append(
            Finding(
                ("domain",), f"'{contract.domain}' is not the folder of the file", f"write domain: {path.parent.name}, or move the file"
            )
        )
    if contract.id in files:
        findings.append(Finding(("id",), f"'{contract.id}' is taken by {files[contract.id]}", "give one of them another id"))
    findings += check_systems(contract)
    entity = entities.get(contract.entity)
    if entity is None:
        findings.append(Finding(("entity",), f"there is no entity '{contract.entity}'", did_you_mean(contract.entity, entities)))
    else:
        findings += check_contract(contract, entity)
    return _located(path, path.read_text(encoding="utf-8"), findings) if findings else []


def _located(path: Path, text: str, findings: Iterable[Finding]) -> list[ContractProblem]:
    problems = [ContractProblem(path, line_of(text, f.path), dotted(f.path), f.message, f.suggestion) for f in findings]
    return sorted(problems, key=lambda problem: problem.line)


def _findings(error: ValidationError, document: dict[str, Any]) -> list[Finding]:
    """Pydantic's errors in our words. Of a union that failed in all its branches, the deepest finding is enough."""
    findings: dict[DocumentPath, Finding] = {}
    for detail in error.errors(include_url=False):
        context: dict[str, Any] = detail.get("ctx", {})
        at = context["at"] if detail["type"] == "misplaced" else _place(detail["loc"], document)
        if detail["type"] == "missing":
            at = (*at, detail["loc"][-1])
        findings.setdefault(at, Finding(at, *_words(detail["type"], detail["msg"], detail["input"], context, at)))
    return [f for at, f in findings.items() if not any(len(other) > len(at) and other[: len(at)] == at for other in findings)]


def _place(location: DocumentPath, document: Any) -> DocumentPath:
    """The part of a pydantic location that exists in the document; the rest names branches of unions."""
    place: list[str | int] = []
    node = document
    for part in location:
        if isinstance(node, dict) and part in node:
            node = node[str(part)]
        elif isinstance(node, list) and isinstance(part, int) and part < len(node):
            node = node[part]
        else:
            continue
        place.append(part)
    return tuple(place)


def _words(kind: str, message: str, value: Any, context: dict[str, Any], at: DocumentPath) -> tuple[str, str | None]:
    key = str(at[-1]) if at else ""
    if kind == "misplaced":
        return str(context["problem"]), did_you_mean(context["word"], context["known"]) if context["known"] else None
    if kind == "extra_forbidden":
        return f"unknown key '{key}'", did_you_mean(key, _keys_allowed_at(at[:-1]))
    if kind == "missing":
        return f"the key '{key}' is missing", None
    if kind == "literal_error":
        return f"{value!r} is none of {context['expected']}", did_you_mean(str(value), re.findall(r"'([^']*)'", context["expected"]))
    if kind == "string_type" and isinstance(value, (int, float, bool)):
        return f"{value} is read as {type(value).__name__}, text is needed", "put it in quotes as it is delivered"
    if kind == "string_pattern_mismatch":
        return f"'{value}' is not a name", "names are a-z, 0-9 and _, and start with a letter"
    if kind == "value_error":
        return message.removeprefix("Value error, "), None
    return f"{message} (found {value!r})" if isinstance(value, (str, int, float, bool, type(None))) else message, None


@cache
def _schema() -> dict[str, Any]:
    return Contract.model_json_schema(by_alias=True)


def _keys_allowed_at(path: DocumentPath) -> tuple[str, ...]:
    node = _resolved(_schema())
    for part in path:
        node = _resolved(node["items"] if isinstance(part, int) else node["properties"][part] if "properties" in node else _values_of(node))
    return tuple(node.get("properties", ()))


def _values_of(node: dict[str, Any]) -> dict[str, Any]:
    """The schema of the values of a mapping with free keys."""
    patterns: dict[str, Any] = node.get("patternProperties", {})
    return next(iter(patterns.values())) if patterns else node["additionalProperties"]


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    """Follow references, and of 'this or nothing' take this."""
    while "$ref" in node or "anyOf" in node:
        node = (
            _schema()["$defs"][node["$ref"].rpartition("/")[2]]
            if "$ref" in node
            else next(n for n in node["anyOf"] if n.get("type") != "null")
        )
    return node
