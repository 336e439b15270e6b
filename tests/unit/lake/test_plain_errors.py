"""What DuckDB says of a file or of rows, as a person is told."""

from __future__ import annotations

import duckdb
import pytest

from crawler.errors import LakeError
from crawler.lake.answer import plain_errors


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('IO Error: Could not truncate file "/x/Doe^Jane": No space left on device', "No space left on device"),
        ('IO Error: Async write failed: {"exception_message":"\'/x\': Input/output error"}', "Input/output error"),
        ('IO Error: Cannot open "Doe^Jane"', None),
    ],
)
def test_the_reason_of_the_system_is_told_and_no_value(said: str, told: str | None) -> None:
    with pytest.raises(LakeError) as caught, plain_errors():
        raise duckdb.IOException(said)
    assert str(caught.value).endswith(f"…: {told}" if told else "…")
    assert "Doe" not in str(caught.value)
