"""What is installed here, against what pacslake was tested with: Python, packages, the extra. Touches: disk."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from crawler.pacs.check.verdict import Verdict, note, ok, problem

LOCK = "requirements.run.lock"
EXTRA = ("SimpleITK", "dcm2niix", "PIL")
"""What the extra `images` brings, by the names under which it is imported."""
OLDEST, NEWER = (3, 11), (3, 15)
_PIN = re.compile(r"^([\w.-]+)==([^\s;\\]+)( *;)?", re.MULTILINE)
_NAMED = 5
"""So many packages are named, others counted."""


def of_python() -> Iterator[Verdict]:
    """Say which Python runs which pacslake."""
    where = Path(__file__).parents[1]
    text = f"{sys.version.split()[0]} at {sys.executable}, pacslake {version('pacslake')} at {where}"
    if OLDEST <= sys.version_info[:2] < NEWER:
        yield ok("python", text)
    else:
        yield problem("python", text, "install pacslake with Python 3.11 to 3.14")


def of_packages(lock: str) -> Iterator[Verdict]:
    """Compare what is installed with the text of a lock. A pin with a condition may be for another machine."""
    pins: defaultdict[str, set[str]] = defaultdict(set)
    needed = set()
    for name, pinned, condition in _PIN.findall(lock):
        pins[name].add(pinned)
        if not condition:
            needed.add(name)
    here = {name: _installed(name) for name in pins}
    missing = sorted(name for name in needed if here[name] is None)
    if missing:
        yield problem("packages", f"not installed: {_few(missing)}", f"pip install --require-hashes -r {LOCK}")
    yield _versions(pins, here)


def of_extra() -> Iterator[Verdict]:
    """Say whether images can be opened, drawn and written as NIfTI."""
    missing = [name for name in EXTRA if find_spec(name) is None]
    if missing:
        text = f"without {', '.join(missing)}: no images in memory, as NIfTI or as pictures"
        yield note("extra images", text, remedy="pip install 'pacslake[images]', if these are wanted")
    else:
        yield ok("extra images", "images can be opened, drawn and written as NIfTI")


def _versions(pins: Mapping[str, set[str]], here: Mapping[str, str | None]) -> Verdict:
    others = [
        f"{name} {found} (tested: {', '.join(sorted(pins[name]))})"
        for name, found in sorted(here.items())
        if found and found not in pins[name]
    ]
    if others:
        text = f"other versions than those that were tested: {_few(others)}"
        return note("versions", text, remedy=f"pip install --require-hashes -r {LOCK}, in an environment of its own")
    return ok("versions", f"{sum(map(bool, here.values()))} packages, each as it was tested")


def _few(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
