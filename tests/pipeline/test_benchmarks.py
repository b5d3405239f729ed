"""Every benchmark runs at toy size, so that one which a change elsewhere broke is noticed before somebody wants its figures."""

from __future__ import annotations

import datetime as dt
import os
import pkgutil
import socket
from pathlib import Path
from types import ModuleType

import pytest

import benchmarks
from benchmarks import code_location, integrity, nightly, questions, truth, ui, verdicts
from benchmarks.ingest import __main__ as ingest
from benchmarks.ingest.cases import CASES
from benchmarks.privacy import __main__ as privacy
from benchmarks.public_attack import __main__ as public_attack
from dagster_project.city.simulate import FIRST_NIGHT
from dagster_project.contracts.load import PROJECT_SOURCES, load_catalogue
from dagster_project.home import Home

# Elsewhere: public_attack in test_public_attack, parity in test_spark_parity, kill in test_killed_runs, readers in test_gate_release, truth
# in test_city_truth, nightly and questions on a night in test_night, fuzz in test_fuzz, privacy in test_persons, integrity in
# test_integrity_flags; processes is what ui and kill share, results what writes figures.
TRIED = {
    "code_location",
    "fuzz",
    "ingest",
    "integrity",
    "kill",
    "nightly",
    "parity",
    "privacy",
    "processes",
    "public_attack",
    "questions",
    "readers",
    "results",
    "truth",
    "ui",
    "verdicts",
}
ROWS = 3_000


def test_no_benchmark_is_left_untried() -> None:
    assert {module.name for module in pkgutil.iter_modules(benchmarks.__path__)} == TRIED


@pytest.mark.parametrize("benchmark", [questions, nightly, truth, integrity, ingest, privacy, public_attack], ids=lambda b: b.__name__)
@pytest.mark.parametrize(("file", "words"), [("missing/figures.json", "there is no folder"), (".", "is a folder: name a file in it")])
def test_figures_that_could_not_be_written_are_not_measured(
    benchmark: ModuleType, file: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["benchmark", "--json", str(tmp_path / file)])
    with pytest.raises(SystemExit) as refused:
        benchmark.main()
    assert refused.value.code == 2 and words in capsys.readouterr().err


def test_the_code_location_loads_with_outside_contracts() -> None:
    measured = code_location.run(contracts=3, columns=2, repeats=1)
    assert measured["source_assets"] == 3 + len(load_catalogue([PROJECT_SOURCES]).contracts)
    assert measured["loaded_seconds"] > 0 and measured["imports_seconds"] > 0


def test_what_is_called_with_nothing_changed_is_measured() -> None:
    measured = verdicts.report(wanted=2_000)
    assert "| 10 : 300 |" in measured and "| spread of ln loss 1.6 |" in measured
    assert "nan" not in measured


def test_every_way_of_ingest_accounts_for_its_rows(tmp_path: Path) -> None:
    measured = {result["case"]: result for result in ingest.run(ROWS, [*CASES], repeat=1, scratch=tmp_path)}
    assert set(measured) == set(CASES)
    assert {result["rows_read"] for result in measured.values()} == {ROWS}
    for case, result in measured.items():
        if "floor" not in case:
            fates = result["rows_accepted"] + result["rows_quarantined"] + result["rows_duplicate"] + result["rows_filtered"]
            assert fates == ROWS
            assert 0 < result["rows_quarantined"] < ROWS // 10
    assert measured["unique key"]["rows_duplicate"] > 0
    assert "pyarrow floor" in ingest.table(list(measured.values()))


def test_the_homes_of_a_night_s_cost_are_made_up_to_the_nights_left_to_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    processed: list[tuple[Path, Path, dt.date, dt.date]] = []
    monkeypatch.setattr(nightly, "process", lambda *what: processed.append(what))
    city = {"counties": 1, "stations_per_county": 1, "scale": 0.002, "domains": []}
    left = nightly.prepare(tmp_path, 5, repeat=2, nights=4, **city)
    nights = [FIRST_NIGHT + dt.timedelta(days=n) for n in range(4)]
    assert left == nights[-2:] and processed == [(tmp_path / "home", tmp_path / "landing", nights[0], nights[1])]
    assert {p.name for p in (tmp_path / "landing" / "call").glob("*/*")} >= {f"{night:%Y%m%d}" for night in nights}


def test_the_ui_answers_this_machine_alone_and_is_gone_when_it_is_told_to_stop(tmp_path: Path) -> None:
    seen = ui.look(Home.at(tmp_path / "home"), tmp_path / "ui.log")
    assert "police_data_pool: nightly" in seen.jobs
    assert seen.processes >= 3 and len(seen.addresses) >= 1
    assert ui.beyond_this_machine(seen.addresses) == []


def test_a_socket_that_others_could_reach_is_seen() -> None:
    with socket.socket() as everywhere, socket.socket(socket.AF_INET6) as as_well, socket.socket() as here:
        for listener, address in ((everywhere, "0.0.0.0"), (as_well, "::"), (here, "127.0.0.1")):
            listener.bind((address, 0))
            listener.listen()
        open_to_others = {f"{s.getsockname()[0]}:{s.getsockname()[1]}" for s in (everywhere, as_well)}
        assert set(ui.beyond_this_machine(ui.listening([os.getpid()]))) >= open_to_others
        assert f"127.0.0.1:{here.getsockname()[1]}" in set(ui.listening([os.getpid()])) - open_to_others
