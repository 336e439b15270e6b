"""docs/simulator.md tells the truth: its tables have every quirk and option, its examples run as they are printed."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.compute as pc
import pytest

from crawler.errors import UserError
from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.objects import Objects
from crawler.testing.profile import NAMES, Profile, archive_of, load_profile, parse_quirks
from crawler.testing.quirks import Quirks
from tests.acceptance.installed import ENVIRONMENT, pacslake
from tests.integration.storing import datasets_in, storescp

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "simulator.md").read_text()
EXAMPLE = ROOT / "config" / "simulated-pacs.example.toml"
ROWS = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|", PAGE, re.MULTILINE)
QUIRKS = [(word, line) for word, line in ROWS if not word.startswith("--")]
OPTIONS = [(words, line) for words, line in ROWS if words.startswith("--")]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def profile_of(folder: Path, text: str) -> Profile:
    (folder / "short.toml").write_text(text)
    return load_profile(folder / "short.toml")


@contextmanager
def simulating(folder: Path, *options: str) -> Iterator[str]:
    """Run the installed command; give the line that says it is ready."""
    command = ["pacslake", "simulate", *options]
    with subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline()
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0


def test_the_page_has_every_quirk() -> None:
    assert sorted(word.partition("=")[0] for word, _ in QUIRKS) == sorted(NAMES)


@pytest.mark.parametrize(("word", "line"), QUIRKS)
def test_flag_and_profile_say_the_same(word: str, line: str, tmp_path: Path) -> None:
    failing, offline = ["fails_after=1"], ["offline_every=1"]
    needs = {"over_cap": ["cap=1"], "failure": failing, "fails_one_in": failing}
    needed = {**needs, "offline": offline, "offline_for": offline}.get(word.partition("=")[0], [])
    by_flag = parse_quirks([word, *needed])
    by_profile = parse_quirks(needed, profile_of(tmp_path, f"[quirks]\n{line}\n").quirks)
    assert by_flag == by_profile
    assert by_flag != Quirks() or "over_cap" in word or "failure" in word


def test_the_page_has_every_key_of_an_archive(tmp_path: Path) -> None:
    text = "[archive]\n" + "\n".join(line for _, line in OPTIONS)
    archive = archive_of(profile_of(tmp_path, text), {})
    words = [word for words, _ in OPTIONS for word in words.split()]
    with simulating(tmp_path, "--port", "0", *words) as ready:
        assert f"{archive.total} studies" in ready
    assert archive.total == 4000 + 20 + 40_000
    said = pacslake(tmp_path, "simulate", "--help").stdout.decode()
    assert all(words.split()[0] in said for words, _ in OPTIONS)


def test_the_examples_run_as_they_are_printed(dcmtk_tool: Callable[[str], Path], tmp_path: Path) -> None:
    server, client = blocks("console")
    (tmp_path / "short.toml").write_text(blocks("toml")[0])
    command, ready = server.removeprefix("$ pacslake simulate ").splitlines()
    with simulating(tmp_path, *command.replace("11113", "0").split()) as line:
        port = line.split()[2].rpartition(":")[2]
        assert line.replace(port, "11113").strip() == ready
        typed, _, printed = client.removeprefix("$ ").partition("\n")
        typed = typed.replace("findscu", str(dcmtk_tool("findscu"))).replace("11113", port)
        done = subprocess.run(typed, shell=True, capture_output=True, text=True, timeout=30, check=True)
        assert done.stdout == printed


def test_the_command_sends_images_where_it_is_told_to(dcmtk_tool: Callable[[str], Path], tmp_path: Path) -> None:
    archive = Archive(studies=2, rows=4, columns=4, most_images=2)
    study = archive.table(Level.STUDY)["StudyInstanceUID"][0].as_py()
    options = ["--from", "2023-01-01", "--to", "2024-12-31", "--studies", "2", "--images", "2"]
    size = ["--rows", "4", "--columns", "4", "--quirk", "phantom_every=2"]
    arrived = tmp_path / "arrived"
    arrived.mkdir()
    with storescp(dcmtk_tool("storescp"), arrived) as port:
        where = ["--port", "0", "--destination", f"SCP=127.0.0.1:{port}"]
        with simulating(tmp_path, *where, *options, *size) as line:
            asked = ["-S", "-aec", "SIMPACS", "-aem", "SCP", "-k", "QueryRetrieveLevel=STUDY"]
            address = ["-k", f"StudyInstanceUID={study}", "127.0.0.1", line.split()[2].rpartition(":")[2]]
            subprocess.run([dcmtk_tool("movescu"), *asked, *address], check=True, timeout=30)
    images = archive.table(Level.IMAGE).filter(pc.field("StudyInstanceUID") == study)
    exist = images.filter(pc.field("InstanceNumber") == 1)["SOPInstanceUID"].to_pylist()
    assert datasets_in(arrived) == {uid: Objects(archive).truth(uid).dataset for uid in exist}


def test_the_python_example_runs() -> None:
    found: dict[str, object] = {}
    exec(blocks("python")[0], found)
    assert len(found["truth"]) == 403  # type: ignore[arg-type]  # a table


def test_the_shipped_profile_is_right_and_flags_win_over_it() -> None:
    profile = load_profile(EXAMPLE)
    quirks = parse_quirks(["cap=7", "ignores=", "jitter=0"], profile.quirks)
    assert (quirks.cap, quirks.ignores, quirks.jitter, quirks.duplicate_every) == (7, frozenset(), 0, 20)
    archive = archive_of(profile, {"studies": 10, "seed": None})
    assert isinstance(archive, Archive)
    assert archive.total == 10 + 20 + 3000
    assert profile.destinations == {"PACSLAKE": ("127.0.0.1", 11112)}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[quirks]\nkap = 5", "there is no quirk 'kap'; did you mean cap?"),
        ("[quirks]\ncap = '5'", "quirk cap must be a whole number from 0 to 10000000, not '5'"),
        ("[quirks]\ncap = true", "quirk cap must be a whole number from 0 to 10000000, not True"),
        ("[quirks]\nover_cap = 'a7'", "quirk over_cap must be one of truncate, nothing, a700, c001, b000, not 'a7'"),
        ("[quirks]\nignores = 'StudyTime'", "quirk ignores must be a list of keywords, as StudyTime, not 'StudyTime'"),
        (
            "[quirks]\nomits = ['StudyTimes']",
            "quirk omits must be a list of keywords that the simulator knows (did you mean StudyTime?), "
            "not ['StudyTimes']",
        ),
        ("[quirks]\nlatency = -1", "quirk latency must be a number of seconds, 0 or more, not -1"),
        ("[quirks]\nmax_pdu = 5", "quirk max_pdu must be 16 bytes or more, or 0 for what the client takes, not 5"),
        (
            "[quirks]\nclaims = 'lies'",
            "quirk claims must be one of truth, success, completed, nothing, uncounted, not 'lies'",
        ),
        (
            "[quirks]\nsends_as = 'A '",
            "quirk sends_as must be an AE title of at most 16 ASCII characters without spaces or a backslash, not 'A '",
        ),
        ("[quirks]\nexclusive_ends = 1", "quirk exclusive_ends must be true or false, not 1"),
        ("cap = 5", "cap is not known here; it belongs under [quirks]"),
        ("[quirk]\n", "quirk is not known here; a profile has the sections [archive], [quirks] and [destinations]"),
        (
            "[destinations]\nSCP = 11112",
            "destination SCP must have host and port, as 127.0.0.1:11112, not 11112",
        ),
        ("[archive]\nbusy_dya = 2024-01-01", "archive.busy_dya is not a known key; did you mean busy_day?"),
        (
            "[archive]\nfrom = '2024-01-01'",
            "archive.from must be a day without quotes, as 2024-01-31, not '2024-01-01'",
        ),
        ("[archive]\nuntimed = 3", "archive.untimed must be a share from 0 to 1, not 3"),
        ("[quirks", "is not TOML: "),
    ],
)
def test_mistakes_in_a_profile_are_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        profile_of(tmp_path, text)
    said = str(caught.value).removeprefix(f"{tmp_path / 'short.toml'}: ")
    assert said.startswith(sentence) if sentence.endswith(" ") else said == sentence


def test_mistakes_on_the_command_line_end_with_exit_code_2(tmp_path: Path) -> None:
    for arguments, sentence in (
        (["--quirk", "over_cap=a700"], "quirk over_cap does nothing without cap; add cap"),
        (
            ["--quirk", "failure=hang"],
            "quirk failure does nothing without fails_after or breaks_after; add fails_after or breaks_after",
        ),
        (["--quirk", "cap=many"], "quirk cap must be a whole number from 0 to 10000000, not 'many'"),
        (["--quirks", "none.toml"], "none.toml: there is no such file"),
        (["--destination", "SCP"], "destination SCP must have host and port, as 127.0.0.1:11112, not ''"),
        (["--busy-studies", "5"], "studies of a busy day need the day: --busy-day, or busy_day under [archive]"),
    ):
        done = pacslake(tmp_path, "simulate", *arguments)
        assert (done.returncode, done.stderr.decode()) == (2, f"pacslake: {sentence}\n")
