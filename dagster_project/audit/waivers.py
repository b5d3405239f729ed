"""Waivers: failed checks that a person answers for, by name, with a reason, until a day.

``<home>/waivers.yaml`` lists them. A waiver lets one product out although one check of it failed, of one source where it names one; the
failure, who waived it, why and until when are printed in the release.

Only what a person can know better than the pool may be waived (WAIVABLE): that a delivery is what it is. What proves that the figures are
what they claim to be may not: nobody's word makes rows that were lost come back (balance), a sum right (additivity, partitions, the
arithmetic of values and bounds), a model built, a column what analysts were promised, or a personal value public.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from dagster_project.audit.verdict import NOT_AUDITED, Verdict
from dagster_project.contracts.document import line_of, parse
from dagster_project.contracts.load import survey
from dagster_project.contracts.personal_values import masked
from dagster_project.contracts.problems import ContractProblem, DocumentPath, did_you_mean, dotted
from dagster_project.home import Home
from dagster_project.ingest.receipts import Receipts

KPI_CATALOGUE = Path(__file__).resolve().parents[2] / "dbt" / "seeds" / "kpi_catalogue.csv"
"""Names the product of every figure, whatever night this home built last."""
WAIVABLE: Mapping[str, str] = {
    "deliveries": "somebody knows that the figures may go out without the delivery that is held",
    "shrinkage": "the rows of a full extract are really gone",
    "emptied": "the column is really empty from now on",
    "detached": "the rows that are named are known to come later",
    "reversed": "the times are known to be wrong in the system itself",
    "rows": "the product is known to have no figure",
}
"""Check to why a person may know better."""

REQUIRED = ("product", "check", "reason", "by", "until")
KEYS = (*REQUIRED, "source")
SHORTEST_REASON = 10
OF_SOURCES = frozenset(WAIVABLE) - {"rows"}


class WaiverError(ValueError):
    """A waiver that cannot be written; the message says what would be right."""


@dataclass(frozen=True)
class Waiver:
    """That ``by`` answers for a failed ``check`` of ``product`` (only by ``source``, if one is named) up to the night ``until``."""

    product: str
    check: str
    reason: str
    by: str
    until: dt.date
    source: str = ""

    @property
    def words(self) -> str:
        return f"waived by {self.by} until {self.until}: {self.reason}"

    @property
    def what(self) -> str:
        return f"waiver of {self.check}" + (f" of {self.source}" if self.source else "") + f" for {self.product}"

    def as_dict(self) -> dict[str, str]:
        return {**asdict(self), "until": self.until.isoformat()}

    def as_masked(self) -> dict[str, str]:
        """What may be recorded of a waiver as somebody typed it."""
        return {name: masked(value) for name, value in self.as_dict().items()}


@dataclass(frozen=True)
class Waivers:
    """The waivers of a home, or what is wrong with their file: then none counts."""

    listed: tuple[Waiver, ...] = ()
    problems: tuple[ContractProblem, ...] = ()

    def of_source(self, verdict: Verdict, product: str, as_of: dt.date) -> Verdict:
        """The verdict on a source as it counts for a product."""
        return self._over(verdict, as_of, [w for w in self.listed if w.product == product and w.source == verdict.source])

    def of_product(self, verdict: Verdict, as_of: dt.date) -> Verdict:
        return self._over(verdict, as_of, [w for w in self.listed if w.product == verdict.product and not w.source])

    def _over(self, verdict: Verdict, as_of: dt.date, candidates: Iterable[Waiver]) -> Verdict:
        fitting = next((w for w in candidates if w.check == verdict.check and as_of <= w.until), None)
        if fitting is None or not verdict.blocks or verdict.detail.startswith(NOT_AUDITED):
            return verdict
        return replace(verdict, waived=fitting.words, detail=f"{verdict.detail} [{fitting.words}]")

    def remarks(self, verdicts: Sequence[Verdict], products: Iterable[str], as_of: dt.date) -> list[tuple[str, str]]:
        """Product and what is to be said of its waivers: a file that cannot be read, one that expired, one that nothing needed."""
        known = sorted(products)
        if self.problems:
            return [(product, f"no waiver counts: {self.problems[0]}") for product in known]
        used = {(v.product, v.check) for v in verdicts if v.waived}
        said = []
        for waiver in self.listed:
            if waiver.product not in known:
                hint = did_you_mean(waiver.product, known)
                said += [(product, f"{waiver.what}: there is no such product" + (f" ({hint})" if hint else "")) for product in known]
            elif as_of > waiver.until:
                said.append((waiver.product, f"{waiver.what} expired on {waiver.until}: it does nothing"))
            elif (waiver.product, waiver.check) not in used:
                said.append((waiver.product, f"{waiver.what} is not needed: remove it"))
        return said


def load_waivers(home: Home) -> Waivers:
    """The waivers of a home; none when it has no file."""
    try:
        text = home.waivers.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Waivers()
    except (OSError, UnicodeDecodeError) as wrong:
        return Waivers(problems=(ContractProblem(home.waivers, 1, "", f"cannot be read as UTF-8 text: {type(wrong).__name__}"),))
    return read_waivers(home.waivers, text)


def read_waivers(file: Path, text: str) -> Waivers:
    """The waivers of a text, all or none: what is wrong is said with line and what would be right."""
    try:
        document = parse(text)
    except yaml.MarkedYAMLError as wrong:
        line = int(wrong.problem_mark.line) + 1 if wrong.problem_mark else 1
        return Waivers(problems=(ContractProblem(file, line, "", f"not YAML: {wrong.problem or wrong.context}"),))
    if document is None:
        return Waivers()
    problems: list[ContractProblem] = []

    def wrong_at(path: DocumentPath, message: str, suggestion: str | None = None) -> None:
        problems.append(ContractProblem(file, line_of(text, path), dotted(path), message, suggestion))

    listed: list[Waiver] = []
    if not isinstance(document, dict) or not isinstance(document.get("waivers"), list) or set(document) != {"waivers"}:
        wrong_at((), "the file holds one key 'waivers' with a list", "waivers: [{product, check, reason, by, until}]")
        return Waivers(problems=tuple(problems))
    for place, raw in enumerate(document["waivers"]):
        before = len(problems)
        at: DocumentPath = ("waivers", place)
        if not isinstance(raw, dict):
            wrong_at(at, "a waiver is a mapping of keys", ", ".join(KEYS))
            continue
        _check_waiver(raw, at, wrong_at)
        if len(problems) == before:
            given = {key: masked(str(value).strip()) for key, value in raw.items() if key != "until"}
            waiver = Waiver(**given, until=dt.date.fromisoformat(raw["until"]))
            if waiver in listed:
                wrong_at(at, "this waiver stands here already", "remove one")
            listed.append(waiver)
    return Waivers(() if problems else tuple(listed), tuple(problems))


def _check_waiver(raw: Mapping[str, Any], at: DocumentPath, wrong_at: Any) -> None:
    for key in raw:
        if key not in KEYS:
            wrong_at((*at, key), f"unknown key '{key}'", did_you_mean(key, KEYS))
    for key in REQUIRED:
        if key not in raw:
            wrong_at((*at, key), f"the key '{key}' is missing")
    for key in KEYS:
        if key in raw and (not isinstance(raw[key], str) or not raw[key].strip()):
            wrong_at((*at, key), f"'{key}' is no text", "put it in quotes")
    check, until, reason = raw.get("check"), raw.get("until"), raw.get("reason")
    if isinstance(check, str) and check not in WAIVABLE:
        wrong_at((*at, "check"), f"'{check}' can not be waived", did_you_mean(check, WAIVABLE))
    if isinstance(check, str) and "source" in raw and check in WAIVABLE and check not in OF_SOURCES:
        wrong_at((*at, "source"), f"'{check}' is no check of a source", "leave 'source' out")
    if isinstance(until, str) and not _is_day(until):
        wrong_at((*at, "until"), f"'{until}' is no date", "write it as 2025-01-31")
    if isinstance(reason, str) and 0 < len(reason.strip()) < SHORTEST_REASON:
        wrong_at((*at, "reason"), f"'{reason}' tells readers nothing", f"say why in at least {SHORTEST_REASON} characters")


def _is_day(text: str) -> bool:
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def known_products() -> frozenset[str]:
    """The products that the next night audits."""
    with KPI_CATALOGUE.open(encoding="utf-8", newline="") as lines:
        return frozenset(row["product"] for row in csv.DictReader(lines))


def known_sources(home: Home) -> frozenset[str]:
    """Sources that have a contract here, or receipts in the home: its nights may know of contracts that this process does not."""
    contracts = {contract.id for contract in survey()[0].contracts}
    if not home.receipts.exists():
        return frozenset(contracts)
    with Receipts(home) as receipts:
        return frozenset(contracts | {file.source_id for file in receipts.files()})


def expect_known(home: Home, waiver: Waiver) -> None:
    """Raise WaiverError when a waiver names a product, check or source that there is not: it would do nothing, and only a night would say so."""
    products = known_products()
    if waiver.product not in products:
        raise WaiverError(f"there is no product '{waiver.product}'{_nearest(waiver.product, products)}; there are {_listed(products)}")
    if waiver.check not in WAIVABLE:
        raise WaiverError(f"'{waiver.check}' can not be waived{_nearest(waiver.check, WAIVABLE)}; what can are {_listed(WAIVABLE)}")
    if waiver.source and waiver.source not in (sources := known_sources(home)):
        raise WaiverError(f"there is no source '{waiver.source}'{_nearest(waiver.source, sources)}; 'pool sources' lists them")


def _nearest(given: str, known: Iterable[str]) -> str:
    hint = did_you_mean(given, known) or ""
    return f" ({hint})" if hint.startswith("did") else ""


def _listed(known: Iterable[str]) -> str:
    return ", ".join(sorted(known))


def add_waiver(home: Home, waiver: Waiver) -> None:
    """Append a waiver to the file of a home, whose other lines stay as they are. Raises WaiverError when it, or the file, is wrong."""
    former = home.waivers.read_text(encoding="utf-8") if home.waivers.exists() else "waivers:\n"
    given = {name: value for name, value in waiver.as_dict().items() if value}
    quoted = {name: yaml.safe_dump(value, allow_unicode=True, default_style='"', width=10_000).strip() for name, value in given.items()}
    added = "".join(f"{'  - ' if place == 0 else '    '}{name}: {value}\n" for place, (name, value) in enumerate(quoted.items()))
    text = former + ("" if former.endswith("\n") else "\n") + added
    found = read_waivers(home.waivers, text)
    if found.problems:
        raise WaiverError("\n".join(str(problem) for problem in found.problems))
    draft = home.waivers.with_suffix(".tmp")
    draft.write_text(text, encoding="utf-8")
    draft.replace(home.waivers)
