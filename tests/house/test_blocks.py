"""Every block of the documents is run by a test, or a table says why none can."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.documents import DOCUMENTS, ELSEWHERE, EVERYTHING, NOT_HERE, ROOT, RUN, SHOWN, Row, blocks, pieces


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_block_says_its_language_and_what_is_typed_is_found(document: Path) -> None:
    """What is no language of blocks to run is never run: it must be one that nobody types."""
    found = [language for language, _ in blocks(document.read_text())]
    assert set(found) <= {*RUN, *SHOWN}
    assert document.read_text().count("```") == 2 * len(found)
    assert {piece.block for piece in pieces(document)} == {at for at, one in enumerate(found) if one in RUN}


@pytest.mark.parametrize(
    "row", [*ELSEWHERE, *NOT_HERE], ids=lambda row: f"{row.document} {row.begins.splitlines() or ''}"
)
def test_a_row_of_the_tables_names_something(row: Row) -> None:
    assert any(piece.rows == [row] for piece in EVERYTHING)


@pytest.mark.parametrize("row", ELSEWHERE, ids=lambda row: f"{row.document} {row.begins.splitlines() or ''}")
def test_a_test_that_runs_a_block_reads_its_document(row: Row) -> None:
    """By its name, or all of its folder."""
    path = Path(row.document)
    assert re.search(rf"\b{path.name}\b|\"{path.parent.name}\"", (ROOT / row.said).read_text())


def test_what_is_typed_is_taken_apart(tmp_path: Path) -> None:
    """A piece that no row names is run: a new block is, whatever it says."""
    (tmp_path / "new.md").write_text(
        "```sh\n# why\npacslake sql 'a\n;b' # c\nexport A=1 \\\n  B=2\nmake demo\n```\n"
        "1. so:\n   ```console\n   $ pacslake plan\n   all\n   $ ls\n   ```\n"
        "```sql\n-- x\nfrom a;\nfrom b;\n```\n```toml\n[a]\n```\n```text\nx\n```\n"
    )
    found = list(pieces(tmp_path / "new.md", tmp_path))
    assert [(piece.text, piece.shown) for piece in found if not piece.rows] == [
        ("pacslake sql 'a\n;b' # c", ""),
        ("export A=1 \\\n  B=2", ""),
        ("pacslake plan", "all\n"),
        ("ls", ""),
        ("from a", ""),
        ("from b", ""),
        ("[a]\n", ""),
    ]
