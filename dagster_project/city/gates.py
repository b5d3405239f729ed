"""Passages of vehicle gates as the raw feed delivers them: a row per passage, with a plate that no pool may hold.

A night is drawn hour by hour from how many vehicles passed each gate in it, so that ten or ten thousand gates, and 40 million passages,
are written in the same way and in little memory. Plates are invented: no province is called 澜.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dagster_project.city.account import COUNTIES, GATES
from dagster_project.city.clock import DAY, date_of, seconds_of
from dagster_project.city.codes import HOURS
from dagster_project.city.deliveries import Batch, Book
from dagster_project.city.devices import OF_SOURCE, Device, furnish, gate_numbers, run
from dagster_project.city.extracts import standing
from dagster_project.city.faults import Fate, LedgerEntry
from dagster_project.city.places import UNASSIGNED
from dagster_project.city.tally import Tally
from dagster_project.city.world import Indexes, World, generator

SOURCE = "gate_passage"
DOMAIN = "equipment"
PASSAGES = 40_000_000
NIGHTS_BETWEEN = 7
HOURS_PER_FILE = 6
BLOCK = 1 << 19
ENCODING = "gb18030"
HEADER = "过车编号,设备编号,卡口名称,方向,车道,过车时间,号牌号码\n".encode(ENCODING)
DIRECTIONS = ("进城", "出城")
LANES = 6
PLATE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
PLATE_SIGNS = "0123456789" + PLATE_LETTERS

Fields = npt.NDArray[np.void]


@dataclass(frozen=True)
class Fault:
    """``field`` of the row is overwritten by ``text``, which has as many bytes."""

    kind: str
    rate: float
    fate: Fate
    reason: str
    field: str
    text: Callable[[dt.date], str]


FAULTS = (
    Fault("bad_date", 0.0001, "quarantined", "bad_type:passed_hour", "time", lambda night: f"{night.year}0230083000,"),
    Fault("bad_lane", 0.0001, "quarantined", "rule:lane_exists", "lane", lambda night: "进城,88,"),
    Fault("unknown_device", 0.0001, "accepted", "", "gate", lambda night: f"{'9' * 20},城市卡口99999号,"),
    Fault("test_row", 0.0002, "filtered", "", "gate", lambda night: f"{'9' * 20},测试卡口00000号,"),
)


@dataclass(frozen=True)
class Hour:
    """The passages of an hour in the order of time. ``spoilt`` names for each kind of fault the rows that bear it."""

    hour: int
    gate: npt.NDArray[np.int32]
    second: npt.NDArray[np.int16]
    spoilt: Mapping[str, Indexes]

    def __len__(self) -> int:
        return len(self.gate)


@dataclass(frozen=True)
class Written:
    """A delivered file: its place below the folder, its rows by fate, and its faulty rows."""

    relative: str
    fates: Counter[Fate]
    ledger: list[LedgerEntry]


def draw_hours(seed: int, night: dt.date, per_gate: Indexes) -> Iterator[Hour]:
    """The passages of a night, hour by hour, of which each gate saw so many."""
    shares = np.array(HOURS["day"], dtype=np.float64)
    by_hour = generator(seed, f"hours of passages on {night}").multinomial(per_gate, shares / shares.sum())
    for hour in range(24):
        random = generator(seed, f"passages on {night} at {hour}")
        gate = np.repeat(np.arange(len(per_gate), dtype=np.int32), by_hour[:, hour])
        random.shuffle(gate)
        second = np.sort(random.integers(0, 3600, len(gate), dtype=np.int16))
        rows = random.choice(
            len(gate), size=sum(counts := [int(random.binomial(len(gate), fault.rate)) for fault in FAULTS]), replace=False
        )
        places = np.split(rows, np.cumsum(counts)[:-1])
        yield Hour(hour, gate, second, {fault.kind: np.sort(place) for fault, place in zip(FAULTS, places, strict=True)})


def _words(texts: Sequence[str]) -> Fields:
    """Texts of one length in bytes as a column of raw fields."""
    raw = [text.encode(ENCODING) for text in texts]
    assert len({len(word) for word in raw}) == 1, "texts of one column have one length"
    return np.frombuffer(b"".join(raw), dtype=f"V{len(raw[0])}")


class Press:
    """Prints passages as lines of one length, a block at a time."""

    def __init__(self, night: dt.date, numbers: Sequence[str]) -> None:
        self.night = night
        self.gates = _words([f"{number},城市卡口{place:05d}号," for place, number in enumerate(numbers)])
        self.lanes = _words([f"{direction},{lane:02d}," for direction in DIRECTIONS for lane in range(1, LANES + 1)])
        self.five = _words([f"{number:05d}" for number in range(100_000)])
        self.plate_begins = _words([f"澜{a}{b}{c}" for a in PLATE_LETTERS for b in PLATE_SIGNS for c in PLATE_SIGNS])
        self.plate_ends = _words([f"{a}{b}{c}\n" for a in PLATE_SIGNS for b in PLATE_SIGNS for c in PLATE_SIGNS])
        self.shape = np.dtype(
            [
                ("batch", "V10"), ("high", "V5"), ("low", "V5"), ("comma", "V1"), ("gate", self.gates.dtype), ("lane", self.lanes.dtype),
                ("time", "V15"), ("plate_begins", self.plate_begins.dtype), ("plate_ends", self.plate_ends.dtype),
            ]
        )  # fmt: skip

    def print(self, hour: Hour, first_number: int, random: np.random.Generator) -> Iterator[bytes]:
        """The lines of an hour; ``first_number`` is the serial number of its first passage."""
        times = _words([f"{self.night:%Y%m%d}{hour.hour:02d}{second // 60:02d}{second % 60:02d}," for second in range(3600)])
        for start in range(0, len(hour), BLOCK):
            end = min(start + BLOCK, len(hour))
            size = end - start
            serial = np.arange(first_number + start, first_number + end)
            lines = np.empty(size, dtype=self.shape)
            lines["batch"] = _words([f"GC{self.night:%Y%m%d}"])[0]
            lines["high"] = self.five[serial // 100_000]
            lines["low"] = self.five[serial % 100_000]
            lines["comma"] = _words([","])[0]
            lines["gate"] = self.gates[hour.gate[start:end]]
            lines["lane"] = self.lanes[random.integers(0, len(self.lanes), size, dtype=np.int8)]
            lines["time"] = times[hour.second[start:end]]
            lines["plate_begins"] = self.plate_begins[random.integers(0, len(self.plate_begins), size, dtype=np.int32)]
            lines["plate_ends"] = self.plate_ends[random.integers(0, len(self.plate_ends), size, dtype=np.int32)]
            for fault in FAULTS:
                rows = hour.spoilt[fault.kind]
                inside = rows[(rows >= start) & (rows < end)] - start
                lines[fault.field][inside] = _words([fault.text(self.night)])[0]
            yield lines.tobytes()


def write_night(
    out: Path, night: dt.date, numbers: Sequence[str], per_gate: Indexes, seed: int, progress: Callable[[str], None] | None = None
) -> list[Written]:
    """Write the passages of a night below ``out``, a file for every few hours. ``numbers`` are those of the gates, in the order of ``per_gate``."""
    say = progress or (lambda text: None)
    press, written, serial = Press(night, numbers), list[Written](), 1
    hours = draw_hours(seed, night, per_gate)
    for part in range(24 // HOURS_PER_FILE):
        relative = f"{DOMAIN}/{SOURCE}/{night:%Y%m%d}/GCSJ_{night:%Y%m%d}_{part + 1:02d}.csv"
        path = out / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        fates: Counter[Fate] = Counter()
        ledger: list[LedgerEntry] = []
        rows = 0
        with path.open("wb") as file:
            file.write(HEADER)
            for _ in range(HOURS_PER_FILE):
                hour = next(hours)
                random = generator(seed, f"plates on {night} at {hour.hour}")
                for block in press.print(hour, serial + rows, random):
                    file.write(block)
                ledger += _ledger(hour, night, relative, rows)
                fates += _fates(hour)
                rows += len(hour)
        serial += rows
        say(f"{serial - 1:,} passages")
        written.append(Written(relative, fates, ledger))
    return written


def _ledger(hour: Hour, night: dt.date, relative: str, above: int) -> list[LedgerEntry]:
    return [
        LedgerEntry(SOURCE, night.isoformat(), relative, above + row + 1, fault.kind, fault.fate, fault.reason)
        for fault in FAULTS
        for row in hour.spoilt[fault.kind].tolist()
    ]


def _fates(hour: Hour) -> Counter[Fate]:
    fates: Counter[Fate] = Counter({"accepted": len(hour)})
    for fault in FAULTS:
        fates["accepted"] -= len(hour.spoilt[fault.kind])
        fates[fault.fate] += len(hour.spoilt[fault.kind])
    return fates


def deliver_passages(
    out: Path,
    night: dt.date,
    gates: int = GATES,
    passages: int = PASSAGES,
    seed: int = 1,
    progress: Callable[[str], None] | None = None,
    counties: int = COUNTIES,
) -> list[Written]:
    """Write one night of so many passages through so many gates: the real volume of a city, unless told. The same arguments, the same bytes."""
    busy = generator(seed, "traffic of gates").gamma(3.0, 1 / 3.0, gates)
    per_gate = generator(seed, f"passages of gates on {night}").multinomial(passages, busy / busy.sum())
    return write_night(out, night, gate_numbers(gates, counties), per_gate, seed, progress)


def _of_night(world: World, devices: Sequence[Device], night: dt.date) -> tuple[list[str], Indexes]:
    """The gates that have a raw feed and how much each recorded on a day."""
    gates = [i for i, device in enumerate(devices) if device.kind == "gate"]
    days = run(world, devices, OF_SOURCE["gate_day"])
    records = np.zeros(len(devices), dtype=np.int64)
    on_day = days.day == seconds_of(night)
    records[days.device[on_day]] = days.records[on_day]
    heard = gates[: world.raw_gates]
    return [devices[i].number for i in heard], records[heard]


def deliver(world: World, out: Path, plan: Sequence[Batch], book: Book) -> None:
    """Deliver the raw feed of every seventh night: it holds as many passages as the platform reports of its gates."""
    book.accepted[SOURCE] = {}
    for batch in plan:
        if batch.night > 0 and batch.night % NIGHTS_BETWEEN == 0 and world.gates > 0:
            numbers, per_gate = _of_night(world, furnish(world), batch.date)
            for place, written in enumerate(write_night(out, batch.date, numbers, per_gate, world.seed)):
                for entry in written.ledger:
                    book.note(entry)
                book.receive(SOURCE, batch.date, written.relative, written.fates)
                book.accept(SOURCE, batch.night * 24 // HOURS_PER_FILE + place, batch.until, False)


COVERED: dict[str, tuple[str, ...]] = {"EQ-2.passages": ("", "hour")}


def count(world: World, book: Book, as_of: dt.date, tally: Tally) -> None:
    """Passages by the unit that the register gives to the gate, and by hour."""
    until = seconds_of(as_of) + DAY
    devices = furnish(world)
    held = {devices[record].number: (devices[record], state) for record, state in standing(book, "device_register", until)}
    for night in sorted({date_of(state.until - 1) for _, state in book.known(SOURCE, until)}):
        numbers, per_gate = _of_night(world, devices, night)
        for hour in draw_hours(world.seed, night, per_gate):
            gate = hour.gate.astype(np.int64)
            lost = np.concatenate([hour.spoilt[fault.kind] for fault in FAULTS])
            gate[lost] = len(numbers)
            seen: Any = np.bincount(gate, minlength=len(numbers) + 1)
            seen[-1] = len(hour.spoilt["unknown_device"])
            for place, passages in enumerate(seen.tolist()):
                device, state = held.get(numbers[place], (None, None)) if place < len(numbers) else (None, None)
                unit = UNASSIGNED
                if device is not None and state is not None and not state.unknown_unit:
                    ends = device.valid_to if device.valid_to is not None and seconds_of(device.valid_to) < state.until else None
                    if device.valid_from <= night and (ends is None or night < ends):
                        unit = world.places.leaf(device.unit, night)
                tally.add("EQ-2.passages", unit, night, ("", f"hour:{hour.hour:02d}"), passages, 0)
