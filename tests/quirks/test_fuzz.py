"""A few hundred mutated deliveries of every form; ``python -m benchmarks.fuzz`` tries many thousands. A failing one is printed to be replayed."""

from __future__ import annotations

from pathlib import Path

from benchmarks import fuzz

CASES = 500
SEED = 20_250


def test_no_mutated_delivery_crashes_hangs_or_loses_a_row(tmp_path: Path) -> None:
    faults = fuzz.run(CASES, SEED, tmp_path)
    assert [f"--seed {SEED} --replay {f.form}:{f.number}: {f.how}: {f.problem}" for f in faults] == []


def test_a_lost_row_and_a_dying_process_would_be_noticed(tmp_path: Path) -> None:
    case = fuzz.make_case("csv", 0, SEED)
    told_of_more = fuzz.Case(case.form, 0, fuzz.FORMS["csv"].write([("a", "", "1", "")] * 3), 4, "hostile cells")
    assert "4 rows were written, read 3" in fuzz.faults_of([told_of_more], tmp_path)[0]


def test_a_database_whose_column_names_are_damaged_fails_with_words(tmp_path: Path) -> None:
    sound = fuzz.FORMS["sqlite"].write([("a", "", "1", "")])
    damaged = fuzz.Case("sqlite", 0, sound.replace(fuzz.HEADER[1].encode(), b"\x9d" + fuzz.HEADER[1].encode()[1:]), None, "byte")
    assert damaged.content != sound
    assert fuzz.faults_of([damaged], tmp_path) == {}


def test_cases_are_made_again_from_their_number() -> None:
    for form in fuzz.FORMS:
        made = [fuzz.make_case(form, number, SEED) for number in range(8)]
        assert len({case.content for case in made}) > 1
        if form != "xlsx":  # a workbook tells the second it was written
            assert made == [fuzz.make_case(form, number, SEED) for number in range(8)]
