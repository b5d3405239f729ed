"""Generated deliveries of vehicle-gate passages: GB18030, seven columns, every kind of fault that a row rule can meet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

DAY = "20260301"
GATES = 10_478
HEADER = "过车编号,设备编号,卡口名称,方向,车道,过车时间,号牌号码\n".encode("gb18030")
DUPLICATE_SHARE = 0.01
_BLOCK = 1_000_000
_TEST_GATE = "测试卡口测试卡口测试卡00000号"

Bytes = npt.NDArray[np.uint8]


def write_passages(path: Path, rows: int, faulty: bool, seed: int = 20260301) -> None:
    """Write a delivery of so many rows; 1 % of them repeat an earlier row, and if ``faulty`` about 1 % bear a fault."""
    rng = np.random.default_rng(seed)
    gates = _fixed([f"合肥市城区道路治安卡口{i:05d}号" for i in range(GATES)])
    devices = _fixed([f"340100{i % 13:02d}{i:012d}" for i in range(GATES)])
    clock = _fixed([f"{DAY}{s // 3600:02d}{s // 60 % 60:02d}{s % 60:02d}" for s in range(86_400)])
    directions, lanes = _fixed(["进城", "出城"]), _fixed([f"{i:02d}" for i in range(1, 9)])
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        file.write(HEADER)
        for start in range(0, rows, _BLOCK):
            size = min(_BLOCK, rows - start)
            gate, second = rng.integers(0, GATES, size), np.sort(rng.integers(0, 86_400, size))
            columns = [
                _numbers(start, size),
                devices[gate],
                gates[gate],
                directions[rng.integers(0, 2, size)],
                lanes[rng.integers(0, 8, size)],
                clock[second],
                _plates(rng, size),
            ]
            lines, at = _lines(columns)
            if faulty:
                _spoil(lines, at, rng)
            again = np.flatnonzero(rng.random(size) < DUPLICATE_SHARE)
            lines[again] = lines[(again * rng.random(len(again))).astype(np.int64)]
            file.write(lines.tobytes())
    draft.replace(path)


def _fixed(texts: list[str]) -> Bytes:
    raw = [t.encode("gb18030") for t in texts]
    assert len({len(r) for r in raw}) == 1
    return np.frombuffer(b"".join(raw), np.uint8).reshape(len(raw), -1)


def _digits(values: npt.NDArray[np.int64], width: int) -> Bytes:
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return (values[:, None] // powers % 10 + ord("0")).astype(np.uint8)


def _numbers(start: int, size: int) -> Bytes:
    prefix = np.broadcast_to(np.frombuffer(f"GC{DAY}".encode(), np.uint8), (size, 10))
    return np.hstack([prefix, _digits(np.arange(start, start + size), 10)])


def _plates(rng: np.random.Generator, size: int) -> Bytes:
    prefix = np.broadcast_to(np.frombuffer("皖A".encode("gb18030"), np.uint8), (size, 3))
    return np.hstack([prefix, _digits(rng.integers(0, 100_000, size), 5)])


def _lines(columns: list[Bytes]) -> tuple[Bytes, list[int]]:
    """The lines of a block as one matrix, and where each column starts in a line."""
    width = sum(c.shape[1] for c in columns) + len(columns)
    lines = np.full((len(columns[0]), width), ord(","), np.uint8)
    at, starts = 0, []
    for column in columns:
        lines[:, at : at + column.shape[1]] = column
        starts.append(at)
        at += column.shape[1] + 1
    lines[:, -1] = ord("\n")
    return lines, starts


def _spoil(lines: Bytes, at: list[int], rng: np.random.Generator) -> None:
    """Faults, each on about one row in a thousand, by overwriting bytes."""
    _, device, gate, direction, lane, passed, plate = at

    def overwrite(start: int, text: str, share: float = 0.001) -> None:
        raw = np.frombuffer(text.encode("gb18030"), np.uint8)
        hit = np.flatnonzero(rng.random(len(lines)) < share)
        lines[hit, start : start + len(raw)] = raw

    overwrite(passed, "20260230")
    overwrite(passed, "20260228")
    overwrite(passed, "9999123123595")
    overwrite(passed, "99991231235959")
    overwrite(direction, "掉头")
    overwrite(direction, "    ")
    overwrite(device, " " * 20)
    overwrite(device, "3302")
    overwrite(lane, "xx")
    overwrite(lane, "77")
    overwrite(lane, "５")
    overwrite(gate, _TEST_GATE, 0.002)
    overwrite(plate - 1, "x", 0.0005)
