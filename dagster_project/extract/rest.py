"""rest: the pages of an HTTP API into a file of one JSON record a line.

A page that has come is appended to the draft, and only then is the next one asked for, so that an interrupted pull goes on where it
stopped. Of a record only the keys that the contract reads are written; numbers keep the text they were delivered in.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ReadTimeoutError,
    ResponseError,
    SSLError,
)
from urllib3.util import Retry, Timeout

from dagster_project.contracts.model import Contract, Pull
from dagster_project.extract.columns import request_of
from dagster_project.extract.cursor import higher, is_believable, lowered
from dagster_project.extract.problems import PullError
from dagster_project.extract.state import Draft, Pulled
from dagster_project.ingest.decode import DEFAULT_LIMITS
from dagster_project.ingest.readers.header import normalise_name
from dagster_project.ingest.readers.json_records import exact_text, parse_exactly
from dagster_project.ingest.readers.keyed import BadRecord

logging.getLogger("urllib3.connectionpool").setLevel(logging.CRITICAL)  # its warnings name the server

TRIES = 6
BACKOFF_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 60
CONNECT_SECONDS = 15
READ_SECONDS = 120
BUSY = frozenset({429, 500, 502, 503, 504})
REFUSED = frozenset({401, 403})
MORE_PAGES = 1_000_000


@dataclass(frozen=True)
class _Page:
    records: list[Any]
    following: str | None
    total: int | None
    mark: str


def pull_pages(
    contract: Contract,
    address: str,
    token: str | None,
    draft_file: Path,
    cursor: str | None,
    former: Draft | None,
    remember: Callable[[Draft], None],
    say: Callable[[str], None],
) -> Pulled:
    """Write the records of every page from ``cursor`` on into ``draft_file``, going on from ``former`` if there is one.

    ``remember`` is told of every page that is safe on disk. Raises PullError.
    """
    pull = contract.pull
    assert pull is not None
    server = _Server(pull, address, token)
    draft = _resumed(former, draft_file) or _begun(pull, cursor)
    keep = _keeper(contract)
    with draft_file.open("r+b" if draft.bytes else "wb") as file:
        file.truncate(draft.bytes)
        file.seek(draft.bytes)
        for _ in range(MORE_PAGES):
            page = server.page(draft)
            if page.mark == draft.last_page and page.records:
                raise PullError(f"two pages are the same: does the API know the parameter '{pull.pages.parameter if pull.pages else ''}'?")
            written = b"".join(keep(record) for record in page.records)
            file.write(written)
            file.flush()
            os.fsync(file.fileno())
            newest = draft.newest
            for record in page.records:
                newest = _newest(pull, newest, record)
            rows = draft.rows + len(page.records)
            draft = Draft(draft.since, page.following or draft.position, draft.bytes + len(written), rows, newest, page.mark)
            if page.following is None:
                if page.total is not None and page.total != rows:
                    raise PullError(f"the API speaks of {page.total:,} records, its pages held {rows:,}; it is asked anew next time")
                return Pulled(rows, newest)
            remember(draft)
            say(f"{contract.id}: {rows:,} rows pulled")
    raise PullError(f"there is no end after {MORE_PAGES:,} pages")


def _resumed(former: Draft | None, draft_file: Path) -> Draft | None:
    whole = former is not None and draft_file.is_file() and draft_file.stat().st_size >= former.bytes
    return former if whole else None


def _begun(pull: Pull, cursor: str | None) -> Draft:
    since = lowered(pull.cursor, cursor) if pull.cursor is not None and cursor is not None else None
    first = {"page": str(pull.pages.first), "offset": "0", "cursor": ""}[pull.pages.by] if pull.pages else ""
    return Draft(since, first, 0, 0, cursor, "")


class _Server:
    """The API, asked for one page after the other."""

    def __init__(self, pull: Pull, address: str, token: str | None) -> None:
        assert pull.path is not None
        if not address.startswith(("http://", "https://")):
            raise PullError("the address is neither http://… nor https://…")
        self._pull = pull
        self._url = address.rstrip("/") + pull.path
        self._headers = {"Accept": "application/json", "User-Agent": "police-data-pool"}
        if pull.token is not None:
            if not token:
                raise PullError(f"the environment variable {pull.token.variable}, which holds the token, is not set")
            self._headers[pull.token.header] = f"{pull.token.scheme} {token}" if pull.token.scheme else token
        retry = Retry(
            total=TRIES,
            redirect=0,
            status_forcelist=BUSY,
            allowed_methods={"GET"},
            backoff_factor=BACKOFF_SECONDS,
            backoff_max=LONGEST_WAIT_SECONDS,
            retry_after_max=LONGEST_WAIT_SECONDS,
        )
        self._http = urllib3.PoolManager(retries=retry, timeout=Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS))

    def page(self, draft: Draft) -> _Page:
        """The page at the draft's position. Raises PullError."""
        place = f"the page behind {draft.rows:,} records" if draft.rows else "the first page"
        try:
            response = self._http.request("GET", self._url, fields=self._parameters(draft), headers=self._headers, redirect=False)
        except (HTTPError, ValueError) as wrong:
            raise PullError(f"{place}: {_words(wrong)}", keeps_draft=True) from None
        if response.status != 200:
            raise PullError(f"{place}: {self._status_words(response.status)}", keeps_draft=True)
        try:
            answer = parse_exactly(response.data.decode())
        except ValueError:
            kind = str(response.headers.get("Content-Type", "")).partition(";")[0]
            raise PullError(f"{place} is no JSON{f' but {kind}' if kind else ''}", keeps_draft=True) from None
        return self._page_of(answer, draft, place, hashlib.sha256(response.data).hexdigest()[:16])

    def _parameters(self, draft: Draft) -> dict[str, str]:
        pull = self._pull
        parameters = dict(pull.parameters)
        if pull.cursor is not None and pull.cursor.parameter is not None and draft.since is not None:
            parameters[pull.cursor.parameter] = draft.since
        if pull.pages is not None:
            if pull.pages.size_parameter is not None:
                parameters[pull.pages.size_parameter] = str(pull.pages.size)
            if draft.position:
                parameters[pull.pages.parameter] = draft.position
        return parameters

    def _status_words(self, status: int) -> str:
        if status in REFUSED and self._pull.token is not None:
            return f"the API refuses the token in {self._pull.token.variable} (status {status})"
        return f"the API answers with status {status}"

    def _page_of(self, answer: Any, draft: Draft, place: str, mark: str) -> _Page:
        pages = self._pull.pages
        records = _at(answer, self._pull.records)
        if records is None:
            records = []
        if not isinstance(records, list):
            raise PullError(f"{place} holds no array of records at '{self._pull.records or 'its top'}'")
        if pages is None:
            return _Page(records, None, None, mark)
        total = _at(answer, pages.total) if pages.total is not None else None
        if total is not None and not str(total).isdigit():
            raise PullError(f"{place} holds no number at '{pages.total}'")
        known = int(str(total)) if total is not None else None
        return _Page(records, self._following(answer, records, draft, known), known, mark)

    def _following(self, answer: Any, records: list[Any], draft: Draft, total: int | None) -> str | None:
        pages = self._pull.pages
        assert pages is not None
        if pages.by == "cursor":
            following = _at(answer, pages.next)
            if following in (None, "", False):
                return None
            if str(following) == draft.position:
                raise PullError("the API gives the same cursor again")
            return str(following)
        rows = draft.rows + len(records)
        if not records or (total is not None and rows >= total) or (pages.size is not None and len(records) < pages.size):
            return None
        return str(rows) if pages.by == "offset" else str(int(draft.position) + 1)


