"""Opens one workbook with calamine, as a process of its own (run by path, it imports nothing of the project).

A damaged or hostile workbook can make calamine ask for any amount of memory, which ends the process it runs in, or never come
back. Here that costs this process only: it limits its own memory and time.

Both ways, a message is its length in 8 bytes and then its bytes. In: the workbook, then the name of a sheet. Out, pickled pairs:
("sheets", [(name, is a worksheet, is visible)…]), then ("extent", (first row, first column, rows, columns, merged ranges)),
("rows", [row…]) as often as needed and ("end", None); or, at any time, ("locked", "") or ("damaged", reason).
"""

from __future__ import annotations

import io
import pickle
import resource
import struct
import sys
from itertools import islice
from typing import Any

from python_calamine import CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

ROWS_PER_MESSAGE = 2_000
LENGTH = struct.Struct(">Q")


def send(kind: str, content: Any) -> None:
    message = pickle.dumps((kind, content), protocol=5)
    sys.stdout.buffer.write(LENGTH.pack(len(message)) + message)


def receive() -> bytes:
    (length,) = LENGTH.unpack(sys.stdin.buffer.read(LENGTH.size))
    return sys.stdin.buffer.read(length)


def answer(cells_limit: int) -> None:
    with CalamineWorkbook.from_filelike(io.BytesIO(receive())) as workbook:
        sheets = workbook.sheets_metadata
        send("sheets", [(s.name, s.typ == SheetTypeEnum.WorkSheet, s.visible == SheetVisibleEnum.Visible) for s in sheets])
        sys.stdout.buffer.flush()
        sheet = workbook.get_sheet_by_name(receive().decode())
        top, left = sheet.start or (0, 0)
        rows, columns = (sheet.end[0] + 1, sheet.end[1] + 1) if sheet.end else (0, 0)
        send("extent", (top, left, rows, columns, sheet.merged_cell_ranges or []))
        if rows * columns <= cells_limit:
            delivered = sheet.iter_rows()
            while block := list(islice(delivered, ROWS_PER_MESSAGE)):
                send("rows", block)
        send("end", None)
        sys.stdout.buffer.flush()


def main() -> None:
    memory, seconds, cells = map(int, sys.argv[1:4])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        answer(cells)
    except PasswordError:
        send("locked", "")
    except BrokenPipeError:
        return
    except BaseException as error:  # a fault inside calamine arrives as a PanicException, which is no Exception
        send("damaged", "" if type(error).__name__ == "PanicException" else str(error))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
