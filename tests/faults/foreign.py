"""Files that are none of a lake's, and folders whose names mean something to somebody. Touches: disk."""

from __future__ import annotations

import os
from pathlib import Path

NAMES = (
    *("notes.txt", "notes.json", "Füße 日本語 (1).xlsx", 'it\'s a "copy".parquet', "x" * 255, ".nfs000000001"),
    *("copy.draft", "copy.keys", "copy.keys.new", "copy.json", "copy.checkpoint.parquet", "copy.checkpoint.sha256"),
    *("00000000000000000001.json.bak", "00000000000000000002.copy.json", "00000000000000000099.copy.json"),
    *("00000000000000000001.checkpoint.parquet~", "v000000000001.parquet", "v000000000001-copy.parquet", "lock~"),
)
"""As people, editors, file servers and backups make them, some much like those of a lake."""
NO_UTF8 = os.fsdecode(b"no UTF-8: \xff")
HARMLESS = (
    *('Füße 日本語; it\'s a "b" #1 {c,d} $HOME', "/".join(["y y" * 60] * 18)),
    *("with space", "Füße 日本語", "it's", 'a "b"', "has#hash", "$HOME", "~me", "a;b", "a{b,c}", "a=b", "-dash", "a:b"),
    "x" * 255,
)
"""Folders in which a lake may lie."""
MISREAD = (
    "has?mark",
    "star*",
    "br[a]cket",
    "back\\slash",
    "per%41cent",
    "new\nline",
    "tab\tx",
    os.fsdecode(b"no \xff"),
)
"""Folders whose names DuckDB or Delta Lake take for something else."""


def plant(lake: Path) -> dict[Path, bytes]:
    """Put foreign files, a link and a deep folder into each folder of a lake; give what is in all of them."""
    planted = {}
    for folder in [lake, *(path for path in lake.rglob("*") if path.is_dir())]:
        # Delta Lake reads no folder of commits with these two, and that is told: see `left_alone`.
        delta = folder.name == "_delta_log"
        if not delta:
            (folder / "a link").symlink_to(lake.parent)
        for name in NAMES if delta else (*NAMES, NO_UTF8):
            planted[folder / name] = f"of others: {name!a}".encode()
        deep = folder / "of others" / "/".join(["z z" * 30] * 4)
        deep.mkdir(parents=True)
        planted[deep / "00000000000000000001.json"] = b"deep"
    for path, content in planted.items():
        path.write_bytes(content)
        os.utime(path, (0, 0))
    return planted


def changed(planted: dict[Path, bytes]) -> list[Path]:
    """Give the files that are gone or hold something else."""
    return [path for path, content in planted.items() if not path.is_file() or path.read_bytes() != content]
