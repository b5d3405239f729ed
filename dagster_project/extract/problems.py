"""What ends a pull."""

from __future__ import annotations


class PullError(Exception):
    """A pull that came to nothing; the message names no address and no account. ``keeps_draft``: what has come so far is good."""

    def __init__(self, message: str, *, keeps_draft: bool = False) -> None:
        super().__init__(message)
        self.keeps_draft = keeps_draft
