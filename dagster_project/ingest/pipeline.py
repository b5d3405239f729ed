"""Reading ahead and writing behind: small helpers that let one batch use more than one core with bounded memory."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")


class ReadAhead(Generic[Item]):
    """Runs an iterator in a thread, ``depth`` items ahead. What it raises is raised here; leaving the context stops it."""

    def __init__(self, items: Iterator[Item], depth: int = 2) -> None:
        self._items = items
        self._queue: queue.Queue[tuple[Item | None, BaseException | None, bool]] = queue.Queue(maxsize=depth)
        self._stopped = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="read ahead", daemon=True)

    def __enter__(self) -> ReadAhead[Item]:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stopped.set()
        while not self._ended:
            self._take()
        self._thread.join()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._items:
                self._queue.put((item, None, False))
                if self._stopped.is_set():
                    break
        except BaseException as raised:
            error = raised
        finally:
            close = getattr(self._items, "close", None)
            if close is not None:
                close()
        self._queue.put((None, error, True))

    def _take(self) -> tuple[Item | None, BaseException | None]:
        item, error, self._ended = self._queue.get()
        return item, error

    def __iter__(self) -> Iterator[Item]:
        while True:
            item, error = self._take()
            if error is not None:
                raise error
            if self._ended:
                return
            yield item  # type: ignore[misc]


class WriteBehind:
    """Runs calls one after the other in a thread, at most ``depth`` waiting. What a call raises is raised by a later one or at the end."""

    def __init__(self, depth: int = 2) -> None:
        self._depth = depth
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="write behind")
        self._waiting: list[Future[Any]] = []

    def __enter__(self) -> WriteBehind:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._executor.shutdown(wait=True)
        if error is None:
            self.settle()

    def call(self, work: Callable[..., None], *arguments: Any) -> None:
        while len(self._waiting) >= self._depth:
            self._waiting.pop(0).result()
        self._waiting.append(self._executor.submit(work, *arguments))

    def settle(self) -> None:
        """Wait until every call is done."""
        while self._waiting:
            self._waiting.pop(0).result()
