"""Nothing is retrieved by DICOMweb: such a PACS is left out of a retrieval, which says so, and others are asked."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

import crawler
from crawler.errors import UserError
from crawler.model import Level
from crawler.retrieve.order import Patience
from crawler.settings import load
from crawler.testing.archive import Archive
from crawler.testing.simulator import Simulator, running
from jobs.ordering import RetrieveRequest
from jobs.retrieve import run_retrieve
from tests.integration.finding import archived, lake_of

DAYS = (date(2024, 2, 1), date(2024, 2, 2))
HELD, ELSEWHERE = (
    Archive(1, *DAYS, seed=seed, series_per_study=2, rows=8, columns=6, most_images=2) for seed in (1, 2)
)
PATIENCE = Patience(settle=0.3, look_again=(0.05, 0.1), ask_again=(0.05, 0.3))


def test_other_pacs_are_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake = lake_of(tmp_path, {"main": archived(HELD), "cloud": archived(ELSEWHERE)})
    series = {
        pacs: archive.table(Level.SERIES)["SeriesInstanceUID"][0].as_py()
        for pacs, archive in (("main", HELD), ("cloud", ELSEWHERE))
    }
    with running(Simulator(HELD)) as simulator:
        (tmp_path / "pacslake.toml").write_text(
            '[lake]\npath = "lake"\n[pacs.cloud]\nkind = "dicomweb"\nurl = "http://127.0.0.1:9/rs"\n'
            f'[pacs.main]\nhost = "127.0.0.1"\nport = {simulator.port}\nae_title = "SIMPACS"\nretrieve_by = "get"\n'
        )
        settings = load(tmp_path / "pacslake.toml")
        assert run_retrieve(settings, RetrieveRequest((), PATIENCE, tuple(series.values()))) == 3
    said = capsys.readouterr().err
    assert "cloud is asked by DICOMweb, by which nothing is retrieved. It is left out." in said
    with crawler.open_lake(lake) as opened:
        here = opened.sql("SELECT DISTINCT SeriesInstanceUID FROM files").fetchall()
    assert here == [(series["main"],)]
    with pytest.raises(UserError, match="add a section with its host, port and ae_title"):
        run_retrieve(settings, RetrieveRequest((), PATIENCE, (series["cloud"],)))
