"""What PACS do to us while we ask them, each in a way of its own.

All are asked one question side by side; and one of each kind is swept, a good one among them. That waits between its
tries, so it is started before the first test.
"""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crawler.model import Level
from crawler.pacs.command import VERIFICATION
from crawler.pacs.negotiation import EXPLICIT_VR, IMPLICIT_VR
from crawler.plan.sweep import RETRY_AFTER
from crawler.testing.archive import Archive
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import ENVIRONMENT
from tests.acceptance.sweeping import ask, differences, section, states
from tests.faults.conftest import LONG
from tests.faults.misbehaving import (
    BREAKING_OFF,
    MALFORMED,
    SILENT,
    TWO_ROWS,
    accepts_deflated,
    accepts_with,
    busy_at_first,
    drips_acceptance,
    drips_bytes,
    drips_rows,
    ignores_cancel,
    malformed,
    offering,
    patient_root_alone,
    rejecting,
    sends_a_bomb,
)
from tests.faults.peers import PATIENT_ROOT, Play, Scripted, answering, scripted
from tests.faults.swept import since
from tests.integration.real_pacs import free_port

if TYPE_CHECKING:
    from tests.faults.queued import Queued

DAY = date(2024, 2, 26)
SWEEP = ("pacslake", "sweep", "--from", str(DAY), "--to", str(DAY))
LEVELS = '["study"]'
ARCHIVE = Archive(120, date(2024, 2, 1), date(2024, 2, 28), seed=5, busy_day=DAY, busy=30)
QUICK, TOTAL = 2, 3
"""Seconds of deadlines where PACS are silent or drip."""
TRIES = 4

PLAYS: Mapping[str, Play] = {
    **BREAKING_OFF,
    **SILENT,
    **{name: malformed(garbage) for name, (garbage, _) in MALFORMED.items()},
    "accepts_with_nothing": accepts_with(b""),
    "accepts_with_zeros": accepts_with(bytes(80)),
    "accepts_deflated": accepts_deflated,
    "drips_acceptance": drips_acceptance,
    "drips_rows": drips_rows,
    "drips_bytes": drips_bytes,
    "ignores_cancel": ignores_cancel,
    "sends_a_bomb": sends_a_bomb,
    "calling_title": rejecting(1, 1, 3),
    "called_title": rejecting(1, 1, 7),
    "no_reason": rejecting(1, 1, 1),
    "always_busy": rejecting(2, 3, 2),
    "busy_at_first": busy_at_first(1),
    "verification_alone": offering(VERIFICATION),
    "patient_root_alone": offering(PATIENT_ROOT),
    "nothing_offered": offering(),
    "by_patients": patient_root_alone,
}
SETTINGS: Mapping[str, Mapping[str, object]] = {
    **{
        name: {"idle_timeout": QUICK, "connect_timeout": QUICK} for name in (*SILENT, "drips_acceptance", "drips_bytes")
    },
    **{name: {"total_timeout": TOTAL} for name in ("drips_rows", "ignores_cancel")},
    "by_patients": {"model": '"patient"'},
}
SWEPT: tuple[str, ...] = ("aborts", "closes_in_a_row", "falls_silent", "drips_rows", "pdv_too_long", "sends_a_bomb")
SWEPT += ("calling_title", "always_busy", "busy_at_first", "verification_alone", "by_patients")
SWEPT += ("ignores_cancel",) if LONG else ()
NOWHERE: Mapping[str, Mapping[str, object]] = {
    "refuses": {"port": free_port()},
    "nameless": {"port": 104, "host": '"no-such-host.invalid"'},
    "without_a_route": {"port": 104, "host": '"100::1"', "connect_timeout": 2},
}


