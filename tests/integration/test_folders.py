"""A lake and a store lie in folders that nobody else can reach, but whom the settings name."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from crawler.errors import UserError
from crawler.folders import require_private
from crawler.lake.writer import LakeWriter
from crawler.retrieve.spool import Spool
from crawler.testing.archive import Archive
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import pacslake
from tests.acceptance.sweeping import configure, said, sweep

DAY = date(2024, 1, 1)


@pytest.fixture
def reachable() -> Iterator[Path]:
    """Give a folder that everybody can enter, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.mark.parametrize(
    ("umask", "above", "mode", "strict"),
    [
        (0o077, 0o755, 0o700, None),
        (0o077, 0o755, 0o755, "go="),
        (0o077, 0o755, 0o701, "o="),
        (0o077, 0o755, 0o750, "g="),
        (0o077, 0o750, 0o755, "g="),
        (0o077, 0o700, 0o777, None),
        (0o027, 0o755, 0o750, None),
        (0o027, 0o755, 0o770, "g="),
        (0o027, 0o755, 0o755, "o="),
        (0o022, 0o755, 0o755, None),
        (0o022, 0o755, 0o777, "go="),
    ],
)
def test_what_the_umask_bars_a_folder_may_not_allow(
    reachable: Path, umask: int, above: int, mode: int, strict: str | None
) -> None:
    folder = reachable / "above" / "lake"
    folder.mkdir(parents=True)
    folder.chmod(mode)
    folder.parent.chmod(above)
    os.umask(umask)
    if strict is None:
        require_private(folder)
        return
    with pytest.raises(UserError, match=re.escape(f"type chmod {strict} {folder}")):
        require_private(folder)


def test_owners_of_a_lake_and_of_a_store_look_first(reachable: Path) -> None:
    os.umask(0o077)
    for name in ("lake", "store"):
        (reachable / name).mkdir()
        (reachable / name).chmod(0o755)
    with pytest.raises(UserError, match="open to everybody"):
        LakeWriter.open(reachable / "lake")
    with pytest.raises(UserError, match="open to everybody"):
        Spool.open(reachable / "store")
    assert not [*(reachable / "lake").iterdir(), *(reachable / "store").iterdir()]


@pytest.mark.parametrize(("readable_by", "folders", "files"), [("owner", 0o700, 0o600), ("group", 0o750, 0o640)])
def test_a_lake_is_for_whom_the_settings_name(reachable: Path, readable_by: str, folders: int, files: int) -> None:
    with running(Simulator(Archive(2, DAY, DAY))) as pacs:
        configure(reachable, {"main": pacs.port})
        settings = (reachable / "pacslake.toml").read_text()
        (reachable / "pacslake.toml").write_text(settings.replace("[pacs", f'readable_by = "{readable_by}"\n[pacs', 1))
        assert sweep(reachable, "--from", str(DAY), "--to", str(DAY)).returncode == 0
        (reachable / "lake").chmod(0o755)
        refused = sweep(reachable)
    assert refused.returncode == 2
    assert f"{reachable}/lake is open to everybody: type chmod" in said(refused)
    (reachable / "lake").chmod(folders)
    assert {path.stat().st_mode & 0o777 for path in (reachable / "lake" / "log").rglob("*.parquet")} == {files}
    assert {path.stat().st_mode & 0o777 for path in (reachable / "lake").iterdir() if path.is_dir()} == {folders}


def test_no_lake_is_made_where_the_settings_say_so(tmp_path: Path) -> None:
    with running(Simulator(Archive(2, DAY, DAY))) as pacs:
        configure(tmp_path, {"main": pacs.port}, levels='["study"]')
        settings = tmp_path / "pacslake.toml"
        settings.write_text(settings.read_text().replace("[pacs", "create = false\n[pacs", 1))
        for command in (("sweep",), ("check", "main")):
            done = pacslake(tmp_path, *command)
            assert "There is no lake at" in done.stdout.decode() + said(done), command
        assert sweep(tmp_path).returncode == 10
        assert not (tmp_path / "lake" / "log").exists()
        LakeWriter.open(tmp_path / "lake").close()
        assert sweep(tmp_path).returncode == 0
