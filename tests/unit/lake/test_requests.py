"""What people asked the service to do is kept until it is done."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from crawler.lake.requests import Request, Requests

AT = datetime(2024, 3, 1, 12, tzinfo=UTC)
BACKFILL = Request(("main",), date(2024, 1, 1), None, "series", "ada", AT)


def test_requests_come_back_in_their_order_and_once(tmp_path: Path) -> None:
    other = Request((), None, None, None, "grace", AT + timedelta(seconds=1))
    again = replace(BACKFILL, at=AT + timedelta(hours=1))
    box = Requests(tmp_path)
    assert box.waiting() == []
    for request in (BACKFILL, other, again):
        box.add(request)
    found = Requests(tmp_path).waiting()
    assert [request for _, request in found] == [BACKFILL, other]
    box.remove(found[0][0])
    box.remove(found[0][0])
    assert [request for _, request in box.waiting()] == [other]


def test_a_file_that_is_no_request_is_left_alone(tmp_path: Path) -> None:
    box = Requests(tmp_path)
    box.add(BACKFILL)
    for number, text in enumerate(('{"pacs": ', "[]", '{"pacs": ["x"]}')):
        (tmp_path / "requests" / f"{number}.json").write_text(text)
    assert [request for _, request in box.waiting()] == [BACKFILL]
