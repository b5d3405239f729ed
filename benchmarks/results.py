"""Where the figures of a benchmark go: a file that can be written is made sure of before anything is measured for it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def file_to_write(text: str) -> Path:
    """The file that an option names, for argparse. Raises ArgumentTypeError when it could not be written once the figures are there."""
    file = Path(text)
    if file.is_dir():
        raise argparse.ArgumentTypeError(f"{file} is a folder: name a file in it")
    if not file.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {file.parent}: make it first, or name another")
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{file} may not be written: name another, or run as its owner")
    return file
