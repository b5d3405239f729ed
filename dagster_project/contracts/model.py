"""The contract of one source: one YAML file, checked by these models.

The models are also the source of the JSON Schema that editors use (``pool sources --schema``). Every description is
shown there, so it says what a writer of contracts needs to know.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from dagster_project.contracts.patterns import groups_of

NAME = r"^[a-z][a-z0-9_]*$"
LOCAL_PREFIX = "_"

Name = Annotated[str, Field(pattern=NAME)]
Cadence = Literal["daily", "weekly", "monthly", "quarterly", "yearly", "once", "irregular"]
Grade = Literal["public", "internal", "personal", "sensitive"]
Severity = Literal["reject", "warn"]


def _misplaced(problem: str, at: tuple[str | int, ...], word: str = "", known: Iterable[str] = ()) -> PydanticCustomError:
    """An error that knows its place in the document, and the words that would have been right there."""
    return PydanticCustomError("misplaced", "{problem}", {"problem": problem, "at": at, "word": word, "known": tuple(known)})


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Title(_Part):
    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


class BatchDate(_Part):
    """How a file's batch is dated: from its path, or by a constant."""

    path: str | None = Field(None, description="regular expression with one group, searched in the path below landing")
    format: str | None = Field(
        None, description="strptime format of the group; without %d a month is its last day, without %m a year its 31 December"
    )
    constant: dt.date | None = Field(None, description="the date of every file of this source")

    @model_validator(mode="after")
    def _one_way(self) -> BatchDate:
        if (self.constant is None) == (self.path is None):
            raise ValueError("give either 'path' with 'format', or 'constant'")
        if self.path is not None:
            if self.format is None:
                raise ValueError("'path' needs 'format'")
            if groups_of(self.path) != 1:
                raise ValueError("'path' must hold exactly one group, the date")
        return self

    def first_day(self, batch_date: dt.date) -> dt.date:
        """The first day of a batch's period: of its year or month where the path says no more, else the day itself."""
        if self.format is None or "%d" in self.format or "%j" in self.format:
            return batch_date
        return (
            batch_date.replace(day=1) if any(month in self.format for month in ("%m", "%b", "%B")) else batch_date.replace(month=1, day=1)
        )


class Landing(_Part):
    """Where the files of the source lie, and how their batches are dated."""

    glob: str = Field(min_length=1, description="files of this source, relative to landing; ** for any depth")
    batch: BatchDate
    retention_days: int | None = Field(None, ge=1, description="days that delivered files are kept in landing; none = for ever")
    settle_seconds: int = Field(0, ge=0, description="a file changed less than this long ago is still being written")

    @field_validator("glob")
    @classmethod
    def _inside_landing(cls, value: str) -> str:
        if value.startswith("/") or ".." in value.split("/"):
            raise ValueError("must stay below landing: no leading '/' and no '..'")
        return value

    def file_of(self, night: dt.date) -> str:
        """The file that a pull of a night writes: the glob with the night in place of its '*'."""
        return self.glob.replace("*", night.strftime(self.batch.format or ""), 1)


DECLARED = "declared"
HEADERLESS_KINDS = frozenset({"csv", "tsv", "xlsx", "xls"})
KINDS_OF_OPTION = {"fields": ("fixed",), "widths_in": ("fixed",), "table": ("sqlite",), "query": ("sqlite",), "records": ("json", "xml")}


class FixedField(_Part):
    """One field of a line of fixed width."""

    name: str = Field(min_length=1)
    width: int = Field(ge=1)


