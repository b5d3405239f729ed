"""Which code made a release: the package's version and a hash of everything that can change a figure."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
CODE = (("dagster_project", ("*.py", "*.yaml")), ("dbt", ("*.sql", "*.yml", "*.csv", "*.py")))


@cache
def code_version() -> str:
    """``<version>+<12 hex digits>``; the same bytes of code give the same text on any machine."""
    sha = hashlib.sha256()
    for folder, patterns in CODE:
        files = sorted({f for pattern in patterns for f in (PROJECT / folder).rglob(pattern) if "target" not in f.parts})
        for file in files:
            sha.update(f"{file.relative_to(PROJECT).as_posix()}\n".encode())
            sha.update(hashlib.sha256(file.read_bytes()).digest())
    try:
        version = metadata.version("dagster-project")
    except metadata.PackageNotFoundError:
        version = "0"
    return f"{version}+{sha.hexdigest()[:12]}"
