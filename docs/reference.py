"""Pages that are made out of the program: those of jobs/manual.py, and metrics; and those of the folder above."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from making import ABOVE, ROOT

from crawler.lake.writer import LakeWriter
from crawler.serve.metrics import Condition, registry_of
from jobs.manual import commands, settings


def written_pages(folder: Path) -> None:
    """Write every page; those that are as they were are left alone, so that only changed ones are read again."""
    folder.mkdir(exist_ok=True)
    pages = {"commands": commands(), "settings": settings(), "metrics": metrics()}
    pages |= {name.lower(): from_above((ROOT / f"{name}.md").read_text()) for name in ABOVE}
    for name, text in pages.items():
        file = folder / f"{name}.md"
        if not file.exists() or file.read_text() != text:
            file.write_text(text)


def metrics() -> str:
    """Give each metric of a lake, with its labels."""
    with tempfile.TemporaryDirectory() as folder:
        lake = Path(folder) / "lake"
        LakeWriter.open(lake).close()
        registry = registry_of(lake, Condition)
        rows = [f"| `{one.name}` | {one.type} | {one.documentation} |" for one in registry.collect()]
    introduction = "What `/metrics` and `pacslake metrics` give. Counters end in `_total` there."
    head = "| metric | type | says |\n|---|---|---|"
    return "\n".join([f"# Metrics\n\n{introduction}\n\n{head}", *rows, ""])


def from_above(text: str) -> str:
    """Give a page of the folder above with links that hold here."""
    text = re.sub(r"\]\(docs/", "](../", text)
    text = re.sub(rf"\]\(({'|'.join(ABOVE)})\.md", lambda found: f"]({found[1].lower()}.md", text)
    return re.sub(r"\[([^\]]*)\]\((?!\.\./|https?:|#|[a-z]+\.md)[^)]*\)", r"`\1`", text)