def _words(wrong: Exception) -> str:
    """What went wrong, without the address that urllib3 would name."""
    reason = wrong.reason if isinstance(wrong, MaxRetryError) and wrong.reason is not None else wrong
    if isinstance(reason, ResponseError):
        codes = [word for word in str(reason).split() if word.isdigit()]
        return f"the API is busy or broken: status {codes[0] if codes else '?'}, {TRIES + 1} times in a row"
    if isinstance(reason, NewConnectionError):
        return "the API cannot be reached: is it running?"
    if isinstance(reason, (ConnectTimeoutError, ReadTimeoutError)):
        return f"the API does not answer in time, {TRIES + 1} times in a row"
    if isinstance(reason, SSLError):
        return "the API's certificate is not trusted"
    return f"the connection breaks off ({type(reason).__name__})"


def _at(answer: Any, path: str | None) -> Any:
    """What stands at a dotted path; None where there is nothing."""
    for part in path.split(".") if path else ():
        if not isinstance(answer, dict):
            return None
        answer = answer.get(part)
    return answer


def _keeper(contract: Contract) -> Callable[[Any], bytes]:
    """Makes the line of a record: what the contract reads; where it lists what may come besides, the names of the rest, for the reader
    to judge, without values.
    """
    request = request_of(contract)
    read = {normalise_name(alias) for group in (*request.wanted, *request.optional) for alias in group}
    dropped = {normalise_name(alias) for alias in request.known}
    depth = DEFAULT_LIMITS.json_depth

    def line(record: Any) -> bytes:
        if not isinstance(record, dict):
            return b"null\n"
        kept = {key: value for key, value in record.items() if normalise_name(key) in read}
        if request.ignore != "*":
            kept |= {key: None for key in record if normalise_name(key) not in read | dropped}
        try:
            return exact_text(kept, depth).encode("utf-8", "backslashreplace") + b"\n"
        except BadRecord:
            return b"null\n"

    return line


def _newest(pull: Pull, newest: str | None, record: Any) -> str | None:
    if pull.cursor is None or not isinstance(record, dict):
        return newest
    value = record.get(pull.cursor.column)
    believed = isinstance(value, str) and value and is_believable(pull.cursor, value)
    return higher(pull.cursor, newest, value) if believed else newest
