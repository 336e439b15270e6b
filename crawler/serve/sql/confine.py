"""Confines the process that answers SQL: it may read the lake and Python, and write in one folder of its own.

What is not granted here the kernel refuses, whatever a statement finds in DuckDB.

Touches: its own process.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_SYSTEM = (
    *("/usr", "/lib", "/lib64", "/nix/store", "/etc/ld.so.cache", "/etc/localtime"),
    *(
        "/dev/null",
        "/dev/urandom",
        "/proc/self",
        "/proc/meminfo",
        "/proc/cpuinfo",
        "/sys/fs/cgroup",
        "/sys/devices/system",
    ),
)
"""What Python and the libraries read of a system: programs, but neither /etc nor anybody's files."""

# Landlock (Linux 5.13, landlock(7)): numbers of the system calls, the same on every architecture, and of the rights.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many rights concern files, since which version: Landlock refuses what it does not know."""
_PR_SET_NO_NEW_PRIVS = 38
_PATH_BENEATH = 1


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def limit(memory: int, spill: int) -> None:
    """Limit what the process may take: address space and bytes of a file; it leaves no core, and no file to others.

    The number of threads is not limited: the limit would be on all processes of the user together.
    """
    os.umask(0o077)
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, spill),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 4096),
    ):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))
    with suppress(OSError):  # where memory runs out, this process goes first
        Path("/proc/self/oom_score_adj").write_text("1000")


def confine(readable: Path, writable: Path) -> bool:
    """Give up everything but Python, one folder to read and one to write in: other files, programs, TCP, signals.

    False where the kernel has no Landlock. It must come before any other thread begins, for it holds for the
    calling thread and those that it starts.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, 0, 1)
    if version < 1 or libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return False
    everything = (1 << max(count for since, count in _RIGHTS.items() if since <= version)) - 1
    rules = _Ruleset(everything, 0b11 if version >= 4 else 0, 0b11 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.byref(rules), size, 0)
    if ruleset < 0:
        return False
    try:
        for path in _of_python():
            _grant(libc, ruleset, path, _READ_FILE | _READ_DIR)
        _grant(libc, ruleset, readable, _READ_FILE | _READ_DIR)
        _grant(libc, ruleset, writable, everything & ~_EXECUTE)
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _of_python() -> Iterable[Path]:
    packages = [entry for entry in sys.path if entry.endswith("-packages")]
    ours = Path(__file__).parents[2]
    return map(Path, (*_SYSTEM, sys.prefix, sys.base_prefix, *packages, str(ours)))


def _grant(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    if not path.exists():
        return
    place = os.open(path, os.O_PATH)
    try:
        allowed = rights if path.is_dir() else rights & ~_READ_DIR
        libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(_Beneath(allowed, place)), 0)
    finally:
        os.close(place)
