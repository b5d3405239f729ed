"""From an internal release to a public one: what is new, what stands, what is revised; written beside, switched by one rename."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from dagster_project.audit.candidate import sha256_of
from dagster_project.home import Home
from dagster_project.ledger import LedgerError, entries, record
from dagster_project.release.files import DRAFT, move_into_place, seal, sweep
from dagster_project.release.public.database import (
    DATABASE,
    Head,
    Internal,
    Printing,
    PublicError,
    read_internal,
    reason_of_hiding,
    write_database,
)
from dagster_project.release.public.declared import count_name
from dagster_project.release.public.faces import MANIFEST, PublicFace, current_face, damaged_faces, list_faces, settle_current
from dagster_project.release.public.model import DENOMINATOR, NUMERATOR, REST, CellKey, Figure, Linked, RowKey, link
from dagster_project.release.public.rule import NOT_PROVED, Definition, is_revision, is_small, last_month_end
from dagster_project.release.public.state import Withheld, read_withheld, write_withheld
from dagster_project.release.public.suppress import Suppression, suppress
from dagster_project.release.record import Release
from dagster_project.rights import ANYBODY

Say = Callable[[str], None]
SIDES = (NUMERATOR, DENOMINATOR, REST)
WANTED = "public"
"""In ``home.json``: whether the home has a public face; it has unless this is false."""


@dataclass(frozen=True)
class PublicOutcome:
    """What came of the public face of a night; ``problem`` is empty when nothing went wrong."""

    face: PublicFace | None
    is_new: bool
    problem: str = ""


def publish_face(home: Home, release: Release, say: Say = lambda _: None) -> PublicOutcome:
    """Make the public face of an internal release, if a month has ended since the last one or a product has caught up.

    To be called under the writer's lock, after the internal release is in place. Whatever goes wrong here is told in the outcome and in the
    ledger, and leaves both the internal release and the public one before as they are.
    """
    if home.settings().get(WANTED, True) is False:
        return PublicOutcome(None, False)
    try:
        return _publish(home, release, say)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
        say(f"public: nothing was made public of {release.version}, the public release before stays: {problem}")
        record(home, "public", {"version": release.version, "problem": problem})
        return PublicOutcome(None, False, problem)


def _publish(home: Home, release: Release, say: Say) -> PublicOutcome:
    sweep([home.public])
    for problem in damaged_faces(home):
        raise PublicError(problem)
    settle_current(home)
    before = current_face(home)
    month_end = last_month_end(release.as_of)
    fresh = frozenset(name for name, p in release.manifest.products.items() if p.status == "fresh")
    included = fresh | (before.included if before and before.month_end == month_end else frozenset())
    if before and (month_end < before.month_end or (month_end == before.month_end and included == before.included)):
        return PublicOutcome(before, False)
    if (home.public / release.version).is_dir():
        return PublicOutcome(before, False)
    internal = read_internal(release.database, month_end)
    earlier = _known_before(home, before, internal)
    made = _settle(internal, fresh, earlier, before is not None and _revises(before.month_end, month_end))
    if not made.figures:
        return PublicOutcome(before, False)
    if made.found.unproved:
        name, unit, *_ = made.linked.keys[made.found.unproved[0].cell]
        raise PublicError(
            f"of {len(made.found.unproved)} hidden figures it is not proved that nobody can tell them, {name} of {unit} among them"
        )
    statuses = {name: "fresh" if name in included else "waits" for name in sorted(release.manifest.products)}
    head = Head(release.version, release.as_of, month_end, _next_revision(month_end), statuses)
    face = _write(home, release, before, made, head, included)
    settle_current(home)
    counted = face.figures
    record(home, "public", {"version": face.version, "month_end": face.month_end.isoformat(), **counted})
    say(f"public: {face.version} is public up to {face.month_end}: {counted['printed']} figures printed, {counted['hidden']} hidden")
    return PublicOutcome(face, True)


def _known_before(home: Home, before: PublicFace | None, internal: Internal) -> Withheld:
    """What readers have: of releases that stand their figures; of withdrawn ones what they hid, and what they printed and is so tonight."""
    standing = read_withheld(home, before.version) if before else Withheld()
    newest = next(reversed(list_faces(home)), None)
    if newest is None or newest == before:
        return standing
    withdrawn = read_withheld(home, newest.version)
    tonight = {**{f.key: f for f in internal.figures}, **standing.figures}
    other = {
        (count_name(key[0], side), *key[1:]) for key, figure in withdrawn.figures.items() if tonight.get(key) != figure for side in SIDES
    }
    return replace(standing, hidden=withdrawn.hidden, printed=standing.printed | (withdrawn.printed - other))


def _revises(before: dt.date, month_end: dt.date) -> bool:
    """A date of revision lies after the month end of the public release before, up to this one."""
    day = _following_month_end(before)
    while day <= month_end:
        if is_revision(day):
            return True
        day = _following_month_end(day)
    return False


def _following_month_end(month_end: dt.date) -> dt.date:
    first = month_end + dt.timedelta(days=1)
    return last_month_end((first + dt.timedelta(days=31)).replace(day=1))


def _next_revision(month_end: dt.date) -> dt.date:
    day = _following_month_end(month_end)
    while not is_revision(day):
        day = _following_month_end(day)
    return day


@dataclass(frozen=True)
class _Settled:
    """The figures of a public release, and what of them is hidden."""

    figures: Mapping[RowKey, Figure]
    definitions: Mapping[str, Definition]
    parent: Mapping[str, str | None]
    taken: frozenset[RowKey]
    """Rows taken from the night; the others stand as they were public."""
    pending: frozenset[RowKey]
    linked: Linked
    found: Suppression

    @property
    def hidden_cells(self) -> frozenset[CellKey]:
        return frozenset(self.linked.keys[number] for number in self.found.hidden)


def _is_small_anywhere(figure: Figure, definition: Definition) -> bool:
    rest = figure.denominator - figure.numerator if figure.denominator is not None and definition.is_share else None
    return is_small(figure.numerator) or is_small(figure.denominator) or is_small(rest)


def _settle(internal: Internal, fresh: frozenset[str], earlier: Withheld, revises: bool) -> _Settled:
    """Choose every figure, from the night or as it stands, and hide what must be.

    On a date of revision every figure is taken anew, except where that would tell a small one: a group of counts of which a printed figure
    has become small, or in which a small figure could not be proved any more, stands for the year as it is.
    """
    definitions = {**earlier.definitions, **internal.definitions}
    parent = {**earlier.parent, **internal.parent}
    tonight = {f.key: f for f in internal.figures if internal.product_of[f.kpi_id] in fresh}
    differing = {key for key in tonight.keys() & earlier.figures.keys() if tonight[key] != earlier.figures[key]}
    standing: set[RowKey] = set() if revises else set(differing)
    while True:
        taken = (tonight.keys() - earlier.figures.keys()) | (differing - standing)
        figures = {**earlier.figures, **{key: figure for key, figure in tonight.items() if key in taken}}
        linked = link((f for f in figures.values() if not definitions[f.kpi_id].withheld), definitions, parent)
        hidden, printed = ({linked.cells[key] for key in keys if key in linked.cells} for keys in (earlier.hidden, earlier.printed))
        rows_of = {
            group: {row for grid in grids for place in grid.places for row in linked.rows_of[place.cell]}
            for group, grids in linked.groups.items()
        }
        found = suppress(linked, hidden, printed, [group for group, rows in rows_of.items() if not rows & taken])
        told = {k for k in taken & differing if _is_small_anywhere(figures[k], definitions[k[0]]) and _was_printed(k, earlier)}
        unproved = {target.cell for target in found.unproved}
        stuck = {
            row
            for group, rows in rows_of.items()
            if rows & told or any(place.cell in unproved for grid in linked.groups[group] for place in grid.places)
            for row in rows & differing
        } - standing
        if not stuck:
            return _Settled(figures, definitions, parent, frozenset(taken), frozenset(differing & standing), linked, found)
        standing |= stuck


def _counts(kpi_id: str) -> set[str]:
    return {count_name(kpi_id, side) for side in SIDES}


def _was_printed(key: RowKey, earlier: Withheld) -> bool:
    return not any((name, *key[1:]) in earlier.hidden for name in _counts(key[0]))


def _write(home: Home, release: Release, before: PublicFace | None, made: _Settled, head: Head, included: frozenset[str]) -> PublicFace:
    hidden = made.hidden_cells
    told: dict[RowKey, str] = {}
    for key in made.taken:
        definition = made.definitions[key[0]]
        told[key] = (
            definition.withheld
            or (reason_of_hiding(definition) if any((name, *key[1:]) in hidden for name in _counts(key[0])) else "")
            or (NOT_PROVED if key in made.linked.contradicting else "")
        )
    kept = {key: key in made.pending for key in made.figures.keys() - made.taken}
    home.public.mkdir(exist_ok=True)
    home.public.chmod(ANYBODY.folder)
    draft = home.public / f"{DRAFT}{head.version}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    printing = Printing(told, kept)
    write_database(draft / DATABASE, release.database, before.database if before else None, made.definitions, printing, head)
    figures = (made.figures[key] for key in sorted(made.figures))
    write_withheld(home, head.version, figures, made.linked.keys, hidden, made.definitions, made.parent)
    counted, holds = _summary(draft / DATABASE)
    manifest = {
        "version": head.version,
        "as_of": head.as_of.isoformat(),
        "month_end": head.month_end.isoformat(),
        "made_at": dt.datetime.now(tz=dt.UTC).replace(microsecond=0).isoformat(),
        "next_revision": head.next_revision.isoformat(),
        "before": before.version if before else "",
        "holds": holds,
        "included": sorted(included),
        "figures": counted,
        "proved": made.found.proved,
        "files": {DATABASE: sha256_of(draft / DATABASE)},
    }
    (draft / MANIFEST).write_text(json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    seal(draft, ANYBODY)
    move_into_place(draft, home.public / head.version)
    return PublicFace(home.public / head.version, manifest)


def _summary(database: Path) -> tuple[dict[str, int], list[str]]:
    """How many figures are printed and hidden, and the public releases that printed rows of it first."""
    with duckdb.connect(str(database), read_only=True) as connection:
        rows = connection.execute("select suppressed, count(*) from kpi group by all").fetchall()
        holds = connection.execute("select distinct printed_in from kpi order by 1").fetchall()
    counted = dict(rows)
    return {"printed": counted.get(False, 0), "hidden": counted.get(True, 0)}, [version for (version,) in holds]


def public_lines(home: Home) -> Iterator[str]:
    """What is public, in words, for a terminal."""
    if home.settings().get(WANTED, True) is False:
        return
    yield from damaged_faces(home)
    face = next((f for f in reversed(list_faces(home)) if not f.withdrawn), None)
    if face is None:
        yield "every public release is withdrawn: readers have a notice without figures" if list_faces(home) else "nothing is public yet"
    else:
        yield (
            f"public: {face.version}, up to {face.month_end}: {face.figures['printed']} figures printed, {face.figures['hidden']} hidden; "
            f"late changes appear on {face.next_revision}"
        )
        yield f"  {face.database}"
    for withdrawn in (f for f in list_faces(home) if f.withdrawn):
        yield f"  public release {withdrawn.version} is withdrawn: {withdrawn.withdrawn}"
    try:
        last = next((e for e in reversed(list(entries(home))) if e.action == "public"), None)
    except LedgerError:
        last = None
    if last is not None and "problem" in last.about:
        yield f"  nothing was made public of {last.about['version']}: {last.about['problem']}"
