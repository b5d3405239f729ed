"""Invented people put into deliveries: in place of those that the simulated city invents, and in files written here of the open data.

Every value of a kind follows one pattern (``#`` a digit, ``?`` an ideograph, ``@`` a letter or digit), so that it is found in bytes too. None
belongs to anybody: the division of the identity numbers, the town of the plates and the telephones' block are not assigned.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from dagster_project.city import people
from dagster_project.contracts.personal_values import ID_CHECK_DIGITS, ID_WEIGHTS, passes_luhn

RARE = "龘靐齉爩麤灪龗鱻麣驫"
"""Ten ideographs that GBK has and no delivery else."""
PATTERNS = {
    "name": "欧阳????",
    "identity number": "9901##############",
    "telephone": "19900######",
    "address": "龙鳞????巷###号",
    "plate": "藏Z@@@@@",
    "card": "622998##########",
}
MADE_PLATE = re.compile(r"澜[A-Z][0-9A-Z]{5,6}")
MADE_CARD = re.compile(r"62299[89]\d{10}")
SHORT_NUMBERS = {
    "terminal_day": (re.compile(r"(?m)(?<=,)(9\d{5})(?=\r?$)"), "{}"),
    "law_issue": (re.compile(r"(?<=>)(99\d{4})(?=<)"), "{}"),
    "joint_station": (re.compile(r"><v>(\d+(?:\.\d+)?)</v>(?=</c><c r=\"[EF])"), ' t="inlineStr"><is><t>{}</t></is>'),
}
"""Numbers of officers and coordinates are as short as counts are: in these sources identity numbers take their place."""
FIRST_BIRTH = dt.date(1950, 1, 1)


@dataclass(frozen=True)
class Person:
    """Somebody who does not exist, by kind of value."""

    name: str
    identity_number: str
    telephone: str
    address: str
    plate: str
    card: str

    def value(self, kind: str) -> str:
        return str(getattr(self, kind.replace(" ", "_")))


def invent(count: int) -> list[Person]:
    """Up to 10,000 people of whom no two share a value."""
    return [_person(number) for number in range(count)]


def _person(number: int) -> Person:
    sign = "".join(RARE[int(digit)] for digit in f"{number:04d}")
    born = FIRST_BIRTH + dt.timedelta(number * 7 % 20_000)
    body = f"9901{number % 13 + 1:02d}{born:%Y%m%d}{number % 1000:03d}"
    check = ID_CHECK_DIGITS[sum(int(digit) * weight for digit, weight in zip(body, ID_WEIGHTS, strict=True)) % 11]
    card = next(c for last in range(10) if passes_luhn(c := f"622998{number * 7919 % 1_000_000_000:09d}{last}"))
    return Person(
        f"欧阳{sign}",
        body + check,
        f"19900{number * 97 % 1_000_000:06d}",
        f"龙鳞{sign}巷{number % 900 + 100}号",
        f"藏Z{number * 7 % 100_000:05d}",
        card,
    )


@contextmanager
def in_place_of_the_citys(persons: Sequence[Person]) -> Iterator[None]:
    """Within this, everybody whom a simulated city names is one of these."""

    def drawn(kind: str) -> Callable[[int, str, int], list[str]]:
        def values(seed: int, purpose: str, count: int) -> list[str]:
            first = zlib.crc32(f"{seed} {purpose}".encode())
            return [persons[(first + i) % len(persons)].value(kind) for i in range(count)]

        return values

    kinds = {"names": "name", "phones": "telephone", "addresses": "address", "identity_numbers": "identity number"}
    with patch.multiple(people, **{function: drawn(kind) for function, kind in kinds.items()}):
        yield


def plant_numbers(landing: Path, persons: Sequence[Person]) -> None:
    """Put these people's plates, cards and identity numbers in place of the plates, accounts, numbers of officers and coordinates that the
    city's systems delivered, equal ones in place of equal ones."""

    def of(made: str) -> Person:
        return persons[zlib.crc32(made.encode()) % len(persons)]

    for file in sorted((*landing.rglob("*.csv"), *landing.rglob("*.xlsx"))):
        short = next((SHORT_NUMBERS[part] for part in file.relative_to(landing).parts if part in SHORT_NUMBERS), None)

        def planted(text: str, short: tuple[re.Pattern[str], str] | None = short) -> str:
            text = MADE_PLATE.sub(lambda made: of(made[0]).plate, text)
            text = MADE_CARD.sub(lambda made: of(made[0]).card, text)
            return text if short is None else short[0].sub(lambda made: short[1].format(of(made[1]).identity_number), text)

        if file.suffix == ".csv":
            _rewrite_text(file, planted)
        elif zipfile.is_zipfile(file) and (short is not None or "fraud" in file.parts):
            _rewrite_book(file, planted)


