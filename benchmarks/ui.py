"""The UI of a home as its owner sees it: it answers on this machine alone, knows the code location, and leaves no process behind.

``python -m benchmarks.ui [--home DIR]``

``pool ui`` is started on a free port and asked for its repositories. Of every process that it starts, every socket that listens is looked up
in the kernel's tables; then ``pool ui`` alone is told to stop, as a service manager or a shell does, and its processes are waited for.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import at_work_in
from dagster_project.home import Home

SECONDS_TO_START = 300.0
SECONDS_TO_STOP = 60.0
IN_THE_BACKGROUND = ("env", "--ignore-signal=INT")
"""How the shell of a script starts what is followed by ``&``."""
LISTENS = "0A"
TABLES = ("tcp", "tcp6")
QUESTION = """{ repositoriesOrError { __typename ... on RepositoryConnection { nodes { name location { name } jobs { name } } }
    ... on PythonError { message } } }"""


class UiError(AssertionError):
    """The UI is not as it should be; the message says in what."""


@dataclass(frozen=True)
class Seen:
    """What was seen of a UI: seconds until it answered with its code location and until nothing of it was left; its processes, the addresses
    that they listened on, and the jobs of its repositories."""

    seconds_to_answer: float
    seconds_to_stop: float
    processes: int
    addresses: tuple[str, ...]
    jobs: tuple[str, ...]


def listening(processes: Sequence[int]) -> list[str]:
    """The addresses, with port, on which processes listen for TCP."""
    own = {inode for process in processes for inode in _sockets(process)}
    found = []
    for table in TABLES:
        for line in Path(f"/proc/net/{table}").read_text(encoding="utf-8").splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENS and fields[9] in own:
                address, _, port = fields[1].partition(":")
                found.append(f"{_address(address)}:{int(port, 16)}")
    return sorted(found)


def _address(words: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The kernel prints an address as hexadecimal words of four bytes in the order of the machine."""
    raw = b"".join(int(words[i : i + 8], 16).to_bytes(4, sys.byteorder) for i in range(0, len(words), 8))
    return ipaddress.ip_address(raw)


def _sockets(process: int) -> Iterator[str]:
    try:
        for descriptor in Path(f"/proc/{process}/fd").iterdir():
            target = str(descriptor.readlink())
            if target.startswith("socket:["):
                yield target.removeprefix("socket:[").removesuffix("]")
    except OSError:
        return  # it has ended


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _jobs(port: int) -> tuple[str, ...] | None:
    """The jobs that the UI knows; None while it does not answer or still loads its code location."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql", json.dumps({"query": QUESTION}).encode(), {"Content-Type": "application/json"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as answer:
            said = json.load(answer)["data"]["repositoriesOrError"]
    except OSError:
        return None
    if said["__typename"] != "RepositoryConnection":
        raise UiError(f"the UI could not load the code location: {said}")
    return tuple(f"{n['location']['name']}: {job['name']}" for n in said["nodes"] for job in n["jobs"]) or None


def look(home: Home, log: Path) -> Seen:
    """Start the UI of a home, look at it, and stop it. Raises UiError."""
    port = _free_port()
    environment = {**os.environ, "POOL_HOME": str(home.root), "DO_NOT_TRACK": "1"}
    began = time.monotonic()
    with log.open("w", encoding="utf-8") as said:
        command = [*IN_THE_BACKGROUND, str(Path(sys.executable).with_name("pool")), "ui", "--port", str(port)]
        started = subprocess.Popen(command, env=environment, stdout=said, stderr=said, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        while (jobs := _jobs(port)) is None:
            if started.poll() is not None or time.monotonic() - began > SECONDS_TO_START:
                raise UiError(f"the UI does not answer:\n{log.read_text(encoding='utf-8')}")
            time.sleep(0.5)
        answered = time.monotonic() - began
        processes = at_work_in(started.pid)
        addresses = listening(processes)
        stopping = time.monotonic()
        started.send_signal(signal.SIGTERM)
        while left := at_work_in(started.pid):
            if time.monotonic() - stopping > SECONDS_TO_STOP:
                raise UiError(f"processes {left} outlived the UI")
            started.poll()
            time.sleep(0.1)
        return Seen(answered, time.monotonic() - stopping, len(processes), tuple(addresses), jobs)
    finally:
        for process in at_work_in(started.pid):
            os.kill(process, signal.SIGKILL)
        started.wait()


def beyond_this_machine(addresses: Sequence[str]) -> list[str]:
    """The addresses that others could reach."""
    return [a for a in addresses if not ipaddress.ip_address(a.rpartition(":")[0]).is_loopback]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ui", description=__doc__)
    parser.add_argument("--home", type=Path, help="an empty one if absent")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        seen = look(Home.at(asked.home or Path(scratch) / "home"), Path(scratch) / "ui.log")
    print(f"answered after {seen.seconds_to_answer:.1f} s: {', '.join(seen.jobs)}")
    print(f"{seen.processes} processes, listening on {', '.join(seen.addresses)}; all ended {seen.seconds_to_stop:.1f} s after the signal")
    if open_to_others := beyond_this_machine(seen.addresses):
        raise SystemExit(f"open to other machines: {', '.join(open_to_others)}")


if __name__ == "__main__":
    main()
