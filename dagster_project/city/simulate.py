"""Deliver what the systems of the city would deliver, and say what a right pool makes of it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.city import account
from dagster_project.city.deliveries import Book, batches, deliver
from dagster_project.city.domains import chosen_domains
from dagster_project.city.figures import deliver_figures
from dagster_project.city.gaming import Gaming, play_games
from dagster_project.city.gates import PASSAGES as REAL_PASSAGES
from dagster_project.city.gates import deliver_passages
from dagster_project.city.origin import CITY, FAULTS, GAMING, TRUTH, expect_same_city
from dagster_project.city.settlement import settlement
from dagster_project.city.systems import deliver_units, sources
from dagster_project.city.truth import count, quirks
from dagster_project.city.world import FACE_CAMERAS, GATES, live

FIRST_NIGHT = dt.date(2025, 9, 1)
NIGHTS = 7
HISTORY_DAYS = 793
STATIONS_PER_COUNTY = 1
SCALE = 0.02
REAL_STATIONS_PER_COUNTY = 14


@dataclass(frozen=True)
class Delivery:
    """What ``simulate`` wrote: files delivered, the initial load's date, the nights, and the folder of the truth."""

    files: int
    initial_load: dt.date
    first_night: dt.date
    last_night: dt.date
    truth: Path


def simulate(
    out: Path,
    *,
    seed: int = 1,
    first_night: dt.date = FIRST_NIGHT,
    nights: int = NIGHTS,
    history_days: int = HISTORY_DAYS,
    counties: int = account.COUNTIES,
    stations_per_county: int = STATIONS_PER_COUNTY,
    scale: float = SCALE,
    gates: int | None = None,
    face_cameras: int | None = None,
    domains: Collection[str] | None = None,
    gaming: Gaming | None = None,
    progress: Callable[[str], None] | None = None,
) -> Delivery:
    """Write an initial load of ``history_days`` days and then ``nights`` nightly deliveries below ``out``.

    Files stand at <out>/<domain>/<source>/<yyyymmdd>/…; below <out>/truth stand ``city.json`` (which city it is, and how much of it is
    there), ``kpi_count.parquet`` (the true figures as of the last night), ``faults.json`` and ``faults.parquet`` (every fault that was put
    in, counted and with its place), ``receipt.parquet`` (what must become of the rows of every file) and ``gaming.json`` (which stations
    shaped their figures, how, and how many rows).
    ``scale`` 1 is a real city: about 4,500 calls a day. The same arguments give the same bytes. A city of all its counties has all its
    ``gates`` and ``face_cameras``, a smaller one a few. ``domains`` names what is delivered beside calls, cases, disputes, callbacks and
    units; everything for None. Nobody games without ``gaming``.
    Raises ValueError for arguments that make no city, OtherCityError when ``out`` holds deliveries of another one, LessOfCityError when it
    holds more nights or domains of the same.
    """
    if nights < 0 or history_days < 1 or scale <= 0:
        raise ValueError(f"a city needs nights ≥ 0, history_days ≥ 1 and scale > 0, not {nights}, {history_days}, {scale}")
    is_whole = counties == account.COUNTIES
    gates = (account.GATES if is_whole else GATES) if gates is None else gates
    face_cameras = (account.FACE_CAMERAS if is_whole else FACE_CAMERAS) if face_cameras is None else face_cameras
    if gates < 0 or face_cameras < 0:
        raise ValueError(f"gates and face_cameras must be 0 or more, not {gates} and {face_cameras}")
    beside = chosen_domains(domains)
    say = progress or (lambda text: None)
    out = Path(out)
    first_day = first_night - dt.timedelta(days=history_days)
    last_night = first_night + dt.timedelta(days=nights - 1)
    games = gaming or Gaming(0)
    gamed_since = games.begins(first_day, last_night, first_night)
    city = {
        "seed": seed,
        "first_night": first_night.isoformat(),
        "history_days": history_days,
        "counties": counties,
        "stations_per_county": stations_per_county,
        "scale": scale,
        "gates": gates,
        "face_cameras": face_cameras,
        **games.settings(gamed_since),
        "nights": nights,
        "domains": [domain.name for domain in beside],
    }
    expect_same_city(out, city)
    plan = batches(first_night, nights)
    say(f"a city of {counties} counties lives from {first_day} to {last_night}")
    lived = live(seed, first_day, last_night, counties, stations_per_county, scale, settlement(seed, first_day, first_night))
    shown, record = play_games(lived, games, gamed_since)
    world = dataclasses.replace(shown, first_night=first_night, gates=gates, face_cameras=face_cameras)
    (out / TRUTH).mkdir(parents=True, exist_ok=True)
    _write_json(out / TRUTH / CITY, city)
    book = Book()
    deliver_units(world, out, plan, book)
    for source in sources(world):
        say(f"delivering {source.domain}/{source.source_id}")
        deliver(source, out, plan, seed, book)
    for domain in beside:
        say(f"delivering {domain.name}")
        domain.deliver(world, out, plan, book)
    say("counting the truth")
    deliver_figures(world, out, plan, book)
    counts = count(world, book, plan[-1].date, beside)
    _write_truth(out / TRUTH, counts, book, {"city": city, "records": quirks(world, book, plan[-1].date)})
    _write_json(out / TRUTH / GAMING, record.as_document())
    return Delivery(book.files, plan[0].date, first_night, last_night, out / TRUTH)


def simulate_real_night(
    out: Path,
    *,
    seed: int = 1,
    night: dt.date = FIRST_NIGHT,
    gates: int = account.GATES,
    passages: int = REAL_PASSAGES,
    progress: Callable[[str], None] | None = None,
) -> Delivery:
    """Write one night at the volume of a real city: its calls and everything that hangs on them, and every passage through its gates.

    The raw passages stand beside what ``simulate`` writes and are no part of its truth.
    """
    delivery = simulate(
        out,
        seed=seed,
        first_night=night,
        nights=1,
        history_days=1,
        counties=account.COUNTIES,
        stations_per_county=REAL_STATIONS_PER_COUNTY,
        scale=1.0,
        gates=gates,
        progress=progress,
    )
    written = deliver_passages(Path(out), night, gates, passages, seed, progress, account.COUNTIES)
    return dataclasses.replace(delivery, files=delivery.files + len(written))


def _write_truth(folder: Path, counts: pa.Table, book: Book, about: dict[str, object]) -> None:
    pq.write_table(counts, folder / "kpi_count.parquet", compression="zstd")
    text = {name: pa.string() for name in ("source_id", "batch_date", "file_name", "kind", "fate", "reason")}
    faults = pa.schema([(f.name, text.get(f.name, pa.int64())) for f in dataclasses.fields(book.ledger[0])] if book.ledger else [])
    pq.write_table(pa.Table.from_pylist([dataclasses.asdict(entry) for entry in book.ledger], schema=faults), folder / "faults.parquet")
    pq.write_table(pa.Table.from_pylist(book.receipts), folder / "receipt.parquet")
    kinds: dict[str, dict[str, int]] = {}
    for (source_id, kind), number in sorted(book.counts.items()):
        kinds.setdefault(source_id, {})[kind] = number
    _write_json(folder / FAULTS, {**about, "faults": kinds})


def _write_json(path: Path, document: Mapping[str, object]) -> None:
    """A reader, and who goes on after a killed process, finds it as it was or as it is."""
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    draft.replace(path)