def _rewrite_text(file: Path, change: Callable[[str], str]) -> None:
    content = file.read_bytes()
    for encoding in ("utf-8", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if (changed := change(text)) != text:
            file.write_bytes(changed.encode(encoding))
        return


def _rewrite_book(file: Path, change: Callable[[str], str]) -> None:
    with zipfile.ZipFile(file) as book:
        parts = [(part, book.read(part)) for part in book.infolist()]
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as book:
        for part, content in parts:
            book.writestr(part, change(content.decode()).encode() if "worksheets" in part.filename else content)


def deliver_open_data(landing: Path, persons: Sequence[Person]) -> None:
    """Files of the open data's shapes whose personal columns name these people."""
    people_of = list(persons)
    case = [hashlib.sha256(p.name.encode()).hexdigest() for p in people_of]
    month = "2024-03"
    street = [
        "Crime ID",
        "Month",
        "Reported by",
        "Falls within",
        "Longitude",
        "Latitude",
        "Location",
        "LSOA code",
        "LSOA name",
        "Crime type",
    ]
    _write(
        landing / "uk-bedfordshire" / month / f"{month}-bedfordshire-street.csv",
        [*street, "Last outcome category", "Context"],
        [
            [
                case[i] if i % 2 else "",
                month,
                "Bedfordshire Police",
                "Bedfordshire Police",
                p.telephone,
                p.card,
                p.address,
                "",
                "",
                "Burglary",
                "",
                "",
            ]
            for i, p in enumerate(people_of)
        ],
    )
    _write(
        landing / "uk-bedfordshire" / month / f"{month}-bedfordshire-outcomes.csv",
        [*street[:9], "Outcome type"],
        [
            [case[i], month, "Bedfordshire Police", "Bedfordshire Police", p.telephone, p.plate, p.address, "", "", "Suspect charged"]
            for i, p in enumerate(people_of)
        ],
    )
    not_read = ["VehicleReferenceNumber", "CasualtyNumber", "CasualtyClass", "PedLocation", "PedMovement", "CarPassenger", "PedInjWork"]
    _write(
        landing / "gm-stats19" / "STATS19CasDataJan2023toDec2023forGM.csv",
        ["Accident Index", "Year", "CasualtySeverity", "CasTypeCode", "Sex", "AgeBandOfCasualty", *not_read],
        [[f"{i:07d}2023", "2023", "3", "9", p.name, p.identity_number, *["0"] * len(not_read)] for i, p in enumerate(people_of)],
    )
    read = ["手口", "発生年月日（始期）", "市区町村コード（発生地）", "町丁目（発生地）", "被害者の性別", "被害者の年齢", "被害者の職業"]
    _write(
        landing / "jp-hokkaido-2023" / "hokkaido_2023zitensyatou.csv",
        read,
        [["自転車盗", "2023-05-06", "011011", p.telephone, p.card, p.identity_number, f"{p.telephone}会社"] for p in people_of],
        "cp932",
    )


def _write(path: Path, header: list[str], rows: list[list[str]], encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding=encoding, newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)
