"""Who may send, and what."""

from __future__ import annotations

import pytest

from crawler.retrieve.expectation import Expectation, Sender, admits


@pytest.mark.parametrize(
    ("text", "ae_title", "address", "answer"),
    [
        ("PACS", "PACS", "192.0.2.7", True),
        ("PACS", "pacs", "192.0.2.7", False),
        ("PACS@192.0.2.7", "PACS", "192.0.2.7", True),
        ("PACS@192.0.2.7", "PACS", "192.0.2.8", False),
        ("PACS@192.0.2.0/24", "PACS", "192.0.2.8", True),
        ("PACS@192.0.2.0/24", "PACS", "::ffff:192.0.2.8", True),
        ("PACS@192.0.2.0/24", "PACS", "::1", False),
        ("PACS@fe80::/10", "PACS", "fe80::1%eth0", True),
        ("A@B@192.0.2.7", "A@B", "192.0.2.7", True),
        ("PACS@192.0.2.7", "PACS", "", False),
    ],
)
def test_admission(text: str, ae_title: str, address: str, answer: bool) -> None:
    assert admits([Sender("OTHER"), Sender.of(text)], ae_title, address) is answer


def test_a_sender_from_nowhere_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        Sender.of("PACS@somewhere")


def test_nothing_is_expected_until_somebody_does() -> None:
    assert not Expectation().includes("1.1", "1.2")
    assert Expectation(studies=frozenset(("1.1",))).includes("1.1", "")
    assert Expectation(series=frozenset(("1.2",))).includes("", "1.2")
    assert not Expectation(studies=frozenset(("1.1",)), series=frozenset(("1.2",))).includes("1.3", "1.3")
    assert Expectation(accept_unsolicited=True).includes("", "")
