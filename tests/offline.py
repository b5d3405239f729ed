"""Commands where no network is, and whom they tried to reach."""

from __future__ import annotations

import ipaddress
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

CUT_OFF = ("unshare", "-rn")
TRACE = ("strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-e", "signal=none", "-o")
_ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')


@cache
def cut_off() -> tuple[str, ...]:
    """What a command is prefixed with to have no network; nothing where the kernel does not take it away."""
    return CUT_OFF if subprocess.run([*CUT_OFF, "true"], capture_output=True, check=False).returncode == 0 else ()


@cache
def can_trace() -> bool:
    """strace is there and may look at other processes."""
    return bool(shutil.which("strace")) and subprocess.run([*TRACE, "/dev/null", "true"], capture_output=True, check=False).returncode == 0


def traced(file: Path) -> tuple[str, ...]:
    """What a command is prefixed with to have all that it and its children try to reach written to a file; nothing where it cannot be."""
    return (*TRACE, str(file)) if can_trace() else ()


def reached_beyond_this_machine(file: Path) -> set[str]:
    """The addresses that a traced command connected or sent to, or tried to, other than those of this machine."""
    found = {ipv4 or ipv6 for ipv4, ipv6 in _ADDRESS.findall(file.read_text(encoding="utf-8", errors="replace"))}
    return {address for address in found if not ipaddress.ip_address(address).is_loopback}
