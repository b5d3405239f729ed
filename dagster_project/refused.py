"""What the machine refuses a command, in words for people: what, where, and what to do.

Belongs here: errors of which no program is at fault, a full disk or a right that is missing. Of any other error the traceback is needed.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Mapping

MAKE_ROOM = "make room and run the command again"
OF_ACCOUNT = "run the command as the account that owns it, or give this account the right"
REMEDIES: Mapping[int, str] = {
    errno.ENOSPC: MAKE_ROOM,
    errno.EDQUOT: MAKE_ROOM,
    errno.EROFS: "mount it for writing, or name another place",
    errno.EACCES: OF_ACCOUNT,
    errno.EPERM: OF_ACCOUNT,
    errno.ENOTDIR: "a part of the path is a file: name another place",
    errno.ENAMETOOLONG: "name a shorter one",
    errno.EIO: "look after the disk: it cannot be read or written any more",
}
OF_SQLITE: Mapping[int, str] = {
    sqlite3.SQLITE_FULL: MAKE_ROOM,
    sqlite3.SQLITE_IOERR: f"the disk is full or fails: {MAKE_ROOM}, or look after the disk",
    sqlite3.SQLITE_READONLY: OF_ACCOUNT,
    sqlite3.SQLITE_CANTOPEN: OF_ACCOUNT,
    sqlite3.SQLITE_PERM: OF_ACCOUNT,
}
PRIMARY_CODE = 0xFF


def words_of(problem: OSError) -> str:
    """What was refused, where, and what to do, as far as the error says it."""
    where = f"{problem.filename}: " if problem.filename is not None else ""
    remedy = REMEDIES.get(problem.errno or 0, "name another place")
    return f"{where}{problem.strerror or problem}; {remedy}"


def refusal_of_machine(problem: BaseException) -> str | None:
    """The words of an error of which the machine tells what is to be done, also where SQLAlchemy wraps it; None of any other."""
    problem = getattr(problem, "orig", None) or problem
    if isinstance(problem, OSError) and problem.errno in REMEDIES:
        return words_of(problem)
    if isinstance(problem, sqlite3.OperationalError):
        remedy = OF_SQLITE.get(getattr(problem, "sqlite_errorcode", 0) & PRIMARY_CODE)
        return f"a database of the home: {problem}; {remedy}" if remedy else None
    return None
