"""Build what commands work with out of settings, terminal and environment; nothing else reads the environment.

Touches: the environment, disk.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.abc import MetaPathFinder
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from crawler.errors import UserError
from crawler.unexpected import tell_no_values
from jobs.options import LOG_LEVELS

if TYPE_CHECKING:
    from crawler.settings import Settings

LEAST_ADDRESSED = 2 << 30
_ARENA_MAX = -8  # as malloc.h has it
EXAMPLE = "pacslake.example.toml"


def begin() -> None:
    """Have this process write for its user alone, print nothing that quotes a patient, and start at once."""
    os.umask(0o077)
    tell_no_values()
    sys.meta_path.insert(0, Hidden())


class Hidden(MetaPathFinder):
    """Hides what libraries import wherever it is installed, half a second for nothing that we use.

    pyarrow and DuckDB look for pandas, pydicom for requests, and httpcore for sniffio, four times a request.
    """

    def find_spec(self, name: str, _path: object, _target: object = None) -> None:
        """Raise ModuleNotFoundError for them."""
        if name in ("pandas", "requests", "sniffio"):
            raise ModuleNotFoundError(name)


def require_memory() -> None:
    """Go sparingly with addresses where they are limited.

    UserError where there are fewer than libraries need, which end the process by a signal then.
    """
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY:
        return
    if most < LEAST_ADDRESSED:
        left, needed = (f"{size / 2**30:.1f} GB" for size in (most, LEAST_ADDRESSED))
        raise UserError(
            f"`ulimit -v` leaves {left} to be addressed, and {needed} are needed, with many processors more. "
            "Limit memory itself instead: systemd's MemoryMax=, docker's --memory"
        )
    set_malloc({_ARENA_MAX: 2})  # else it takes 64 MB for each of 16 threads


def set_malloc(options: Mapping[int, int]) -> None:
    """Set options of glibc's malloc, by their numbers in malloc.h; another C library is left as it is."""
    import ctypes  # few commands pay for it

    with suppress(AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in options.items():
            mallopt(option, value)


def settings_from(path: Path) -> Settings:
    """Read the settings file, and write from now on for whom it says. UserError when something is wrong with it."""
    from crawler.settings import load

    settings = load(path, os.environ)
    os.umask(settings.lake.umask)
    if settings.lake.place:  # else no command pays for it
        from crawler.lake.remote import attach

        attach(settings.lake.path, settings.lake.place, 0o777 & ~settings.lake.umask)
    return settings


def settings_anew(path: Path, before: Settings) -> Settings:
    """Read the settings file of a service that runs. UserError too for what cannot change while it does."""
    settings = settings_from(path)
    fixed = [
        "lake.path",
        "lake.place",
        "find_scp",
        *(f"serve.{name}" for name in type(settings.serve).model_fields if not name.startswith("sql_")),
    ]
    for name in fixed:
        if attrgetter(name)(settings) != attrgetter(name)(before):
            raise UserError(f"{path}: {name} cannot change while the service runs; start it anew")
    return settings


def start_logging(level: str) -> None:
    """Log key=value lines to a person's terminal, JSON lines to anything else."""
    from crawler import log

    human = sys.stderr.isatty()
    log.configure(level, human=human, colors=human and colors_wanted())


def log_level() -> str:
    """Give from which level on is logged where the command line does not say it."""
    wanted = os.environ.get("PACSLAKE_LOG_LEVEL") or "info"
    if wanted not in LOG_LEVELS:
        raise UserError(f"PACSLAKE_LOG_LEVEL must be {', '.join(LOG_LEVELS[:-1])} or {LOG_LEVELS[-1]}, not {wanted!r}")
    return wanted


def notify_address() -> str | None:
    """Give the socket on which systemd listens to this service, None where none does."""
    return os.environ.get("NOTIFY_SOCKET")


def watchdog_seconds() -> float | None:
    """Give how often systemd's watchdog wants a sign of life, None where there is none."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isdecimal() else None


def colors_wanted() -> bool:
    """Whether colours may be used at all (https://no-color.org)."""
    return not os.environ.get("NO_COLOR")


def shipped(name: str) -> str:
    """Give the text of a file of config/, or of a lock, which a wheel carries inside this package."""
    here = Path(__file__).parent
    places = (here / "config" / name, here.parent / "config" / name, here.parent / name)
    return next(place for place in places if place.exists()).read_text(encoding="utf-8")
