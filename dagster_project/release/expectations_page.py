"""What Great Expectations found, as one page for people: self-contained, without scripts and without a link to anywhere."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from dagster_project.audit.expected import EXPECTED, Expectation
from dagster_project.audit.verdict import Verdict

STYLE = """
body { font: 15px/1.5 system-ui, "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem;
  color: #1c2733; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; display: inline; } h3 { font-size: 1rem; margin: 1rem 0 .3rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; font-size: .9rem; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid #d8dee6; vertical-align: top; }
th { font-weight: 600; background: #f3f6f9; } td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
summary { cursor: pointer; padding: .4rem 0; } .passed { color: #1a6b3a; } .failed { color: #a3211b; font-weight: 600; }
.quiet { color: #5b6875; } .rows { overflow-x: auto; }
@media (prefers-color-scheme: dark) { body { color: #dde4ea; background: #14191f; } th { background: #222a33; }
  th, td { border-color: #36414d; } .passed { color: #6fcf97; } .failed { color: #ff8a80; } .quiet { color: #9aa7b4; } }
"""
PREFIX = "gx:"
TABLE_OF_SUITE = {"kpi": "kpi", "kpi keys": "kpi", "fct_kpi_count keys": "fct_kpi_count", "fct_kpi_count days": "fct_kpi_count"}
ALL_TABLES = "各表 all tables"

Result = Mapping[str, Any]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.6g}"


def _expected(expectation: Expectation) -> str:
    arguments = expectation.arguments
    if "column_A" in arguments:
        return f"{arguments['column_A']} ≥ {arguments['column_B']}"
    column = arguments["column"]
    if "value_set" in arguments:
        member = "∉" if "not_be_in_set" in expectation.type else "∈"
        return f"{column} {member} {{{', '.join(map(str, arguments['value_set']))}}}"
    low, high = arguments.get("min_value"), arguments.get("max_value")
    if low is None and high is None:
        return f"{column} {'≠' if 'not_be_null' in expectation.type else '='} null"
    if low == high:
        return f"{column} = {_number(low)}"
    return f"{'' if low is None else f'{_number(low)} ≤ '}{column}{'' if high is None else f' ≤ {_number(high)}'}"


def _observed(group: Result | None, check: str) -> str:
    low, high = (group or {"observed": {}})["observed"].get(check, (None, None))
    return "–" if low is None else _number(low) if low == high else f"{_number(low)} … {_number(high)}"


def _cells(cells: Iterable[tuple[str, str]]) -> str:
    return "".join(f'<td class="{kind}">{escape(text)}</td>' if kind else f"<td>{escape(text)}</td>" for kind, text in cells)


def _head(*names: str) -> str:
    return f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in names)}</tr>"


def _verdict_words(verdict: Verdict) -> tuple[str, str]:
    if verdict.passed:
        return "passed", "✓ 通过 passed"
    return "failed", "✗ 未通过，阻止发布 failed, blocks" if verdict.severity == "block" else "✗ 未通过，提醒 failed, warns"


def _offending(verdict: Verdict) -> str:
    if verdict.passed:
        return ""
    words = f'<p class="failed">{escape(verdict.zh)} {escape(verdict.check)}：{escape(verdict.detail)}<br>{escape(verdict.action)}</p>'
    if not verdict.rows:
        return words
    names = list(verdict.rows[0])
    rows = "".join(f"<tr>{_cells(('', '' if r.get(n) is None else str(r.get(n))) for n in names)}</tr>" for r in verdict.rows)
    return f'{words}<div class="rows"><table>{_head(*names)}{rows}</table></div>'


def _rows_of_suite(product: str, result: Result, verdicts: Mapping[str, Verdict]) -> list[tuple[str, str]]:
    """A line of the table for every table and expectation of a suite, with the name of its table."""
    lines = []
    groups = [g for g in result["groups"] if g["product"] == product]
    for expectation in EXPECTED[result["name"]]:
        verdict = verdicts.get(f"{PREFIX}{result['name']}: {expectation.check}")
        if verdict is None:
            continue
        kind, words = _verdict_words(verdict)
        for group in groups or [None]:
            table = TABLE_OF_SUITE.get(result["name"]) or (group or {}).get("table") or ALL_TABLES
            cells = (
                ("", table),
                ("", f"{expectation.zh} {expectation.check}"),
                ("", _expected(expectation)),
                ("n", f"{group['rows']:,}" if group else "0"),
                ("n", _observed(group, expectation.check)),
                (kind, words),
            )
            lines.append((table, f"<tr>{_cells(cells)}</tr>"))
    return lines


def _section(product: str, title: str, results: Sequence[Result], verdicts: Mapping[str, Verdict]) -> str:
    failed = [v for v in verdicts.values() if not v.passed]
    lines = sorted((line for result in results for line in _rows_of_suite(product, result, verdicts)), key=lambda line: line[0])
    head = _head("表 table", "检查 check", "期望 expected", "行数 rows judged", "观测 observed", "结果 result")
    state = '<span class="failed">✗</span>' if failed else '<span class="passed">✓</span>'
    tally = f"{len(verdicts) - len(failed)} / {len(verdicts)}"
    return (
        f'<details id="{escape(product)}"{" open" if failed else ""}><summary>{state} <h2>{escape(product)}</h2> '
        f'<span class="quiet">{escape(title)} · {tally}</span></summary>'
        f"{''.join(map(_offending, failed))}<table>{head}{''.join(line for _, line in lines)}</table></details>"
    )


def expectations_page(
    as_of: dt.date, version: str, results: Sequence[Result], verdicts: Iterable[Verdict], titles: Mapping[str, str]
) -> str:
    """The page of a release. ``results`` are the worker's, ``verdicts`` those of the gate, ``titles`` product to its words."""
    of_product: dict[str, dict[str, Verdict]] = {}
    for verdict in verdicts:
        if verdict.check.startswith(PREFIX):
            of_product.setdefault(verdict.product, {})[verdict.check] = verdict
    failing = sum(not v.passed for found in of_product.values() for v in found.values())
    summary = "".join(
        f"<tr>{_cells((('', product), ('', titles.get(product, '')), ('n', str(len(found))), _tally(found)))}</tr>"
        for product, found in sorted(of_product.items())
    )
    sections = "".join(_section(product, titles.get(product, ""), results, found) for product, found in sorted(of_product.items()))
    broken = "".join(f'<p class="failed">{escape(r["name"])}：{escape(str(r["error"]))}</p>' for r in results if r["error"])
    return (
        '<!doctype html>\n<html lang="zh"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>数据期望检查 Expectations {escape(version)}</title><style>{STYLE}</style></head><body>"
        f"<h1>数据期望检查 What Great Expectations found</h1><p>版本 release {escape(version)} · 处理日 night {as_of} · "
        f"{sum(map(len, of_product.values()))} 项检查 checks · {failing} 项未通过 failed</p>{broken}"
        f"<table>{_head('产品 product', '名称 name', '检查 checks', '未通过 failed')}{summary}</table>{sections}</body></html>\n"
    )


def _tally(found: Mapping[str, Verdict]) -> tuple[str, str]:
    failed = sum(not v.passed for v in found.values())
    return ("failed", str(failed)) if failed else ("passed", "0")
