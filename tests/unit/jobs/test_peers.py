"""PACS by name and by address."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.errors import NotNowError, UserError
from crawler.model import Limits
from jobs.peers import Calling, Peers

SETTINGS = """
[lake]
path = "lake"
[local]
ae_title = "HERE"
kill_switch = "STOP"
[pacs.main]
host = "192.0.2.1"
port = 104
ae_title = "MAIN"
max_queries_per_minute = 60
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "pacslake.toml"
    path.write_text(SETTINGS)
    return path


def test_a_name_is_called_as_the_settings_say(config: Path) -> None:
    [called] = Peers(["main"], Calling(config)).called
    peer = called.peer
    assert (peer.name, peer.host, peer.port, peer.called_ae, peer.calling_ae) == (
        "main",
        "192.0.2.1",
        104,
        "MAIN",
        "HERE",
    )
    assert called.gate.shared.polite.manners.queries_per_minute == 60


def test_an_address_needs_no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = Peers(["ORTHANC@127.0.0.1:4242", "A@B@[::1]:104"], Calling()).called
    assert (first.peer.name, first.peer.calling_ae) == ("ORTHANC@127.0.0.1:4242", "PACSLAKE")
    assert (second.peer.called_ae, second.peer.host, second.peer.port) == ("A@B", "::1", 104)


def test_an_address_of_a_configured_pacs_is_that_pacs(config: Path) -> None:
    same, other = Peers(["MAIN@192.0.2.1:104", "RIS@192.0.2.1:104"], Calling(config)).called
    assert (same.peer.name, other.peer.name) == ("main", "RIS@192.0.2.1:104")
    assert other.peer.calling_ae == "HERE"


def test_a_pacs_that_is_named_twice_is_called_once(config: Path) -> None:
    assert len(Peers(["main", "MAIN@192.0.2.1:104", "main"], Calling(config)).called) == 1


def test_what_is_typed_holds(config: Path) -> None:
    [called] = Peers(["main"], Calling(config, ae_title="ME", timeout=3)).called
    assert called.peer.calling_ae == "ME"
    assert called.peer.limits == Limits(3, 3)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("nain", "there is no PACS named 'nain'; did you mean 'main'?"),
        ("MAIN@host", "'MAIN@host' is no PACS: type a name of pacslake.toml, or an address as ORTHANC@127.0.0.1:4242"),
        ("A@h:0", "the port of 'A@h:0' is wrong: it must be greater than or equal to 1"),
        ("A@a b:1", "the host of 'A@a b:1' is wrong: must be a host name or an IP address"),
        ("ABCDEFGHIJKLMNOPQ@h:1", "the AE title of 'ABCDEFGHIJKLMNOPQ@h:1' is wrong: must have 16 characters at most"),
    ],
)
def test_a_mistake_is_a_sentence(config: Path, text: str, sentence: str) -> None:
    with pytest.raises(UserError) as raised:
        Peers([text], Calling(config))
    assert str(raised.value) == sentence


def test_a_wrong_ae_title_of_ours_is_a_sentence(config: Path) -> None:
    with pytest.raises(UserError, match="the AE title ' ' must not be empty or blank"):
        Peers(["main"], Calling(config, ae_title=" "))


def test_a_name_needs_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"there is no pacslake.toml here that says where 'main' is"):
        Peers(["main"], Calling())


def test_the_kill_switch_holds_for_addresses_too(config: Path) -> None:
    (config.parent / "STOP").touch()
    for text in ("main", "OTHER@192.0.2.9:104"):
        with pytest.raises(NotNowError, match="the kill switch"):
            Peers([text], Calling(config))
