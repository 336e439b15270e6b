"""Sessions end: when they are not used, when they are old, when somebody ends them."""

from __future__ import annotations

from crawler.serve.sessions import IDLE, LONGEST, MOST, Sessions


def test_a_session_lives_while_it_is_used_and_not_for_ever() -> None:
    sessions = Sessions()
    session_id, now = sessions.begin("anna", "proof", 0.0), 0.0
    while now + IDLE <= LONGEST:
        now += IDLE
        assert sessions.find(session_id, now) is not None
    assert sessions.find(session_id, LONGEST + 1) is None
    assert sessions.find(session_id, now) is None, "what has ended stays so"


def test_a_session_that_is_not_used_ends() -> None:
    sessions = Sessions()
    session_id = sessions.begin("anna", "proof", 0.0)
    assert sessions.find(session_id, IDLE + 1) is None


def test_ids_cannot_be_found_in_memory_and_are_no_others() -> None:
    sessions = Sessions()
    session_id = sessions.begin("anna", "proof", 0.0)
    assert session_id not in repr(vars(sessions))
    assert sessions.find(session_id[:-1], 0.0) is None
    sessions.end(session_id)
    assert sessions.find(session_id, 0.0) is None


def test_of_too_many_the_longest_unused_ends() -> None:
    sessions = Sessions()
    first, second = sessions.begin("anna", "proof", 0.0), sessions.begin("otto", "proof", 0.0)
    assert sessions.find(first, 1.0)
    for _ in range(MOST - 1):
        sessions.begin("vera", "proof", 2.0)
    assert sessions.find(first, 3.0)
    assert sessions.find(second, 3.0) is None
