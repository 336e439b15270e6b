"""How Sphinx makes a site and man pages of this folder; making.py has it do so.

Pages that are made out of the program, or lie in the folder above, are written to generated/ before each build.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from reference import written_pages  # noqa: E402  # found by the path above

project = "pacslake"
author = "pacslake"
version = release = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]["version"]
today = " "  # man pages tell their release; the day on which somebody made them would make each wheel another
extensions = ["myst_parser"]
myst_heading_anchors = 3
html_theme = "furo"
html_copy_source = False
html_show_sphinx = False
html_use_index = False
html_show_copyright = False
html_show_search_summary = False  # browsers let no page fetch others from a disk
exclude_patterns = ["made"]
man_pages = [
    ("generated/commands", "pacslake", "crawl PACS into tables, and query them with SQL", [], 1),
    ("generated/settings", "pacslake.toml", "settings of pacslake", [], 5),
]


def setup(app: Sphinx) -> None:
    """Have the pages written before the others are read."""
    app.connect("builder-inited", lambda _: written_pages(HERE / "generated"))
