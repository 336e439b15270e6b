"""Confines a process that answers others: it may read and write where it must, and take so much memory.

What is not granted the kernel refuses, whatever somebody finds in DuckDB, or in what reads DICOM.

Touches: its own process.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from collections.abc import Collection, Iterable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

DESCRIPTORS = 4096
"""Files and connections that may be open at once."""

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
_FILL = 1 << 1 | 1 << 5 | 1 << 8
"""Write a file, remove one, make a regular one."""
_BIND, _CONNECT = 1 << 0, 1 << 1
_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many rights concern files, since which version: Landlock refuses what it does not know."""
_PR_SET_NO_NEW_PRIVS = 38
_PATH_BENEATH = 1


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


class Confines(NamedTuple):
    """What is left to a process beside what it has open."""

    readable: Collection[Path]
    writable: Collection[Path] = ()
    filled: Collection[Path] = ()
    """Folders in which files can be made, written and removed, but neither read nor be anything else."""
    connects: bool = False
    """Whether it may call others by TCP; it may never answer at another port."""


def limit(memory: int, spill: int) -> None:
    """Limit what the process may take: address space and bytes of a file; it leaves no core, and no file to others.

    The number of threads is not limited: the limit would be on all processes of the user together.
    """
    _limit({resource.RLIMIT_AS: memory, resource.RLIMIT_FSIZE: spill})


def limit_data(memory: int) -> None:
    """Do the same for a process with many threads, which reserve much address space and use little of it."""
    _limit({resource.RLIMIT_DATA: memory})


def _limit(limits: dict[int, int]) -> None:
    os.umask(0o077)
    for what, most in (limits | {resource.RLIMIT_CORE: 0, resource.RLIMIT_NOFILE: DESCRIPTORS}).items():
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))
    with suppress(OSError):  # where memory runs out, this process goes first
        Path("/proc/self/oom_score_adj").write_text("1000")


def landlock_version() -> int:
    """Say which Landlock this machine has; 0 where its kernel has none, or does not let us."""
    return max(0, int(_libc().syscall(_CREATE_RULESET, None, 0, 1)))


def confine(confines: Confines) -> None:
    """Give up everything but Python and what is granted: other files, programs, TCP, signals.

    Nothing happens where there is no Landlock; OSError where it fails. It must come before any other thread begins, for
    it holds for the calling thread and those that it starts.
    """
    libc, version = _libc(), landlock_version()
    if not version:
        return
    everything = (1 << max(count for since, count in _RIGHTS.items() if since <= version)) - 1
    calls = _BIND if confines.connects else _BIND | _CONNECT
    rules = _Ruleset(everything, calls if version >= 4 else 0, 0b11 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _done(libc.syscall(_CREATE_RULESET, ctypes.byref(rules), size, 0))
    try:
        for path in (*_of_python(), *confines.readable):
            _grant(ruleset, path, _READ_FILE | _READ_DIR)
        for path in confines.writable:
            _grant(ruleset, path, everything & ~_EXECUTE)
        for path in confines.filled:
            _grant(ruleset, path, _FILL)
        _done(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _done(libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _done(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "this process cannot be confined")
    return result


def _of_python() -> Iterable[Path]:
    """Give where Python, our code and the libraries lie; not all of sys.path, which may begin with anybody's folder."""
    libraries = filter(None, map(find_spec, ("duckdb", "deltalake", "pyarrow", "pydicom", "numpy")))
    packages = {Path(found.origin).parents[1] for found in libraries if found.origin}
    return {*map(Path, (*_SYSTEM, sys.prefix, sys.base_prefix)), *packages, Path(__file__).parents[1]}


def _grant(ruleset: int, path: Path, rights: int) -> None:
    if not path.exists():
        return
    place = os.open(path, os.O_PATH)
    try:
        beneath = _Beneath(rights if path.is_dir() else rights & ~_READ_DIR, place)
        _done(_libc().syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(beneath), 0))
    finally:
        os.close(place)
