"""Measure pacslake and the tools people use today in the same run, print ratios, and write BENCHMARKS.md.

Usage: bench.py [--quick]    (a tenth of everything; nothing is written)
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydicom import dcmread

from benchmarks import caps, dataset, exports, find_scp, nightly, queries, receive, retrieve, upkeep
from benchmarks.measure import Cost, best, run, simulated_pacs
from crawler.columns import CATALOGUE
from crawler.model import Level
from tests.integration.files import many_studies
from tests.integration.real_pacs import dcmqrscp, orthanc

HERE = Path(__file__).parent
DAYS = ("2023-01-01", "2024-12-31")
RANGE = "-".join(day.replace("-", "") for day in DAYS)
STUDY_KEYS = [attribute.keyword for attribute in CATALOGUE[Level.STUDY] if attribute.keyword != "StudyDate"]
SERIES_KEYS = [attribute.keyword for attribute in CATALOGUE[Level.SERIES] if attribute.keyword != "StudyInstanceUID"]


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table: what was measured, ours and theirs, and what was aimed at."""

    what: str
    ours: str
    peer: str
    figure: str
    aim: str


def main(quick: bool) -> None:
    lines: list[Line] = []
    for part in (
        study_answers,
        answers_shown,
        series_queries,
        whole_archive,
        start_up,
        crowded_day,
        nights,
        lake_queries,
        lake_upkeep,
        lake_exports,
        objects_received,
        images_retrieved,
        datasets_made,
        lake_asked,
    ):
        for line in part(10 if quick else 1):
            print(f"{line.what}: {line.ours} against {line.peer}: {line.figure} (aim: {line.aim})", flush=True)
            lines.append(line)
    if not quick:
        (HERE.parent / "BENCHMARKS.md").write_text(page(lines))


