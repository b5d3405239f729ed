"""A failed check that a person answers for by name lets its product out, visibly; nobody's word replaces a proof."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from audit_home import NIGHT, AuditHome
from typer.testing import CliRunner

from dagster_project.audit.verdict import NOT_AUDITED, Verdict
from dagster_project.audit.waivers import WAIVABLE, Waiver, WaiverError, Waivers, add_waiver, known_products, load_waivers, read_waivers
from dagster_project.cli import app
from dagster_project.ingest.receipts import FileReceipt, Receipts
from dagster_project.ledger import entries
from dagster_project.release import PublishResult, open_current

NEXT = NIGHT + dt.timedelta(days=1)
HELD = "update receipt set status = 'held', detail = 'half a file', rows_read = 0, rows_accepted = 0, rows_quarantined = 0, rows_duplicate = 0 where source_id = 'disputes' and batch_date = date '{}'"
Publish = Callable[..., PublishResult]


def _waiver(**changes: str | dt.date) -> Waiver:
    given = {"product": "mediation", "check": "deliveries", "reason": "the rest comes on Monday", "by": "Wang", "until": NEXT}
    return Waiver(**{**given, **changes})  # type: ignore[arg-type]


def _held_night(night: dt.date = NEXT) -> dict[str, str]:
    return {
        "receipts": HELD.format(night),
        "pool_tamper": f"delete from pool_row where source_id = 'disputes' and batch_date = date '{night}'",
    }


def _gate_result(pool: AuditHome, check: str) -> list[tuple[bool, bool, str]]:
    with open_current(pool.home) as connection:
        return connection.execute(
            f"select passed, waived, detail from gate_result where product = 'mediation' and \"check\" = '{check}'"
        ).fetchall()


def test_a_waived_check_lets_its_product_out_and_says_who_why_and_until_when(pool: AuditHome, release: Publish) -> None:
    release()
    held = release(NEXT, **_held_night())
    assert set(held.report.held) == {"mediation"} and _gate_result(pool, "deliveries")[0][:2] == (False, False)
    add_waiver(pool.home, _waiver(source="disputes"))
    waived = release(NEXT, **_held_night())
    assert waived.report.held == {} and waived.is_new and waived.products["mediation"].status == "fresh"
    ((passed, is_waived, detail),) = _gate_result(pool, "deliveries")
    assert (
        (passed, is_waived) == (False, True)
        and "half a file" in detail
        and f"waived by Wang until {NEXT}: the rest comes on Monday" in detail
    )
    assert [w["by"] for w in waived.release.manifest.waivers] == ["Wang"]
    assert [e.about["product"] for e in entries(pool.home) if e.action == "waiver"] == ["mediation"]
    audit = json.loads((waived.release.path / "audit.json").read_text())
    assert [v["check"] for v in audit if v["waived"]] == ["deliveries"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"until": NIGHT}, "expired on 2024-01-31: it does nothing"),
        ({"source": "calls"}, "is not needed"),
        ({"product": "incident"}, None),
        ({"product": "mediations"}, "there is no such product (did you mean 'mediation'?)"),
    ],
)
def test_a_waiver_of_something_else_does_nothing_and_says_so(
    pool: AuditHome, release: Publish, changes: dict[str, str | dt.date], words: str | None
) -> None:
    release()
    add_waiver(pool.home, _waiver(**changes))
    held = release(NEXT, **_held_night())
    assert set(held.report.held) == {"mediation"}
    said = [detail for _, _, detail in _gate_result(pool, "waivers")]
    assert len(said) == (words is not None) and all(words in detail for detail in said if words)


def test_a_waived_source_does_not_cover_another_one(pool: AuditHome, release: Publish) -> None:
    from audit_home import contract

    pool.contracts = (*pool.contracts, contract("more", "mediation"))
    add_waiver(pool.home, _waiver(source="more"))
    held = release(NEXT, **_held_night())
    assert "mediation" in held.report.held


@pytest.mark.parametrize(
    "check", ["balance", "built", "as_of", "additivity", "needs", "dbt:additive_kpi", "gx:tables: columns as promised"]
)
def test_what_proves_the_figures_can_not_be_waived(check: str, pool: AuditHome) -> None:
    assert check not in WAIVABLE
    with pytest.raises(WaiverError, match="can not be waived"):
        add_waiver(pool.home, _waiver(check=check))
    assert not pool.home.waivers.exists()


def test_a_check_that_could_not_run_is_not_waived() -> None:
    failed = Verdict("mediation", "deliveries", "block", False, "half a file")
    waivers = Waivers((_waiver(),))
    assert not waivers.of_product(failed, NEXT).blocks
    assert waivers.of_product(replace(failed, detail=f"{NOT_AUDITED}: no such table"), NEXT).blocks
    assert waivers.of_product(failed, NEXT + dt.timedelta(days=1)).blocks


def test_a_file_that_is_wrong_waives_nothing_and_every_product_says_so(pool: AuditHome, release: Publish) -> None:
    release()
    add_waiver(pool.home, _waiver())
    pool.home.waivers.write_text(pool.home.waivers.read_text() + '  - product: "incident"\n')
    held = release(NEXT, **_held_night())
    assert set(held.report.held) == {"mediation"}
    ((passed, _, detail),) = _gate_result(pool, "waivers")
    assert not passed and "waivers.yaml:7" in detail


ENTRY = 'waivers:\n  - product: mediation\n    check: deliveries\n    reason: "the rest comes later"\n    by: Wang\n    until: 2024-02-01\n'


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (ENTRY.replace("deliveries", "delivery"), 3, "'delivery' can not be waived (did you mean 'deliveries'?)"),
        (ENTRY.replace("    by:", "    bye:"), 5, "unknown key 'bye' (did you mean 'by'?)"),
        (ENTRY.replace("    by: Wang\n", ""), 2, "the key 'by' is missing"),
        (ENTRY.replace("2024-02-01", "2024-02-31"), 6, "is no date (write it as 2025-01-31)"),
        (ENTRY.replace('"the rest comes later"', "late"), 4, "tells readers nothing"),
        (ENTRY.replace("by: Wang", "by: 7"), 5, "'by' is no text"),
        (ENTRY.replace("deliveries", "rows") + "    source: disputes\n", 7, "is no check of a source"),
        (ENTRY + ENTRY[9:], 7, "stands here already"),
        (ENTRY + "other: 1\n", 1, "one key 'waivers'"),
        (ENTRY + "    until: 2024-02-02\n", 7, "written twice"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_would_be_right(text: str, line: int, words: str) -> None:
    found = read_waivers(Path("waivers.yaml"), text)
    assert found.listed == () and found.problems[0].line == line and words in str(found.problems[0])


def test_the_command_adds_a_waiver_that_can_be_read_again(tmp_path: Path) -> None:
    home = AuditHome(tmp_path / "home").home
    home.waivers.write_text(f"# those of spring\n{ENTRY}")
    arguments = [
        "waive",
        "incident",
        "shrinkage",
        "--reason",
        '辖区合并，旧号已注销 ("merged")',
        "--by",
        "李",
        "--until",
        "2024-03-01",
        "--source",
        "call_form",
    ]
    done = CliRunner().invoke(app, [*arguments, "--home", str(home.root)])
    assert done.exit_code == 0 and "run the night again" in done.output
    first, second = load_waivers(home).listed
    assert first.by == "Wang"
    assert second == Waiver("incident", "shrinkage", '辖区合并，旧号已注销 ("merged")', "李", dt.date(2024, 3, 1), "call_form")
    assert home.waivers.read_text().startswith("# those of spring\n")
    assert [e.action for e in entries(home)] == ["waiver"]
    wrong = CliRunner().invoke(app, ["waive", "incident", "balance", *arguments[3:], "--home", str(home.root)])
    assert wrong.exit_code == 2 and "can not be waived" in wrong.output and len(load_waivers(home).listed) == 2


@pytest.mark.parametrize(
    ("product", "check", "source", "words"),
    [
        ("mediations", "deliveries", "", ("no product 'mediations' (did you mean 'mediation'?)", "clearance, community, complaint")),
        ("everything", "rows", "", ("no product 'everything'; there are clearance, community, complaint",)),
        ("incident", "delivery", "", ("'delivery' can not be waived (did you mean 'deliveries'?)", "deliveries, detached, emptied")),
        ("incident", "balance", "", ("'balance' can not be waived; what can are deliveries, detached, emptied",)),
        ("incident", "deliveries", "call_from", ("no source 'call_from' (did you mean 'call_form'?)", "pool sources")),
    ],
)
def test_a_waiver_of_what_there_is_not_is_refused_at_once(
    product: str, check: str, source: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    home = AuditHome(tmp_path / "home").home
    given = ["--reason", "the rest comes on Monday", "--by", "Wang", "--until", "2024-03-01", "--source", source]
    refused = CliRunner().invoke(app, ["waive", product, check, *given, "--home", str(home.root)])
    assert refused.exit_code == 2 and all(part in refused.output for part in words), refused.output
    assert not home.waivers.exists() and entries(home) == []


def test_a_source_that_only_the_nights_of_a_home_know_may_be_waived(tmp_path: Path) -> None:
    home = AuditHome(tmp_path / "home").home
    held = ("elsewhere", NIGHT, "elsewhere/20240131.csv", "aa", 1, 1, "", 0, 0, 0, 0, 0, 0.0, "v1", "failed")
    with Receipts(home) as receipts:
        receipts.record_undated("elsewhere", [FileReceipt(*held)])  # type: ignore[arg-type]
    given = ["--reason", "the rest comes on Monday", "--by", "Wang", "--until", "2024-03-01", "--source", "elsewhere"]
    done = CliRunner().invoke(app, ["waive", "incident", "deliveries", *given, "--home", str(home.root)])
    assert done.exit_code == 0, done.output


def test_the_products_that_may_be_waived_are_those_that_have_a_mart() -> None:
    marts = (Path(__file__).resolve().parents[2] / "dbt" / "models" / "marts").glob("mart_*.sql")
    assert known_products() == {mart.stem.removeprefix("mart_") for mart in marts} - {"site"}, "mart_site is of the product community"
