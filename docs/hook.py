"""Has hatchling put the documents where people find them: Markdown and HTML beside the program, man pages in share/man.

An sdist brings the HTML and the man pages along. An editable installation reads the folder itself. Touches: disk.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parent))

from making import HERE, MADE, ROOT, NotMadeError, are_made, made  # found by the path above

PLACE = "jobs/docs"
"""Where jobs/manual.py looks in a wheel."""


class DocumentsHook(BuildHookInterface):
    """What hatchling asks before it builds."""

    def dependencies(self) -> list[str]:
        """Name what making the pages needs: Sphinx, and the program, whose help they show."""
        if are_made():
            return []
        groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
        return [*groups["docs"], *self.metadata.core.dependencies]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the pages where that is due, or end the build."""
        if version == "editable":
            return
        try:
            made()
        except NotMadeError as error:
            self.app.abort(str(error))
        if self.target_name == "wheel":
            pages = sorted([*HERE.glob("*.md"), *HERE.glob("notebooks/*.md")])
            build_data["force_include"] |= {str(page): f"{PLACE}/{page.relative_to(HERE)}" for page in pages}
            build_data["force_include"][str(MADE / "html")] = f"{PLACE}/made/html"
            manuals = sorted((MADE / "man").iterdir())
            build_data["shared_data"] |= {str(one): f"share/man/man{one.suffix[1:]}/{one.name}" for one in manuals}
