"""SQL to a PACS that is away, caps its answers, is stopped or may not be asked; and to Orthanc and dcmqrscp."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from crawler.errors import TransientPeerError, UserError
from crawler.lake.query import open_lake
from crawler.lake.writer import LakeWriter
from crawler.model import Finding, Level
from crawler.pacs.profile import CAP, UID_LISTS, UNSUPPORTED_KEY, YES
from crawler.settings import load
from crawler.testing.archive import Archive
from crawler.testing.quirks import OverCap, Quirks
from crawler.testing.simulator import Simulator, running
from jobs.live import Wish, answer_live
from jobs.live_plan import MOST_QUERIES
from jobs.query import Form
from jobs.sweep import SweepRequest, run_sweep
from tests.acceptance.sweeping import configure
from tests.integration.files import made_files
from tests.integration.real_pacs import dcmqrscp, orthanc

ARCHIVE = Archive(120, date(2024, 1, 1), date(2024, 1, 20), seed=6, series_per_study=2)
ONE: dict[str, Any] = ARCHIVE.table(Level.STUDY).to_pylist()[0]

STATEMENTS = (
    "select * exclude ({0}) from studies where PatientID = 'P001'",
    "select * exclude ({0}) from studies where PatientName like 'M_ller%' or PatientName = 'Müller^Jörg'",
    "select * exclude ({0}) from studies where StudyDate between '2024-02-01' and '2024-03-31' and StudyTime < '18:00'",
    "select * exclude ({0}) from studies where list_contains(ModalitiesInStudy, 'CT') and StudyDate >= '2023-01-01'",
    "select s.PatientName, r.* exclude ({0}) from studies s join series r using (StudyInstanceUID) "
    "where s.PatientID in ('P002', 'P003') and r.Modality <> 'XX'",
    "select i.* exclude ({0}) from instances i join series r using (SeriesInstanceUID) join studies s "
    "on s.StudyInstanceUID = r.StudyInstanceUID where s.AccessionNumber like '%' and s.PatientID = 'P004'",
)


def ask(folder: Path, statement: str, pacs: str = "main", *, yes: bool = False) -> tuple[int, list[dict[str, Any]]]:
    """Give the exit code and the rows."""
    target = folder / "answer.parquet"
    code = answer_live(folder / "pacslake.toml", Wish(pacs, statement, yes=yes), Form("parquet", target))
    return code, pq.read_table(target).to_pylist() if code in (0, 3) else []


@pytest.mark.parametrize("condition", ["PatientID = '1'", "StudyDate = '2024-01-01'"])
def test_a_pacs_that_is_away_is_an_error(tmp_path: Path, condition: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crawler.plan.sweep.RETRY_AFTER", (0.0,))
    configure(tmp_path, {"main": 1})
    with pytest.raises(TransientPeerError, match="nothing listens"):
        ask(tmp_path, f"from studies where {condition}")


def test_a_name_that_there_is_not_is_found_before_anything_is_asked(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE)) as simulator:
        configure(tmp_path, {"main": simulator.port})
        for statement in ("select Nothing from studies where PatientID = '1'", "select * from windows"):
            with pytest.raises(UserError, match="--live has the tables patients, studies, series, instances"):
                ask(tmp_path, statement)
        assert not simulator.counts.queries[Level.STUDY]


@pytest.mark.parametrize("setting", ['model = "patient"', "[phi]"])
def test_what_live_cannot_do_is_refused(tmp_path: Path, setting: str) -> None:
    configure(tmp_path, {"main": 1})
    with (tmp_path / "pacslake.toml").open("a") as settings:
        settings.write(f"{setting}\n")
    with pytest.raises(UserError, match=r"--live|\[phi\]"):
        ask(tmp_path, "from studies where PatientID = '1'")


def test_what_a_cap_may_have_cut_off_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capped = Quirks(cap=60, ignores=frozenset({"StudyTime", "ModalitiesInStudy", "PatientID"}))
    crowded = Archive(20, date(2024, 1, 1), date(2024, 1, 2), seed=6, busy_day=date(2024, 1, 5), busy=90)
    with running(Simulator(crowded, quirks=capped)) as simulator:
        configure(tmp_path, {"main": simulator.port})
        code, rows = ask(tmp_path, "select count(*) as n from studies where StudyDate = '2024-01-05'")
    assert code == 3
    assert rows == [{"n": 60}]
    assert "pacslake: main may have more than was answered from: 2024-01-05: capped, 60 rows" in capsys.readouterr().err


@pytest.mark.parametrize("over_cap", [OverCap.TRUNCATE, OverCap.NOTHING, OverCap.REFUSE_A700])
def test_an_answer_at_the_cap_is_asked_for_in_parts(tmp_path: Path, over_cap: OverCap) -> None:
    with running(Simulator(ARCHIVE, quirks=Quirks(cap=60, over_cap=over_cap))) as simulator:
        configure(tmp_path, {"main": simulator.port})
        women = sum(study["PatientSex"] == "F" for study in ARCHIVE.table(Level.STUDY).to_pylist())
        code, rows = ask(
            tmp_path, "select count(*) as n from studies where PatientSex = 'F' and year(StudyDate) = 2024"
        )
    assert (code, rows) == (0, [{"n": women}])


def test_a_key_that_is_known_to_be_matched_wrongly_is_not_relied_on(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE)) as simulator:
        configure(tmp_path, {"main": simulator.port})
        now = datetime.now(UTC)
        wrong = Finding("main", Level.STUDY, UNSUPPORTED_KEY + "PatientID", "wrong", "", now)
        with LakeWriter.open(tmp_path / "lake") as writer:
            writer.commit(findings=[wrong, Finding("main", Level.STUDY, CAP, "200", "", now)])
        statement = f"from studies where PatientID = '{ONE['PatientID']}'"
        with pytest.raises(UserError, match="all of its studies, nobody knows how many"):
            ask(tmp_path, statement)


@pytest.mark.parametrize(
    "condition",
    ["StudyDate >= '2001-01-01'", "StudyDate < '2001-01-01'", "PatientSex = 'F'", "StudyTime > '10:00:00'"],
)
def test_what_nobody_can_estimate_is_asked_on_request_alone(tmp_path: Path, condition: str) -> None:
    configure(tmp_path, {"main": 1})
    with pytest.raises(UserError, match=r"many studies, nobody knows how many these are: .* or add --yes"):
        ask(tmp_path, f"from studies where {condition}")


def test_what_turns_out_to_take_many_queries_stops_there(tmp_path: Path) -> None:
    many = Archive(MOST_QUERIES + 1, date(2024, 1, 1), date(2024, 1, 20), seed=6, series_per_study=1)
    with running(Simulator(many)) as simulator:
        configure(tmp_path, {"main": simulator.port})
        with pytest.raises(UserError, match=r"1,001 queries at SERIES level: narrow it further, or add --yes"):
            ask(
                tmp_path,
                "select count(*) from studies join series using (StudyInstanceUID) where year(StudyDate) = 2024",
            )
        assert not simulator.counts.queries[Level.SERIES]


@pytest.mark.parametrize(("uids", "queries"), [(3, 1), (4, 5)], ids=["all there", "one is not"])
def test_a_list_is_believed_when_all_of_it_came(tmp_path: Path, uids: int, queries: int) -> None:
    known = [*ARCHIVE.table(Level.STUDY)["StudyInstanceUID"].to_pylist()[:3], "1.2.3"]
    with running(Simulator(ARCHIVE)) as simulator:
        configure(tmp_path, {"main": simulator.port})
        with LakeWriter.open(tmp_path / "lake") as writer:
            writer.commit(findings=[Finding("main", Level.STUDY, UID_LISTS, YES, "", datetime.now(UTC))])
        code, rows = ask(tmp_path, f"from studies where StudyInstanceUID in {tuple(known[:uids])}")
        assert (code, len(rows)) == (0, 3)
        assert simulator.counts.queries[Level.STUDY] == queries


@pytest.mark.parametrize(("beginning", "code"), [(ONE["PatientName"][0], 0), ("#", 3)], ids=["wider", "unproven"])
def test_no_rows_are_believed_when_a_wider_question_has_some(tmp_path: Path, beginning: str, code: int) -> None:
    with running(Simulator(ARCHIVE)) as simulator:
        configure(tmp_path, {"main": simulator.port})
        assert ask(tmp_path, f"from studies where PatientName like '{beginning}####%'") == (code, [])
        assert simulator.counts.queries[Level.STUDY] == 2


def test_estimates_go_by_what_the_lake_knows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(Simulator(ARCHIVE)) as simulator:
        configure(tmp_path, {"main": simulator.port})
        days = (date(2024, 1, 1), date(2024, 1, 20))
        assert run_sweep(load(tmp_path / "pacslake.toml"), SweepRequest(("main",), *days, Level.STUDY)) == 0
        with pytest.raises(UserError, match="all of its studies, about 120 studies"):
            ask(tmp_path, "from studies")
        capsys.readouterr()
        wish = Wish("main", "from studies where StudyDate between '2024-01-01' and '2024-01-10'", explain=True)
        assert answer_live(tmp_path / "pacslake.toml", wish, Form("json")) == 0
        [request] = json.loads(capsys.readouterr().out)["requests"]
    assert request["keys"] == "StudyDate=20231231-20240111"
    assert 30 < request["studies"] < 90


def test_ctrl_c_ends_it_after_the_queries_under_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(Simulator(ARCHIVE, quirks=Quirks(latency=0.05))) as simulator:
        configure(tmp_path, {"main": simulator.port})

        def interrupt() -> None:
            while simulator.counts.queries[Level.SERIES] < 3:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt).start()
        code, _ = ask(tmp_path, "select count(*) from series", yes=True)
        assert code == 130
        assert simulator.counts.queries[Level.SERIES] < 100
    assert "stopped, and nothing is answered" in capsys.readouterr().err


@pytest.fixture(scope="module", params=["ORTHANC", "DCMQRSCP"])
def real(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    orthanc_binary: Path,
    dcmtk_tool: Callable[[str], Path],
) -> Iterator[Path]:
    """Give the folder of a complete lake of a real PACS."""
    folder, files = tmp_path_factory.mktemp("real"), made_files(tmp_path_factory.mktemp("files"))
    if request.param == "ORTHANC":
        server = orthanc(orthanc_binary, folder, files)
    else:
        server = dcmqrscp(dcmtk_tool("dcmqrscp"), dcmtk_tool("dcmqridx"), folder, files)
    with server as port:
        configure(folder, {"main": port})
        path = folder / "pacslake.toml"
        path.write_text(path.read_text().replace("SIMPACS", request.param))
        assert run_sweep(load(path), SweepRequest(deepest=Level.IMAGE)) == 0
        yield folder


def test_a_real_pacs_gives_what_its_lake_gives(real: Path) -> None:
    for statement in STATEMENTS:
        told = statement.format("first_seen_at, changed_at, sweep_id")
        code, rows = ask(real, told)
        with open_lake(real / "lake") as lake:
            known = lake.sql(told).to_arrow_table().to_pylist()
        assert code == 0, told
        assert sorted(map(repr, rows)) == sorted(map(repr, known)), told
