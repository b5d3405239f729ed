"""What is wrong with a contract, told so that its writer can put it right: file, line, place, message, suggestion."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

DocumentPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Finding:
    """Something wrong at a place of a contract: the keys and list indexes that lead there. No file and no line yet."""

    path: DocumentPath
    message: str
    suggestion: str | None = None


@dataclass(frozen=True)
class ContractProblem:
    """Something wrong in a contract file. ``line`` counts from 1; ``path`` is the dotted place in the document."""

    file: Path
    line: int
    path: str
    message: str
    suggestion: str | None = None

    def __str__(self) -> str:
        place = f" {self.path}:" if self.path else ""
        hint = f" ({self.suggestion})" if self.suggestion else ""
        return f"{self.file}:{self.line}:{place} {self.message}{hint}"


class ContractError(ValueError):
    """Contracts that cannot be used; the message lists every problem, one a line."""

    def __init__(self, problems: Iterable[ContractProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))


def dotted(path: DocumentPath) -> str:
    """``('columns', 'from', 0)`` as ``columns.from[0]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A suggestion for a mistyped word: the nearest known one, else all of them if they are few, else nothing."""
    choices = sorted(set(known))
    lowered = {choice.lower(): choice for choice in choices}
    near = difflib.get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.6)
    if near:
        return f"did you mean '{lowered[near[0]]}'?"
    if choices and len(choices) <= 12:
        return "known here: " + ", ".join(choices)
    return None
