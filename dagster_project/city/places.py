"""The units of the city: bureau, counties, stations, squads, a station that another took over, one whose responding role moved."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

CITY_CODE = "990100000000"
UNKNOWN_CODE = "999999999999"
UNASSIGNED = f"{CITY_CODE}.unassigned"
FOUNDED = dt.date(2000, 1, 1)
COUNTY_NAMES = (
    "云岭区", "青溪区", "䶮湖县", "白石县", "澄江县", "落雁县", "松涛县", "玉屏湖县", "鹤川县", "锦屿县", "栖霞湾区", "望舒县", "远岫县",
)  # fmt: skip
HANDOVER_AFTER_MERGER = 25
STATION_NAMES = ("城关", "南门", "北桥", "东湖", "西岭", "河口", "新街", "老集", "柳营", "石鼓", "塔前", "渡口", "桑园", "驿亭")


@dataclass(frozen=True)
class Unit:
    """``valid_to`` is the first day on which the unit no longer exists; None while it does."""

    code: str
    name: str
    level: str
    parent: str | None
    valid_from: dt.date = FOUNDED
    valid_to: dt.date | None = None
    successor: str | None = None


@dataclass(frozen=True)
class Places:
    units: tuple[Unit, ...]
    merger: dt.date
    handover: dt.date

    @property
    def counties(self) -> tuple[Unit, ...]:
        return tuple(unit for unit in self.units if unit.level == "county")

    @property
    def stations(self) -> tuple[Unit, ...]:
        return tuple(unit for unit in self.units if unit.level == "station")

    @property
    def handed_over(self) -> Unit:
        """The station whose responding role goes to the squad of its county on ``handover``."""
        return [unit for unit in self.stations if unit.valid_to is None][-1]

    def squad_of(self, code: str) -> str:
        """The patrol squad of the county in which a unit lies."""
        return next(unit.code for unit in self.units if unit.level == "squad" and unit.code[:6] == code[:6])

    def leaf(self, code: str, day: dt.date) -> str:
        """Where a row of a delivered unit code counts on a day: the unit, its successor, its 本级, or 未归属."""
        unit = next((unit for unit in self.units if unit.code == code), None)
        if unit is None:
            return UNASSIGNED
        if unit.valid_to is not None and day >= unit.valid_to:
            return self.leaf(unit.successor, day) if unit.successor else UNASSIGNED
        return f"{code}.self" if unit.level in {"city", "county"} else code


def found(counties: int, stations_per_county: int, merger: dt.date) -> Places:
    """A city of so many counties and stations; on ``merger`` the first station of the first county takes over another.

    Raises ValueError for numbers that the city's names do not reach.
    """
    if not 1 <= counties <= len(COUNTY_NAMES):
        raise ValueError(f"counties must be 1 to {len(COUNTY_NAMES)}, not {counties}")
    if not 1 <= stations_per_county <= len(STATION_NAMES):
        raise ValueError(f"stations_per_county must be 1 to {len(STATION_NAMES)}, not {stations_per_county}")
    units = [Unit(CITY_CODE, "澜川市公安局", "city", None)]
    for number, county in enumerate(COUNTY_NAMES[:counties], start=1):
        prefix = f"9901{number:02d}"
        code = f"{prefix}000000"
        units.append(Unit(code, f"{county}公安分局" if county.endswith("区") else f"{county}公安局", "county", CITY_CODE))
        for place in range(stations_per_county):
            units.append(Unit(f"{prefix}51{place + 1:02d}00", f"{county}{STATION_NAMES[place]}派出所", "station", code))
        units.append(Unit(f"{prefix}620000", f"{county}特巡警大队", "squad", code))
        if number == 1:
            units.append(Unit(f"{prefix}519900", f"{county}旧埠派出所", "station", code, FOUNDED, merger, f"{prefix}510100"))
    return Places(tuple(units), merger, merger + dt.timedelta(days=HANDOVER_AFTER_MERGER))
