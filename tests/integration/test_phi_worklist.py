"""A worklist of DCMTK's wlmscpfs in a lake without identifiers: items come, move and go, known by their codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from crawler.deid.key import read_key
from crawler.deid.pseudonyms import Pseudonyms
from crawler.secret import Secret
from crawler.settings import load
from jobs.sweep import SweepRequest, run_sweep
from tests.acceptance.seeking import hits
from tests.acceptance.sweeping import ask
from tests.integration.worklists import AE_TITLE, Entry, wlmscpfs

ENTRIES = [
    Entry(number, date.today() + timedelta(number % 3), name=name)
    for number, name in enumerate(["Müller^Jörg", "Doe^Jane", "Wałęsa^Lech"] * 3)
]
SECRETS = {"Jörg", "Jane", "Wałęsa", "Lech", "Richard", "Mary", "19710308", "1971-03-08", "A0000", "SPS1", "RP1"}


def test_items_are_known_by_their_codes(tmp_path: Path, dcmtk_tool: Callable[[str], Path]) -> None:
    with wlmscpfs(dcmtk_tool("wlmscpfs"), tmp_path / "database") as running:
        running.put(*(replace(one, name="Müller^Jörg") if "ł" in one.name else one for one in ENTRIES))
        (tmp_path / "pacslake.toml").write_text(
            f'[lake]\npath = "lake"\n[phi]\ndirect = "hash"\nquasi = "drop"\n[pacs.ris]\nhost = "127.0.0.1"\n'
            f'port = {running.port}\nae_title = "{AE_TITLE}"\nmodel = "worklist"\n'
        )
        settings = load(tmp_path / "pacslake.toml")
        assert run_sweep(settings, SweepRequest()) == 0
        assert standing(tmp_path) == known(tmp_path, *ENTRIES)
        versions = ask(tmp_path, "select count(*) from worklist_history")
        assert run_sweep(settings, SweepRequest()) == 0
        assert ask(tmp_path, "select count(*) from worklist_history") == versions
        running.drop(*ENTRIES[:4])
        assert run_sweep(settings, SweepRequest()) == 0
        assert standing(tmp_path) == known(tmp_path, *ENTRIES[4:])
    assert hits(tmp_path / "lake", SECRETS) == {}


def standing(folder: Path) -> list[str]:
    return [item for (item,) in ask(folder, "select worklist_item from worklist order by all")]


def known(folder: Path, *entries: Entry) -> list[str]:
    codes = Pseudonyms(read_key(Secret(folder / "phi.key")))
    return sorted(f"{one.uid} {codes.code('ScheduledProcedureStepID', f'SPS{one.number}')}" for one in entries)