@dataclass(frozen=True)
class Told:
    """What one command said of each PACS, and what these saw of it."""

    code: int
    lines: Mapping[str, str]
    pacs: Mapping[str, Scripted]
    folder: Path
    is_longer: bool = False
    """Whether more than one window was to be asked for, as in a job, so that each was given up in its turn."""

    def how_ended(self, name: str) -> list[str]:
        return [how for how, _ in self.pacs[name].ends]

    def assert_given_up(self, name: str, why: str, rows: int = 0, queries: int = 1) -> None:
        """The sweep tried it again and again; what came is there, and the ledger says that it proves nothing."""
        assert re.match(rf"{name}: NOT crawled: .*{why}", self.lines[name])
        found = ask(self.folder, f"select state, rows, queries, status from windows where pacs = '{name}'")
        assert {(state, status) for state, _, _, status in found} == {("interrupted", None)}
        assert self.is_longer or found == [("interrupted", rows, queries, None)]
        here = 0 if self.is_longer else rows  # given up before it was asked about the day of these
        assert ask(self.folder, f"select count(*) from studies where pacs = '{name}'") == [(here,)]
        assert ask(self.folder, f"select state from sweeps where pacs = '{name}'") == [("partial",)]
        if name in self.pacs:
            tries = len(self.pacs[name].connections)
            assert tries > TRIES if self.is_longer and rows else tries == TRIES

    def assert_turned_away(self, name: str, why: str) -> None:
        """The sweep tried it once, and says what to change."""
        assert re.match(rf"{name}: NOT crawled: .*{why}", self.lines[name])
        assert len(self.pacs[name].connections) == 1
        assert states(self.folder, name) == {}
        assert ask(self.folder, f"select state from sweeps where pacs = '{name}'") == [("partial",)]


@contextmanager
def set_up(folder: Path, plays: Mapping[str, Play], others: str = "") -> Iterator[Mapping[str, Scripted]]:
    """Start scripted PACS, and write the settings for them."""
    with ExitStack() as stack:
        pacs = {name: stack.enter_context(scripted(play)) for name, play in plays.items()}
        sections = [
            section(name, port=one.port, max_associations=1, levels=LEVELS, **SETTINGS.get(name, {}))
            for name, one in pacs.items()
        ]
        (folder / "pacslake.toml").write_text('[lake]\npath = "lake"\n' + "".join(sections) + others)
        yield pacs


@contextmanager
def under_way(
    folder: Path, plays: Mapping[str, Play], command: Sequence[str], others: str = ""
) -> Iterator[Callable[[], Told]]:
    """Start scripted PACS and a command that asks them; give a function that waits for its end."""
    ended: list[Told] = []
    with set_up(folder, plays, others) as pacs, ExitStack() as stack:
        process = subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        stack.callback(process.wait)
        stack.callback(process.kill)

        def wait() -> Told:
            if not ended:
                words = process.communicate(timeout=300)[1].decode()
                ended.append(Told(process.returncode, by_name(words.splitlines()), pacs, folder))
            return ended[0]

        yield wait


def by_name(lines: Sequence[str]) -> Mapping[str, str]:
    """Give what was said of each PACS."""
    return {line.partition(":")[0]: line for line in lines}


@pytest.fixture(scope="module", autouse=True)
def sweeping(tmp_path_factory: pytest.TempPathFactory, queued: Queued | None) -> Iterator[Callable[[], Told]]:
    folder, plays = tmp_path_factory.mktemp("swept"), {name: PLAYS[name] for name in SWEPT}
    with running(Simulator(ARCHIVE)) as good:
        others = section("good", port=good.port, levels=LEVELS)
        others += "".join(section(name, levels=LEVELS, **settings) for name, settings in NOWHERE.items())
        if queued:
            with set_up(folder, plays, others) as pacs:
                done = queued.do(folder, "sweep", **since(DAY))
                yield lambda: Told(done.code, by_name(done.said), pacs, folder, is_longer=True)
        else:
            with under_way(folder, plays, SWEEP, others) as wait:
                yield wait