class Format(_Part):
    """The shape of a delivered file. gz and zip around it are recognised by their first bytes."""

    kind: Literal["csv", "tsv", "fixed", "xlsx", "xls", "json", "ndjson", "xml", "parquet", "sqlite"]
    encoding: str = Field(
        "utf-8",
        description="any encoding that Python knows; a byte order mark is accepted and dropped; xml: 'declared', its default, is what "
        "the document says of itself",
    )
    delimiter: str = Field(",", min_length=1, max_length=1)
    quote: str | None = Field('"', description="quote character; null when the delivery never quotes")
    quoted_lines: bool = Field(False, description="each line is one quoted string that holds the whole row")
    header_rows: int = Field(
        1, ge=0, description="rows of the header; several levels are joined with '/', merged cells repeated; 0 = names from 'names'"
    )
    names: tuple[str, ...] | None = Field(None, description="column names of a delivery without header")
    skip_rows: int = Field(0, ge=0, description="title rows above the header")
    header_contains: str | None = Field(
        None, description="find the header: the first row that holds this cell; title rows above it are skipped"
    )
    repeated_columns: Literal["refuse", "first"] = Field(
        "refuse", description="what a column name delivered twice means: an error, or a repeated block of which the first is read"
    )
    repeated_header: Literal["refuse", "skip"] = Field(
        "refuse", description="what a data row equal to the header means: rejected, or skipped as filtered"
    )
    sheet: str | None = Field(None, description="sheet name, or /pattern/; the first sheet if absent")
    records: str | None = Field(
        None,
        description="json: dotted path to the array of records; the document itself if absent. xml: path of element names from the root "
        "to the element of a record, as in answer/calls/call; '*' for any name",
    )
    fields: tuple[FixedField, ...] = Field((), description="fixed: the fields of a line, in their order; padding spaces are dropped")
    widths_in: Literal["characters", "bytes"] = Field(
        "characters", description="fixed: what widths count; bytes are those of 'encoding', in which an ideograph of GBK takes two"
    )
    table: str | None = Field(None, min_length=1, description="sqlite: the table or view to read")
    query: str | None = Field(None, min_length=1, description="sqlite: a single SELECT to read instead of a table")
    member: str | None = Field(None, description="zip: glob of the members to read; all if absent")

    @model_validator(mode="before")
    @classmethod
    def _encoding_of_xml(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("kind") == "xml" and "encoding" not in value:
            return {**value, "encoding": DECLARED}
        return value

    @model_validator(mode="after")
    def _complete(self) -> Format:
        if self.header_rows == 0 and not self.names and self.kind in HEADERLESS_KINDS:
            raise ValueError("a delivery without header needs 'names'")
        for option, kinds in KINDS_OF_OPTION.items():
            if option in self.model_fields_set and self.kind not in kinds:
                raise ValueError(f"'{option}' is for {' and '.join(kinds)} deliveries, not for {self.kind}")
        if self.kind == "xml" and not self.records:
            raise ValueError("kind 'xml' needs 'records', the path to the element of a record")
        if self.kind == "fixed" and not self.fields:
            raise ValueError("kind 'fixed' needs 'fields', each with its 'name' and 'width'")
        if self.kind == "sqlite" and (self.table is None) == (self.query is None):
            raise ValueError("kind 'sqlite' needs either 'table' or 'query'")
        return self


class Variant(_Part):
    """Another shape of the same source, for the files whose path below landing matches."""

    match: str = Field(description="glob on the path below landing")
    format: Format


VARIABLE = r"^[A-Z][A-Z0-9_]*$"


def _is_variable(name: str) -> str:
    if not re.match(VARIABLE, name):
        raise ValueError(
            "must be the name of an environment variable, such as CALL_DATABASE: no address and no secret stands in a contract"
        )
    return name


Variable = Annotated[str, AfterValidator(_is_variable), Field(json_schema_extra={"pattern": VARIABLE})]


class PullCursor(_Part):
    """What has been pulled before is not pulled again: only rows whose cursor is not below the highest one seen."""

    column: str = Field(min_length=1, description="delivered column that grows with every change: a time of change or a running number")
    overlap: int = Field(
        0, ge=0, description="seconds (of a time) or steps (of a number) below the last cursor that are pulled again: rows committed late"
    )
    parameter: str | None = Field(None, description="rest: the query parameter that takes the cursor")
    format: str | None = Field(None, description="strptime format of a time as text that is not ISO")


class PullPages(_Part):
    """rest: how an answer that comes in pages goes on."""

    by: Literal["page", "offset", "cursor"] = Field(
        description="page: numbered pages; offset: rows to pass over; cursor: each page names what to ask for next"
    )
    parameter: str = Field(min_length=1, description="query parameter that takes page, offset or cursor")
    first: int = Field(1, ge=0, description="page: the number of the first one")
    size: int | None = Field(None, ge=1, description="rows asked for per page; a shorter page is the last one")
    size_parameter: str | None = Field(None, description="query parameter that takes 'size'")
    next: str | None = Field(None, description="cursor: dotted path to the next cursor in the answer; null or absent on the last page")
    total: str | None = Field(None, description="dotted path to the number of all rows in the answer: what came in is held against it")

    @model_validator(mode="after")
    def _goes_on(self) -> PullPages:
        if (self.by == "cursor") != (self.next is not None):
            raise ValueError("'next' belongs to pages by cursor, and they need it")
        if self.size_parameter and self.size is None:
            raise ValueError("'size_parameter' needs 'size'")
        return self


class PullToken(_Part):
    """rest: the header that says who asks."""

    variable: Variable
    header: str = Field("Authorization", pattern=r"^[A-Za-z0-9-]+$")
    scheme: str | None = Field("Bearer", description="word before the token; null for none")


class Pull(_Part):
    """The source is not delivered but fetched, each night, into landing: one file a night, where landing.glob has its '*'.

    A home in which the variable of ``server`` is not set does not expect the source.
    """

    kind: Literal["sql", "rest"]
    server: Variable = Field(description="environment variable with the address: postgresql://…, sqlite:///path, or http(s)://…")
    table: str | None = Field(None, description="sql: table or view, with its schema before a dot; only the mapped columns are selected")
    path: str | None = Field(None, pattern=r"^/", description="rest: path below the address")
    records: str | None = Field(None, description="rest: dotted path to the array of records; the answer itself if absent")
    parameters: dict[str, str] = Field({}, description="rest: query parameters of every request")
    pages: PullPages | None = Field(None, description="rest: how the answer is paged; one answer holds everything if absent")
    token: PullToken | None = None
    cursor: PullCursor | None = None

    @model_validator(mode="after")
    def _of_its_kind(self) -> Pull:
        if self.kind == "sql":
            foreign = sorted({"path", "records", "parameters", "pages", "token"} & self.model_fields_set)
            if self.table is None:
                raise ValueError("kind 'sql' needs 'table'")
        else:
            foreign = ["table"] if self.table is not None else []
            if self.path is None:
                raise ValueError("kind 'rest' needs 'path'")
            if self.cursor is not None and self.cursor.parameter is None:
                raise ValueError("the 'cursor' of kind 'rest' needs the 'parameter' that takes it")
        if foreign:
            raise ValueError(f"'{foreign[0]}' is not for kind '{self.kind}'")
        return self


class Extract(_Part):
    mode: Literal["append", "delta", "full"] = Field(
        description="append: new rows only; delta: new state of changed keys; full: everything, an absent key is deleted"
    )
    key: tuple[str, ...] = Field((), description="canonical columns that identify a row; none = its place in its file")
    version: str | None = Field(None, description="canonical column that orders states of a key; else batch date, file name, row")
    deleted_when: str | None = Field(None, description="SQL condition: this row says that its key is deleted")

    @model_validator(mode="after")
    def _key_needed(self) -> Extract:
        if self.mode == "delta" and not self.key:
            raise ValueError("mode 'delta' needs a 'key'")
        if (self.version or self.deleted_when) and not self.key:
            raise ValueError("'version' and 'deleted_when' need a 'key'")
        return self


class Personal(_Part):
    """What becomes of a personal value at landing."""

    treatment: Literal["drop", "hmac", "presence", "generalise", "keep"] = Field(
        description="drop; hmac: a keyed hash; presence: only whether there is a value; generalise; keep, with a reason"
    )
    purpose: Name | None = Field(None, description="hmac: the purpose whose derived key hashes the value")
    to: str | None = Field(None, description="generalise: grid:<degrees>, age_band:<years>, year, month, or prefix:<characters>")
    reason: str | None = Field(None, description="keep: why the value may stay")

    @model_validator(mode="after")
    def _complete(self) -> Personal:
        needed = {"hmac": "purpose", "generalise": "to", "keep": "reason"}.get(self.treatment)
        if needed and getattr(self, needed) is None:
            raise ValueError(f"treatment '{self.treatment}' needs '{needed}'")
        if self.to and not re.match(r"^(grid:0?\.?\d+|age_band:\d+|year|month|prefix:\d+)$", self.to):
            raise ValueError("'to' is one of grid:<degrees>, age_band:<years>, year, month, prefix:<characters>")
        return self


class Column(_Part):
    """One canonical column (a key of ``columns``; a name that starts with '_' is usable in conditions but not stored)."""

    source: str | tuple[str, ...] | None = Field(
        None, alias="from", description="delivered column name, or aliases: the first one present is read"
    )
    constant: str | int | float | bool | None = Field(None, description="the same value on every row")
    batch: Literal["first_day", "last_day"] | None = Field(
        None, description="first or last day of the period that the batch stands for: for facts that only the file's path dates"
    )
    type: Literal["text", "integer", "decimal", "boolean", "date", "timestamp"] | None = Field(
        None, description="only for '_' columns; else the entity's type"
    )
    required: bool = Field(False, description="a row without a value is rejected")
    optional: bool = Field(False, description="the delivered column may be missing altogether")
    formats: tuple[str, ...] = Field(
        (), description="strptime formats of a date or timestamp, tried in order; ISO if none; a time with %z becomes China Standard Time"
    )
    as_day: Literal["first", "last"] = Field("last", description="the day that a month or a year stands for")
    truncate: Literal["minute", "hour", "day", "month", "year"] | None = Field(
        None, description="date or timestamp: cut to the beginning of this period"
    )
    nulls: tuple[str, ...] = Field((), description="delivered texts that mean no value, besides the empty one")
    codes: dict[str, str | int | bool | None] | None = Field(
        None, description="delivered text to canonical value ('' for no text); any other value is rejected as unknown_code"
    )
    codes_else: str | int | bool | None = Field(None, description="canonical value of every text that 'codes' does not name")
    unit: str | None = Field(
        None,
        description="unit of measure as delivered (second, minute, hour, fen, yuan, wan_yuan, percent, metre, km); converted to the entity's",
    )
    pad: int | None = Field(None, ge=1, description="text: left-pad with zeros to this length")
    thousands: str | None = Field(None, max_length=1, description="thousands separator of a number")
    decimal_mark: Literal[".", ","] = "."
    strip: str | None = Field(None, description="characters removed from both ends, besides white space")
    personal: Personal | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Column:
        dropped = self.personal is not None and self.personal.treatment == "drop"
        if sum(origin is not None for origin in (self.source, self.constant, self.batch)) != 1:
            raise ValueError("give either 'from', 'constant' or 'batch'")
        if dropped and self.source is None:
            raise ValueError("only a delivered value can be personal")
        return self

    @property
    def aliases(self) -> tuple[str, ...]:
        if self.source is None:
            return ()
        return (self.source,) if isinstance(self.source, str) else self.source


class Rule(_Part):
    id: Name
    expect: str = Field(description="SQL condition over canonical columns; a row where it is false breaks the rule (null passes)")
    severity: Severity = "reject"
    message: str = Field(min_length=1, description="what is wrong and what to do")


class Tolerance(_Part):
    quarantined_share: float = Field(0.05, ge=0, le=1, description="a batch with a larger share of rejected rows is held")
    volume_drop: float | None = Field(None, gt=0, le=1, description="warn when rows fall short of recent batches by more than this share")
    orphan_share: float | None = Field(
        None, ge=0, le=1, description="share of rows that may name a row of another entity that is not there; else that of the entity"
    )


class Reduce(_Part):
    """The source may enter as counts only: rows are grouped at ingest and ``row_count`` says how many stood behind each."""

    by: tuple[str, ...] = Field(min_length=1, description="canonical columns to group by")
    sums: tuple[str, ...] = Field((), description="canonical integer and decimal columns that are summed")


class Correction(_Part):
    """A known upstream error, put right until upstream is."""

    where: str = Field(description="SQL condition that finds the wrong rows")
    assign: dict[str, str | int | float | bool | None] = Field(alias="set", description="canonical column to right value")
    reason: str = Field(min_length=1)
    expect: int = Field(ge=1, description="rows that are wrong in the batch; another number holds the batch: upstream changed")
    batch: dt.date | None = Field(None, description="the batch it applies to; every one if absent")


class Contract(_Part):
    id: Name
    title: Title
    group: Name = Field(description="set of sources with its own root of units (city, open_data, …)")
    domain: Name = Field(description="folder of the source: call, case, mediation, …")
    entity: Name
    owner: Name
    systems: tuple[str, ...] = Field((), description="rows of the register of systems that this source stands for")
    cadence: Cadence
    due: dt.time | None = Field(None, description="local time of the day after, by which the delivery is expected")
    grade: Grade
    landing: Landing
    pull: Pull | None = Field(None, description="where the pool fetches the source itself")
    format: Format
    variants: tuple[Variant, ...] = ()
    extract: Extract
    filter: str | None = Field(
        None, description="SQL condition over canonical columns; rows where it is false are left out, counted as filtered"
    )
    columns: dict[Annotated[str, Field(pattern=r"^_?[a-z][a-z0-9_]*$")], Column] = Field(min_length=1)
    ignore: tuple[str, ...] | Literal["*"] = Field(
        "*", description="delivered columns known and not read; a list makes any other extra column an error"
    )
    rules: tuple[Rule, ...] = ()
    tolerance: Tolerance = Tolerance()
    reduce: Reduce | None = None
    corrections: tuple[Correction, ...] = ()

    @model_validator(mode="after")
    def _columns_exist(self) -> Contract:
        named: list[tuple[tuple[str | int, ...], str]] = [(("extract", "key", i), name) for i, name in enumerate(self.extract.key)]
        if self.extract.version:
            named.append((("extract", "version"), self.extract.version))
        if self.reduce:
            named += [(("reduce", "by", i), name) for i, name in enumerate(self.reduce.by)]
            named += [(("reduce", "sums", i), name) for i, name in enumerate(self.reduce.sums)]
        for at, name in named:
            if name not in self.columns:
                raise _misplaced(f"'{name}' is not among 'columns'", at, name, self.columns)
        for name, column in self.columns.items():
            if name.startswith(LOCAL_PREFIX) and column.type is None:
                raise _misplaced(f"column '{name}' is not of the entity and needs a 'type'", ("columns", name))
            if not name.startswith(LOCAL_PREFIX) and column.type is not None:
                raise _misplaced(f"column '{name}' has its type from the entity: remove 'type'", ("columns", name, "type"))
        if self.reduce and self.extract.key:
            raise _misplaced("a reduced source has no 'key': its rows are counts", ("extract", "key"))
        return self

    def format_of(self, relative_path: str) -> Format:
        """The shape of one delivered file, by its path below landing."""
        from pathlib import PurePosixPath

        for variant in self.variants:
            if PurePosixPath(relative_path).match(variant.match):
                return variant.format
        return self.format

    @property
    def stored_columns(self) -> dict[str, Column]:
        """The columns that reach the pool: no '_' columns, no dropped ones."""
        return {
            n: c for n, c in self.columns.items() if not n.startswith(LOCAL_PREFIX) and not (c.personal and c.personal.treatment == "drop")
        }
