"""A comparison of two releases in words and numbers, Chinese and English, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from dagster_project.release.diff import Place, ReleaseDiff, Restated, Turned

STATUS = {"fresh": "新 fresh", "stale": "旧 stale", "left_out": "缺 left out", None: "无 unknown"}
COMPARISON = {"yoy": "同比 year on year", "pop": "环比 period on period"}


def lines(diff: ReleaseDiff) -> Iterator[str]:
    """The summary, what became of products, every KPI with changes, the largest restatements, the verdicts that turned."""
    yield f"对比 Compared: {diff.before} (as of {diff.as_of_before}) → {diff.after} (as of {diff.as_of_after})"
    yield from _summary(diff)
    if diff.products:
        yield "产品 Products:"
        for p in diff.products:
            yield f"  {p.product}: {STATUS[p.before]} → {STATUS[p.after]}" + (f": {p.reason}" if p.reason else "")
    for kpis, words in ((diff.kpis_added, "新增指标 KPIs added"), (diff.kpis_gone, "取消指标 KPIs gone")):
        if kpis:
            yield f"{words}: {', '.join(kpis)}"
    if diff.kpis:
        yield "按指标 By KPI:"
        for kpi in diff.kpis:
            counted = [
                f"{n:,} {words}"
                for n, words in (
                    (kpi.restated, "restated"),
                    (kpi.of_new_periods, "of new periods"),
                    (kpi.added, "added to earlier periods"),
                    (kpi.of_new_kpi, "of a figure new as such"),
                    (kpi.gone, "gone"),
                    (kpi.turned, "turned"),
                )
                if n
            ]
            yield f"  {_named(diff, kpi.kpi_id)}: {', '.join(counted)}"
    if diff.restated:
        yield "改动最大 Largest restatements (numerator/denominator):"
        for restated in diff.restated:
            yield f"  {_where(diff, restated.place)}: {_numbers(restated)}" + (f" (and {restated.more:,} more)" if restated.more else "")
    if diff.turned:
        yield "判断改变 Verdicts that turned:"
        for turned in diff.turned:
            yield f"  {_where(diff, turned.place)}: {_verdicts(turned)}"


def _summary(diff: ReleaseDiff) -> Iterator[str]:
    if not diff.kpis and not diff.products and not diff.kpis_added and not diff.kpis_gone:
        yield "没有变化 Nothing differs."
        return
    yield (
        f"摘要 Summary: 改动 {diff.total('restated'):,} counts restated, 新期 {diff.total('of_new_periods'):,} figures of new periods, "
        f"增 {diff.total('added') + diff.total('of_new_kpi'):,} others added, 减 {diff.total('gone'):,} gone, "
        f"判断 {diff.total('turned'):,} verdicts turned; {len(diff.kpis)} KPIs"
    )


def _named(diff: ReleaseDiff, kpi_id: str) -> str:
    return " ".join((kpi_id, *diff.names.get(kpi_id, ())))


def _where(diff: ReleaseDiff, place: Place) -> str:
    sliced = f" [{place.slice}]" if place.slice else ""
    unit = f"{place.unit_code} {diff.units.get(place.unit_code, '')}".strip()
    period = str(place.period_start) if place.grain == "day" else f"{place.period_start} … {place.period_end}"
    return f"{_named(diff, place.kpi_id)}{sliced}, {unit}, {place.grain} {period}"


def _numbers(restated: Restated) -> str:
    if not restated.denominator_before and not restated.denominator_after:
        return f"{_number(restated.numerator_before)} → {_number(restated.numerator_after)}{_share(restated)}"
    before = f"{_number(restated.numerator_before)}/{_number(restated.denominator_before)}"
    return f"{before} → {_number(restated.numerator_after)}/{_number(restated.denominator_after)}"


def _number(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def _share(restated: Restated) -> str:
    if not restated.numerator_before or restated.numerator_after is None:
        return ""
    return f" ({(restated.numerator_after - restated.numerator_before) / restated.numerator_before:+.1%})"


def _verdicts(turned: Turned) -> str:
    return f"{COMPARISON[turned.comparison]}: {turned.before or '–'} → {turned.after or '–'}"