@pytest.fixture
def swept(sweeping: Callable[[], Told]) -> Told:
    """Give what came of the sweep."""
    return sweeping()


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Ask all of them one question."""
    command = ["pacslake", "find", *PLAYS, f"StudyDate={DAY:%Y%m%d}", "StudyInstanceUID", "--format", "csv"]
    with under_way(tmp_path_factory.mktemp("asked"), PLAYS, command) as wait:
        yield wait()


def assert_broken_off(asked: Told, name: str, why: str, *, has_rows: bool = True) -> None:
    counted = r"\d+ answers? in .* s, " if has_rows else ""
    assert re.match(f"{name}: {counted}.*{why}", asked.lines[name])
    assert len(asked.pacs[name].connections) == 1


@pytest.mark.parametrize("name", ["aborts", "aborts_as_provider", "releases"])
def test_association_aborted(asked: Told, sweeping: Callable[[], Told], name: str) -> None:
    assert asked.code == 3
    why = "the PACS (aborted|released) the association before its final response"
    assert_broken_off(asked, name, why)
    if name in SWEPT:
        sweeping().assert_given_up(name, why, rows=len(TWO_ROWS))


@pytest.mark.parametrize("name", ["resets", "closes", "closes_in_a_row"])
def test_connection_reset(asked: Told, sweeping: Callable[[], Told], name: str) -> None:
    why = "closed the connection|was lost: Connection reset by peer"
    assert_broken_off(asked, name, f"({why})")
    if name in SWEPT:
        sweeping().assert_given_up(name, f"({why})", rows=len(TWO_ROWS))


@pytest.mark.parametrize("name", SILENT)
def test_silence(asked: Told, sweeping: Callable[[], Told], name: str) -> None:
    why = "the association request with PACS .* took too long" if name == "never_accepts" else "was silent for 2 s"
    assert_broken_off(asked, name, why, has_rows=name == "falls_silent")
    assert asked.how_ended(name) == ["aborted"]
    if name in SWEPT:
        sweeping().assert_given_up(name, why, rows=len(TWO_ROWS))


@pytest.mark.parametrize("name", [*MALFORMED, "accepts_with_nothing", "accepts_with_zeros"])
def test_malformed_pdus(asked: Told, sweeping: Callable[[], Told], name: str) -> None:
    why = MALFORMED[name][1] if name in MALFORMED else "a malformed association request or answer"
    assert_broken_off(asked, name, why, has_rows=name in MALFORMED)
    assert asked.how_ended(name) == ["aborted"]
    if name in SWEPT:
        sweeping().assert_given_up(name, why, rows=len(TWO_ROWS))


@pytest.mark.parametrize("name", ["drips_rows", "ignores_cancel", "drips_bytes", "drips_acceptance"])
def test_dripping(asked: Told, sweeping: Callable[[], Told], name: str) -> None:
    """Each row, and each byte, comes well within the idle deadline."""
    pacs = asked.pacs[name]
    deadline = TOTAL if name in ("drips_rows", "ignores_cancel") else QUICK
    [(how, end)], began = pacs.ends, (pacs.asked[0][1] if pacs.asked else pacs.connections[0])
    assert how == "aborted"
    assert 0.5 * deadline < end - began < deadline + 10  # a busy machine notes late that somebody called
    if name == "drips_acceptance":
        assert_broken_off(asked, name, "the association request with PACS .* took too long", has_rows=False)
    elif name == "drips_bytes":
        assert_broken_off(asked, name, "took longer than 2 s to send one PDU", has_rows=False)
    else:
        assert_broken_off(asked, name, "a C-FIND with PACS .* took too long")
        [cancelled] = pacs.cancels
        assert 0.9 * deadline < cancelled - began < end - began
    if name in SWEPT:
        told = sweeping()
        assert re.match(f"{name}: NOT crawled: .*a C-FIND with PACS {name}", told.lines[name])
        cancels, [(state, windows)] = len(told.pacs[name].cancels), states(told.folder, name).items()
        assert (state, windows > 1, cancels > TRIES) == ("interrupted", told.is_longer, told.is_longer)
        assert told.is_longer or cancels == TRIES


def test_cancel_ignored(tmp_path: Path, asked: Told, sweeping: Callable[[], Told]) -> None:
    command = ["pacslake", "find", "ignores_cancel", "StudyInstanceUID", "--limit", "2"]
    with under_way(tmp_path, {"ignores_cancel": ignores_cancel}, command) as wait:
        limited = wait()
    assert limited.code == 0
    assert "2 answers" in limited.lines["ignores_cancel"]
    for told in (asked, limited):
        pacs = told.pacs["ignores_cancel"]
        [cancelled], [(how, end)] = pacs.cancels, pacs.ends
        assert how == "aborted"
        assert 4.5 < end - cancelled < 15
    if LONG:
        swept = sweeping()
        assert re.match(
            "ignores_cancel: NOT crawled: .*a C-FIND with PACS ignores_cancel", swept.lines["ignores_cancel"]
        )
        assert set(states(swept.folder, "ignores_cancel")) == {"interrupted"}


@contextmanager
def deaf_at_its_first_address(port: int) -> Iterator[None]:
    """Let nobody in at ::1: its queue is full, so that connections are neither taken nor refused."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket(socket.AF_INET6))
        server.bind(("::1", port))
        server.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket(socket.AF_INET6))
            waiting.setblocking(False)
            waiting.connect_ex(("::1", port))
        yield


