"""The page of what Great Expectations found: whole in itself, readable, and part of what the manifest vouches for."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import duckdb
import pytest
from audit_home import NIGHT, AuditHome

from dagster_project.audit.expectations import Worker
from dagster_project.release import PublishResult, ReleaseError, gate_and_publish, verify

LINKING = {"src", "href", "srcset", "action", "data", "poster", "background"}
ACTIVE = {"script", "iframe", "object", "embed", "link", "base", "form", "img"}


class Seen(HTMLParser):
    """Every tag and attribute, and every row of a table as its cells."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, expectations_worker: Worker) -> PublishResult:
    """A night on which mediation prints a wrong value and the other product is sound."""
    pool = AuditHome(tmp_path_factory.mktemp("page") / "home")
    pool.build(tamper=[f"update kpi set value = 0.81 where kpi_id = 'MED-1' and unit_code = 'A' and period_start = date '{NIGHT}'"])
    return gate_and_publish(pool.home, NIGHT, pool.contracts, worker=expectations_worker)


@pytest.fixture(scope="module")
def page(published: PublishResult) -> Seen:
    return Seen((published.release.path / "expectations.html").read_text(encoding="utf-8"))


def test_the_page_loads_nothing_and_runs_nothing(page: Seen, published: PublishResult) -> None:
    assert page.tags & ACTIVE == set() and page.attributes & LINKING == set()
    assert not any(name.startswith("on") for name in page.attributes)
    raw = (published.release.path / "expectations.html").read_text(encoding="utf-8")
    assert "://" not in raw and "@import" not in raw and "url(" not in raw


def test_every_product_and_table_is_there_with_what_was_observed(page: Seen) -> None:
    proportion = [r for r in page.rows if len(r) == 6 and r[1] == "比例在0与1之间 proportion within 0 and 1"]
    assert [(r[0], r[2]) for r in proportion] == [("kpi", "0 ≤ proportion ≤ 1")] * 2
    assert {r[4] for r in proportion} == {"–", "0.8 … 0.81"}, "one product counts proportions, the other none"
    assert all(int(r[3].replace(",", "")) > 0 for r in proportion)
    assert {"mart_incident", "mart_mediation"} <= {r[0] for r in page.rows if len(r) == 6}


def test_what_failed_is_shown_with_its_rows_and_what_to_do(page: Seen) -> None:
    failing = [r for r in page.rows if len(r) == 6 and "未通过" in r[5] and r[0] != "表 table"]
    assert [(r[0], r[1]) for r in failing] == [("kpi", "数值由其计数得出 value of its counts")]
    assert ["mediation", "表 mart_mediation"] in [r[:2] for r in page.rows] and "Recompute the row from its counts" in page.text
    assert any("0.81" in r and "MED-1" in r for r in page.rows)


def test_the_table_of_results_names_the_check_in_chinese_and_holds_the_rows(published: PublishResult) -> None:
    with duckdb.connect(str(published.release.database), read_only=True) as release:
        (found,) = release.execute("select check_zh, owner, action, offending_rows from gate_result where not passed").fetchall()
    check_zh, owner, action, rows = found
    assert check_zh == "数值由其计数得出" and owner and action
    assert [(r["kpi_id"], r["unit_code"], r["value"]) for r in json.loads(rows)] == [("MED-1", "A", 0.81)]


def test_the_manifest_vouches_for_the_page(published: PublishResult) -> None:
    assert "expectations.html" in published.release.manifest.files
    verify(published.release)
    file = published.release.path / "expectations.html"
    file.parent.chmod(0o700)
    file.chmod(0o600)
    file.write_text(file.read_text(encoding="utf-8") + " ", encoding="utf-8")
    with pytest.raises(ReleaseError, match=r"expectations\.html was altered"):
        verify(published.release)
