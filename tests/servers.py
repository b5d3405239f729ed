"""A PostgreSQL server of the test's own: started on a free port of 127.0.0.1, thrown away afterwards."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVER_FOLDERS = "/usr/lib/postgresql/*/bin"
UNPRIVILEGED = ("postgres", "nobody")


def postgres_folder() -> Path | None:
    """The folder of PostgreSQL's server programs; Debian keeps it out of PATH."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    folders = [folder for folder in Path("/").glob(SERVER_FOLDERS.lstrip("/")) if (folder / "initdb").exists()]
    return max(folders, key=lambda folder: int(folder.parent.name.split(".")[0]), default=None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Postgres:
    """A running server. ``dsn`` names its superuser, ``stop`` and ``start`` take it away and bring it back."""

    programs: Path
    data: Path
    port: int
    password: str
    account: str | None

    @property
    def dsn(self) -> str:
        return f"postgresql://pool:{self.password}@127.0.0.1:{self.port}/postgres"

    def run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        if self.account:
            command = ["setpriv", f"--reuid={self.account}", f"--regid={pwd.getpwnam(self.account).pw_gid}", "--clear-groups", *command]
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(self.data.parent)}
        subprocess.run(command, check=True, cwd=self.data.parent, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        self.run("pg_ctl", "-D", str(self.data), "-w", "-t", "60", "-s", "-l", str(self.data.parent / "log"), "-o", options, "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-D", str(self.data), "-w", "-s", "-m", "immediate", "stop")

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements, each committed; the rows of the last one."""
        from adbc_driver_postgresql import dbapi

        rows: list[tuple[Any, ...]] = []
        with dbapi.connect(self.dsn, autocommit=True) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
        return rows


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server that lives as long as the context. As root it runs under an account without rights, as it must."""
    programs = postgres_folder()
    assert programs is not None
    accounts = {entry.pw_name for entry in pwd.getpwall()}
    account = next(name for name in UNPRIVILEGED if name in accounts) if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="pool-postgres-", dir="/tmp"))
    try:
        if account:
            os.chown(folder, pwd.getpwnam(account).pw_uid, pwd.getpwnam(account).pw_gid)
        server = Postgres(programs, folder / "data", free_port(), secrets.token_hex(12), account)
        password = folder / "password"
        password.write_text(server.password, encoding="utf-8")
        password.chmod(0o644)
        arguments = ("-U", "pool", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", f"--pwfile={password}", "-N")
        server.run("initdb", "-D", str(server.data), *arguments)
        password.unlink()
        server.start()
        try:
            yield server
        finally:
            with suppress(subprocess.CalledProcessError):
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