def test_unreachable(tmp_path: Path, libnss_wrapper: Path, sweeping: Callable[[], Told]) -> None:
    (tmp_path / "hosts").write_text("::1 twofold.example\n127.0.0.1 twofold.example\n")
    wrapped = {"LD_PRELOAD": str(libnss_wrapper), "NSS_WRAPPER_HOSTS": str(tmp_path / "hosts")}
    with scripted(answering(*TWO_ROWS)) as pacs, deaf_at_its_first_address(pacs.port):
        command = ["pacslake", "find", f"SIMPACS@twofold.example:{pacs.port}", "StudyInstanceUID", "--format", "csv"]
        done = subprocess.run(command, env=ENVIRONMENT | wrapped, cwd=tmp_path, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1 + len(TWO_ROWS)
    swept = sweeping()
    assert swept.code == 3
    why = "nothing listens at PACS refuses .*: check that it runs, and pacs.refuses.host and port"
    swept.assert_given_up("refuses", why, queries=0)
    swept.assert_given_up("without_a_route", "(cannot be reached: |did not answer within 2 s)", queries=0)
    why = "nameless: NOT crawled: .*no-such-host.invalid, cannot be resolved: check pacs.nameless.host"
    assert re.match(why, swept.lines["nameless"])
    assert "complete" not in states(swept.folder, "nameless")
    assert swept.lines["good"].endswith("; complete.")
    assert differences(swept.folder, "good", Level.STUDY, ARCHIVE, (DAY, DAY)) == []


def test_association_rejected(asked: Told, swept: Told) -> None:
    swept.assert_turned_away("calling_title", "does not know our AE title PACSLAKE: have it registered there")
    assert "is not called SIMPACS: set pacs.called_title.ae_title" in asked.lines["called_title"]
    why = "for good (source 1, reason 1): ask its administrator whether PACSLAKE may call SIMPACS"
    assert why in asked.lines["no_reason"]
    swept.assert_given_up("always_busy", "rejected the association for now", queries=0)
    came = swept.pacs["always_busy"].connections
    assert all(later - one > 0.9 * wait for wait, (one, later) in zip(RETRY_AFTER, pairwise(came), strict=True))
    assert swept.lines["busy_at_first"].endswith("; complete.")
    assert ask(swept.folder, "select count(*) from studies where pacs = 'busy_at_first'") == [(2,)]


def test_context_rejected(asked: Told, swept: Told) -> None:
    why = "does not offer Study Root C-FIND to PACSLAKE: have it permitted there, or set pacs.verification_alone.model"
    swept.assert_turned_away("verification_alone", why)
    for name in ("patient_root_alone", "nothing_offered"):
        why = "none of the services that were asked for: have them permitted there for PACSLAKE, or set pacs."
        assert f"{why}{name}.model" in asked.lines[name]
    assert swept.lines["by_patients"].endswith("; complete.")
    assert ask(swept.folder, "select count(*) from studies where pacs = 'by_patients'") == [(2,)]


def test_deflated_identifier(asked: Told, swept: Told) -> None:
    assert_broken_off(asked, "accepts_deflated", "a transfer syntax that was not proposed", has_rows=False)
    bomber = swept.pacs["sends_a_bomb"]
    assert bomber.proposed_syntaxes == {IMPLICIT_VR, EXPLICIT_VR}
    assert "answers set aside" in swept.lines["sends_a_bomb"]
    assert ask(swept.folder, "select count(*) from studies where pacs = 'sends_a_bomb'") == [(2,)]