def study_answers(share: int) -> Iterator[Line]:
    """STUDY answers from the simulator: whole processes of ours and findscu, the loops of pynetdicom and odil."""
    for studies, aim in ((170_000 // share, "1.5 or less"), (1_000_000 // share, "1.0 or less")):
        with simulated_pacs("--studies", str(studies)) as port:
            theirs = best(3, findscu(port))
            ours = min((sweep(port, "study") for _ in range(3)), key=lambda cost: cost.seconds)
            what = f"{studies:,} STUDY answers into the lake, against findscu -q throwing them away"
            yield Line(what, seconds(ours), seconds(theirs), f"{ours.seconds / theirs.seconds:.2f} times its time", aim)
    rate = studies / ours.seconds
    with simulated_pacs("--studies", str(20_000 // share)) as port:
        rows, took = pynetdicom(port, "SIM", "study", RANGE, *STUDY_KEYS)
        yield faster("STUDY answers per second, against pynetdicom's loop", rate, rows / took, 50)
        place = ["127.0.0.1", str(port), "BENCH", "SIM", "study"]
        cost = run([tool("odil"), "find", *place, "QueryRetrieveLevel=STUDY", f"StudyDate={RANGE}", *STUDY_KEYS])
        assert cost.code == 0, f"odil find ended with {cost.code}"
        yield faster("STUDY answers per second, against odil find", rate, rows / cost.seconds, 30)


def answers_shown(share: int) -> Iterator[Line]:
    """Answers on a terminal: many at once, and one small answer, start included."""
    keys = ["PatientName", "PatientID", "StudyTime", "AccessionNumber", "StudyInstanceUID"]
    for studies, aim in ((100_000 // share, "1.5 or less"), (10, "-")):
        with simulated_pacs("--studies", str(studies)) as port:
            asked = [f"StudyDate={RANGE}", *keys]
            theirs = best(3, findscu(port, keys, quiet=False))
            ours = best(3, ["pacslake", "find", f"SIM@127.0.0.1:{port}", *asked, "--format", "text"])
            what = f"{studies:,} STUDY answers printed, against findscu"
            yield Line(what, seconds(ours), seconds(theirs), f"{ours.seconds / theirs.seconds:.2f} times its time", aim)


def series_queries(share: int) -> Iterator[Line]:
    """A SERIES query per study over one association, on Orthanc and on dcmqrscp."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for place in ("files", "orthanc", "dcmqrscp"):
            (folder / place).mkdir()
        files = many_studies(folder / "files", 300 // min(share, 3))
        uids = folder / "uids"
        uids.write_text(
            "\n".join(str(dcmread(path, specific_tags=["StudyInstanceUID"]).StudyInstanceUID) for path in files)
        )
        with orthanc(Path(tool("Orthanc")), folder / "orthanc", files) as port:
            yield per_query("Orthanc", port, "ORTHANC", uids)
        with dcmqrscp(Path(tool("dcmqrscp")), Path(tool("dcmqridx")), folder / "dcmqrscp", files) as port:
            yield per_query("dcmqrscp", port, "DCMQRSCP", uids)


def per_query(server: str, port: int, ae_title: str, uids: Path) -> Line:
    """Compare the loops over the same studies, ours and pynetdicom's."""
    rows, ours = loop("pacslake_series.py", str(port), ae_title, str(uids))
    theirs_rows, theirs = pynetdicom(port, ae_title, "series", str(uids), *SERIES_KEYS)
    assert rows == theirs_rows, f"{server}: {rows} rows against {theirs_rows}"
    count = len(uids.read_text().split())
    return faster(f"SERIES queries per second on {server}, against pynetdicom's loop", count / ours, count / theirs, 8)


def whole_archive(share: int) -> Iterator[Line]:
    """STUDY then SERIES of a large archive, and of a tenth of it: seconds and peak memory."""
    costs = {}
    for studies in (16_800 // share, 168_000 // share):
        with simulated_pacs("--studies", str(studies)) as port:
            costs[studies] = sweep(port, "series")
    small, large = costs.values()
    what = f"{168_000 // share:,} studies and their series, STUDY then SERIES, into the lake"
    yield Line(what, seconds(large), "-", seconds(large), "150 s or less")
    yield Line("peak memory of that crawl", f"{large.peak_mb:.0f} MB", "-", f"{large.peak_mb:.0f} MB", "600 MB or less")
    ratio = large.peak_mb / small.peak_mb
    yield Line(
        "the same against a tenth of the archive",
        f"{large.peak_mb:.0f} MB",
        f"{small.peak_mb:.0f} MB",
        f"{ratio:.2f} times",
        "1.3 or less",
    )


def start_up(share: int) -> Iterator[Line]:
    """What a person waits for before anything happens."""
    with tempfile.TemporaryDirectory() as name, simulated_pacs("--studies", "1000") as port:
        sweep(port, "series", Path(name))
        for words, aim in ((["--help"], 250), (["status"], 600)):
            cost = best(5, ["pacslake", *words], cwd=name)
            took = f"{cost.seconds * 1000:.0f} ms"
            yield Line(f"pacslake {words[0]}", took, "-", took, f"{aim} ms or less")


def crowded_day(share: int) -> Iterator[Line]:
    """A day that the PACS does not answer for at once, against a plan that knows its limit and every study's second."""
    studies = caps.STUDIES // share
    for taken in caps.measure(studies):
        what = f"{studies:,} studies on one day found exactly, {taken.limit}: queries against the fewest possible"
        ratio = f"{taken.queries / taken.oracle:.2f} times as many"
        yield Line(what, f"{taken.queries}", f"{taken.oracle}", ratio, taken.aim)
        what = f"time of that day, {taken.limit}, against none"
        ours, theirs = (f"{took:.2f} s" for took in (taken.seconds, taken.unlimited))
        yield Line(what, ours, theirs, f"{taken.seconds - taken.unlimited:.2f} s more", "-")


def lake_exports(share: int) -> Iterator[Line]:
    """A million rows in the formats of other people: seconds, and memory against a tenth of the rows."""
    with tempfile.TemporaryDirectory() as name:
        for taken in exports.measure(Path(name), exports.SERIES // share):
            whole, tenth = taken.whole, taken.tenth
            yield Line(taken.what, seconds(whole), "-", seconds(whole), "-")
            ratio = f"{whole.peak_mb / tenth.peak_mb:.2f} times"
            what = "peak memory of that, against a tenth of the rows"
            yield Line(what, f"{whole.peak_mb:.0f} MB", f"{tenth.peak_mb:.0f} MB", ratio, "-")


def objects_received(share: int) -> Iterator[Line]:
    """Objects from DCMTK's storescu, durable here and hashed, against storescp, which does neither."""
    for rate in receive.measure(share):
        ratio = f"{rate.ours / rate.theirs:.2f} times as many"
        yield Line(f"{rate.what}, against storescp", f"{rate.ours:,.0f}", f"{rate.theirs:,.0f}", ratio, "1.0 or more")


def images_retrieved(share: int) -> Iterator[Line]:
    """A cohort from Orthanc by C-MOVE, until all of it is complete, against Orthanc's own C-STORE to storescp."""
    for rate in retrieve.measure(share):
        what = "instances a second of a cohort from Orthanc by C-MOVE, against its C-STORE to storescp"
        ratio = f"{rate.ours / rate.theirs:.2f} times as many"
        yield Line(what, f"{rate.ours:,.0f}", f"{rate.theirs:,.0f}", ratio, "0.9 or more")


def datasets_made(share: int) -> Iterator[Line]:
    """Slices of 0.5 MB judged, de-identified, searched and accounted for, against pydicom that copies them."""
    for rate in dataset.measure(share):
        what = "slices a second as a de-identified dataset, against pydicom's read and write, two processes each"
        ratio = f"{rate.ours / rate.theirs:.2f} times as many"
        yield Line(what, f"{rate.ours:,.0f}", f"{rate.theirs:,.0f}", ratio, "0.6 or more")


def lake_asked(share: int) -> Iterator[Line]:
    """C-FIND of a lake of a million studies, against C-FIND of Orthanc."""
    studies = find_scp.STUDIES // share
    taken = find_scp.measure(studies, Path(tool("Orthanc")))
    first = f"{taken.first * 1000:.0f} ms"
    yield Line(f"first answer to C-FIND for a day of a lake of {studies:,} studies", first, "-", first, "50 ms or less")
    yield faster("STUDY answers per second to C-FIND, against Orthanc's", taken.ours, taken.theirs, 5)


def nights(share: int) -> Iterator[Line]:
    """A night without changes on an archive of ten years, and on its last year alone."""
    studies = 1_680_000 // share
    large, small = nightly.measure(studies)
    what = f"a night without changes, ten years of {studies:,} studies and their series, against one of these years"
    yield Line(what, f"{large:.2f} s", f"{small:.2f} s", f"{large / small:.2f} times", "1.2 or less")


def lake_queries(share: int) -> Iterator[Line]:
    """SQL on a lake of ten million series, against DuckDB on one sorted file of each table."""
    series = 10_000_000 // share
    with tempfile.TemporaryDirectory() as name:
        for taken in queries.measure(Path(name), series):
            what = f"{taken.question.name} among {series:,} series, against one sorted Parquet file"
            ours, theirs = (f"{took * 1000:,.0f} ms" for took in (taken.ours, taken.theirs))
            ratio = f"{taken.ours / taken.theirs:.2f} times its time"
            yield Line(what, ours, theirs, ratio, f"{taken.question.aim} or less")


def lake_upkeep(share: int) -> Iterator[Line]:
    """What a commit costs in a lake of ten million series, and what queries cost after thousands of small ones."""
    costs = {}
    for series in (1_000_000 // share, 10_000_000 // share):
        with tempfile.TemporaryDirectory() as name:
            costs[series] = upkeep.commit_seconds(Path(name), series)
    small, large = costs.values()
    what = f"commit of {upkeep.CHANGED:,} changed series into {max(costs):,}, against the same into a tenth"
    ours, peer = (f"{took * 1000:,.0f} ms" for took in (large, small))
    yield Line(what, ours, peer, f"{large / small:.2f} times", "1.5 or less, and 1 s")
    with tempfile.TemporaryDirectory() as name:
        for asked in upkeep.after_upkeep(Path(name), 5_000 // share):
            what = f"{asked.name}, after {5_000 // share:,} small commits and maintain, against a lake freshly written"
            ours, peer = (f"{took * 1000:,.0f} ms" for took in (asked.maintained, asked.fresh))
            yield Line(what, ours, peer, f"{asked.maintained / asked.fresh:.2f} times", "1.2 or less")


def sweep(port: int, level: str, folder: Path | None = None) -> Cost:
    """Crawl the simulated PACS into a new lake by the command, in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        place = folder or Path(name)
        (place / "pacslake.toml").write_text(
            f'[lake]\npath = "lake"\n[pacs.sim]\nhost = "127.0.0.1"\nport = {port}\nae_title = "SIM"\n'
        )
        cost = run(["pacslake", "sweep", "--level", level, "--from", DAYS[0], "--to", DAYS[1]], cwd=place)
        assert cost.code == 0, f"pacslake sweep ended with {cost.code}"
        return cost


def findscu(port: int, wanted: Sequence[str] = STUDY_KEYS, *, quiet: bool = True) -> list[str]:
    """Give the command that asks DCMTK's findscu for some keys of every study, and prints nothing where it is quiet."""
    keys = [word for keyword in wanted for word in ("-k", keyword)]
    level = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyDate={RANGE}"]
    said = ["-q"] if quiet else []
    return [tool("findscu"), *said, "-S", "-aec", "SIM", *level, *keys, "127.0.0.1", str(port)]


def pynetdicom(port: int, ae_title: str, *words: str) -> tuple[int, float]:
    """Run the peer's loop; give rows and seconds."""
    return loop("pynetdicom_find.py", str(port), ae_title, *words)


def loop(script: str, *words: str) -> tuple[int, float]:
    """Run a script that prints rows and seconds."""
    command = [sys.executable, str(HERE / script), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=HERE.parent)
    rows, took = done.stdout.split()
    return int(rows), float(took)


def tool(name: str) -> str:
    """Find a peer's program, in the folders for administrators too."""
    found = shutil.which(name, path="/usr/local/bin:/usr/bin:/usr/sbin:/usr/local/sbin")
    if found is None:
        sys.exit(f"{name} is not installed. On Debian type: apt-get install orthanc dcmtk odil")
    return found


def seconds(cost: Cost) -> str:
    return f"{cost.seconds:.2f} s"


def faster(what: str, ours: float, theirs: float, aim: int) -> Line:
    return Line(what, f"{ours:,.0f}/s", f"{theirs:,.0f}/s", f"{ours / theirs:.1f} times", f"{aim} times or more")


def page(lines: list[Line]) -> str:
    """Write the results as a page."""
    rows = "\n".join(f"| {one.what} | {one.ours} | {one.peer} | **{one.figure}** | {one.aim} |" for one in lines)
    cpus = os.cpu_count()
    return f"""# Benchmarks

`make bench` measures pacslake and the tools people use today in one run, on one machine, and writes this page.
Machines differ and are noisy: the ratios are what counts. Times are of whole processes, start included, unless the
line says loop or per second.

Last run: {date.today()}, {cpus} cores, {platform.system()}, Python {platform.python_version()}.

| What | pacslake | The peer | Result | Aim |
|---|---|---|---|---|
{rows}

What a lake of ten million studies with sixty million series costs, measured by `benchmarks/scale.py`,
`benchmarks/restart.py` and `benchmarks/first_crawl.py`, stands in [docs/scale.md](docs/scale.md).
"""


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
