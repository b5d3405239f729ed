"""From a product to the entities that it reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dagster_project.audit.lineage import Lineage, ManifestError, read_lineage


def _manifest(tmp_path: Path, models: dict[str, tuple[str, list[str], dict[str, Any], list[str]]]) -> Path:
    """Model name to (folder, parents, meta, columns); a parent ``pool.x`` is a source."""

    def unique_id(name: str) -> str:
        return f"source.city.{name}" if name.startswith("pool.") else f"model.city.{name}"

    nodes = {
        unique_id(name): {
            "resource_type": "model",
            "name": name,
            "fqn": ["city", folder, name],
            "columns": {c: {"description": c} for c in columns},
            "config": {"meta": meta},
            "depends_on": {"nodes": [unique_id(p) for p in parents]},
        }
        for name, (folder, parents, meta, columns) in models.items()
    }
    parents = {p for _, ps, _, _ in models.values() for p in ps if p.startswith("pool.")}
    sources = {unique_id(p): {"resource_type": "source", "name": p.removeprefix("pool."), "source_name": "pool"} for p in parents}
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps({"metadata": {"invocation_id": "x"}, "nodes": nodes, "sources": sources}))
    return file


@pytest.fixture
def lineage(tmp_path: Path) -> Lineage:
    count_columns = ["kpi_id", "unit_code", "day"]
    return read_lineage(
        _manifest(
            tmp_path,
            {
                "stg_case": ("staging", ["pool.case"], {}, []),
                "stg_mediation": ("staging", ["pool.mediation"], {}, []),
                "dim_unit": ("intermediate", ["pool.unit"], {}, []),
                "int_count_clearance": ("intermediate", ["stg_case", "dim_unit"], {"product": "clearance"}, count_columns),
                "int_count_mediation": (
                    "intermediate",
                    ["stg_mediation", "dim_unit"],
                    {"products": ["mediation", "disputes"]},
                    count_columns,
                ),
                "int_count_unclaimed": ("intermediate", ["pool.observation"], {}, count_columns),
                "fct_kpi_count": ("marts", ["int_count_clearance", "int_count_mediation", "int_count_unclaimed"], {}, count_columns),
                "kpi": ("marts", ["fct_kpi_count"], {}, ["product", "kpi_id"]),
                "mart_clearance": ("marts", ["kpi"], {"product": "clearance"}, ["unit_code"]),
                "mart_mediation": ("marts", ["kpi", "mart_clearance"], {"product": "mediation"}, ["unit_code"]),
                "mart_disputes": ("marts", ["kpi"], {"product": "disputes"}, ["unit_code"]),
            },
        )
    )


def test_marts_make_products(lineage: Lineage) -> None:
    assert lineage.products == ("clearance", "disputes", "mediation")
    assert lineage.marts["clearance"].name == "mart_clearance"


def test_a_product_does_not_read_what_another_counts_into_the_shared_table(lineage: Lineage) -> None:
    assert lineage.entities_of("clearance") == {"case", "unit", "observation"}
    assert lineage.entities_of("disputes") == {"mediation", "unit", "observation"}


def test_a_mart_that_reads_another_product_s_mart_reads_what_that_one_is_made_of(lineage: Lineage) -> None:
    assert lineage.entities_of("mediation") == {"mediation", "case", "unit", "observation"}


def test_a_shared_model_speaks_for_every_product_built_on_it(lineage: Lineage) -> None:
    assert lineage.products_reading(["model.city.stg_case"]) == ("clearance", "mediation")
    assert lineage.products_reading(["model.city.dim_unit"]) == ("clearance", "disputes", "mediation")


def test_a_missing_or_cut_manifest_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="build the candidate"):
        read_lineage(tmp_path / "manifest.json")
    (tmp_path / "manifest.json").write_text('{"nodes": {')
    with pytest.raises(ManifestError, match="not JSON"):
        read_lineage(tmp_path / "manifest.json")
