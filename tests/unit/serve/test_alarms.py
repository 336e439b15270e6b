"""The board of alerts: one when a trouble begins, one when it has ended, to whom it concerns, and never too many."""

from __future__ import annotations

import json
import re
from pathlib import Path

from crawler.model import Trouble
from crawler.serve.alarms import DAY, HOUR, RULES, SENTENCES, Board, Finding, Look, Outbox, backoffs, shown

CONFIG = Path(__file__).parents[3] / "config"
DOWN = Finding(Trouble.PACS_UNREACHABLE, pacs="main", reason="breaker")
FAILED = Finding(Trouble.JOB_FAILED, job="nightly", state="failed")
ALL = {"ops": tuple(Trouble)}


def told(board: Board, name: str = "ops") -> list[tuple[str, str]]:
    return [(one["alert"], one["status"]) for one in board.outboxes[name].waiting]


def test_a_trouble_is_told_when_it_begins_and_when_it_has_ended() -> None:
    board = Board()
    changes = [
        board.look(Look(at, found), ALL) for at, found in ((1, [DOWN]), (2, [DOWN]), (3, []), (4, []), (5, [DOWN]))
    ]
    assert changes == [True, False, True, False, True]
    assert told(board) == [("pacs_unreachable", status) for status in ("begins", "ends", "begins")]
    begun, ended, again = board.outboxes["ops"].waiting
    assert (begun["since"], ended["since"], ended["at"]) == (1, 1, 3)
    assert len({begun["id"], ended["id"], again["id"]}) == 3


def test_what_cannot_be_looked_at_stays_as_it_was() -> None:
    board = Board()
    board.look(Look(1, [DOWN, FAILED]), ALL)
    board.look(Look(2, [], unknown=[Trouble.JOB_FAILED]), ALL)
    assert told(board)[2:] == [("pacs_unreachable", "ends")]
    assert board.since(FAILED) == 1
    assert board.since(DOWN) is None


def test_the_same_trouble_elsewhere_is_another_and_in_other_words_the_same() -> None:
    board = Board()
    board.look(Look(1, [Finding(Trouble.SWEEP_PARTIAL, pacs="a", state="partial")]), ALL)
    board.look(Look(2, [Finding(Trouble.SWEEP_PARTIAL, pacs="a"), Finding(Trouble.SWEEP_PARTIAL, pacs="b")]), ALL)
    assert [one["pacs"] for one in board.outboxes["ops"].waiting] == ["a", "b"]


def test_everybody_hears_what_is_meant_for_them_and_who_is_gone_nothing() -> None:
    board = Board()
    both = {"ops": (Trouble.JOB_FAILED,), "pacs": (Trouble.PACS_UNREACHABLE, Trouble.DISK_LOW)}
    board.look(Look(1, [DOWN, FAILED]), both)
    assert told(board, "ops") == [("job_failed", "begins")]
    assert told(board, "pacs") == [("pacs_unreachable", "begins")]
    board.look(Look(2, [DOWN, FAILED]), {"ops": both["ops"]})
    assert list(board.outboxes) == ["ops"]


def test_after_a_restart_nothing_is_told_twice_and_nothing_is_forgotten() -> None:
    board = Board()
    board.look(Look(1, [DOWN]), ALL)
    board.outboxes["ops"].delivered(board.outboxes["ops"].waiting[0], 2)
    board.look(Look(3, [DOWN, FAILED]), ALL)
    again = Board.of(json.loads(json.dumps(board.as_values())))
    assert again == board
    assert not again.look(Look(4, [DOWN, FAILED]), ALL)
    assert told(again) == [("job_failed", "begins")]


def test_a_file_that_is_not_a_board_counts_as_empty() -> None:
    for wrong in ({}, {"firing": 1, "outboxes": {}}, {"firing": [{"trouble": "fire"}], "outboxes": {}}):
        assert Board.of(wrong) == Board()


def test_never_more_than_so_many_an_hour_and_then_one_that_says_how_many_more() -> None:
    board, arrived = Board(), []
    for minute in range(100):
        at = 60.0 * minute
        board.look(Look(at, [DOWN] if minute % 2 else []), ALL)
        if message := board.outboxes["ops"].next(at, 5):
            board.outboxes["ops"].delivered(message, at)
            arrived.append((at, message))
    moments = [at for at, _ in arrived]
    assert max(sum(start <= at < start + HOUR for at in moments) for start in moments) == 5
    summaries = [message for _, message in arrived if message["status"] == "left_out"]
    alerts = [message for _, message in arrived if message["status"] != "left_out"]
    left = board.outboxes["ops"]
    assert sum(one["count"] for one in summaries) + len(alerts) + left.left_out + len(left.waiting) == 99
    assert [f"{one['count']} more alerts were left out" in one["text"] for one in summaries] == [True]


def test_what_did_not_arrive_is_given_up_after_a_day() -> None:
    board = Board()
    board.look(Look(1, [DOWN]), ALL)
    box = board.outboxes["ops"]
    assert box.next(DAY, 20) == box.waiting[0]
    assert box.next(DAY + 1, 20) is None


def test_a_clock_that_is_set_back_silences_nobody() -> None:
    box = Outbox(sent=[1e9] * 20)
    box.waiting = [{"id": "x", "at": 5.0, "status": "begins"}]
    assert box.next(5.0, 20) == box.waiting[0]


def test_tries_become_rarer_up_to_five_minutes() -> None:
    pauses = [pause for pause, _ in zip(backoffs(), range(10), strict=False)]
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_a_message_has_names_and_fixed_words_and_nothing_else() -> None:
    board = Board()
    board.look(Look(1e9, [DOWN]), ALL)
    assert shown(board.outboxes["ops"].waiting[0]) == {
        "id": "3d57c78e7980657f",
        "alert": "pacs_unreachable",
        "rule": "PacslakeBreakerOpen",
        "status": "begins",
        "pacs": "main",
        "reason": "breaker",
        "since": "2001-09-09T01:46:40Z",
        "at": "2001-09-09T01:46:40Z",
        "text": "main gives no answer and is left alone; `pacslake pacs list` says until when",
    }


def test_every_trouble_has_its_sentences_and_the_names_of_rules_are_those_of_prometheus() -> None:
    assert set(SENTENCES) == set(Trouble)
    rules = re.findall(r"- alert: (\w+)", (CONFIG / "alerts/pacslake.rules.yml").read_text())
    assert set(RULES.values()) <= set(rules)
