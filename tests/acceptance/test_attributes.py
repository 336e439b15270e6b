"""Attributes that users add and leave out again, night after night: what a column holds meanwhile."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import pacslake
from tests.acceptance.sweeping import ask, configure, differences, said, sweep

TODAY = date.today()
ARCHIVE = Archive(40, TODAY - timedelta(days=40), TODAY, seed=5, series_per_study=1)
OWN = '{ attribute = "0009,xx01", name = "remark", creator = "SIMULATED PACS", vr = "LO", phi = "none" }'
ATTRIBUTES = f"[attributes]\nstudy = [{OWN}]\nseries = [{OWN}]\n"
LATELY = TODAY - timedelta(days=7)


def night(folder: Path, *arguments: str) -> str:
    done = sweep(folder, *arguments)
    assert done.returncode == 0, said(done)
    return said(done)


def with_remark(folder: Path, table: str) -> tuple[int, int, int]:
    """Count the rows of the last days, those of them with a remark, and the older ones with one."""
    lately = f"StudyInstanceUID in (select StudyInstanceUID from studies where StudyDate >= '{LATELY}')"
    [counts] = ask(
        folder,
        f"""select count(*) filter ({lately}), count(remark) filter ({lately}), count(remark) filter (not {lately})
        from {table}""",
    )
    return counts[0], counts[1], counts[2]


def test_an_attribute_comes_with_the_answers_and_leaves_with_them_and_nothing_breaks(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE, quirks=Quirks(unsolicited=True))) as pacs:
        configure(tmp_path, {"main": pacs.port})
        plain = (tmp_path / "pacslake.toml").read_text()
        night(tmp_path)
        (tmp_path / "pacslake.toml").write_text(plain + ATTRIBUTES)
        night(tmp_path, "--lookback", "7")
        for table in ("studies", "series"):
            lately, of_them, older = with_remark(tmp_path, table)
            assert (of_them, older) == (lately, 0), "studies asked for have it, and as they changed, their series"
        assert "(0 new, 0 changed)" in night(tmp_path, "--lookback", "7")
        night(tmp_path, "--restart")
        assert ask(tmp_path, "select count(*) from series where remark is null") == [(0,)]
        (tmp_path / "pacslake.toml").write_text(plain)
        night(tmp_path, "--lookback", "7")
        assert "(0 new, 0 changed)" in night(tmp_path, "--lookback", "7")
        lately, of_them, older = with_remark(tmp_path, "studies")
        assert (of_them, older) == (0, ARCHIVE.total - lately), "null where it was not asked for any more"
        kept = "select count(distinct StudyInstanceUID) from studies_history where remark like 'nobody%'"
        assert ask(tmp_path, kept) == [(ARCHIVE.total,)]
    for level in (Level.STUDY, Level.SERIES):
        assert differences(tmp_path, "main", level, ARCHIVE) == []
    assert pacslake(tmp_path, "verify").returncode == 0
