"""Processes that end with the one that started them, however that one ended."""

from __future__ import annotations

import os
import threading
import time

SECONDS = 0.2


def end_with_parent() -> None:
    """From now on this process ends at once when its parent is gone."""

    def watch(parent: int) -> None:
        while os.getppid() == parent:
            time.sleep(SECONDS)
        os._exit(1)

    threading.Thread(target=watch, args=(os.getppid(),), daemon=True).start()
