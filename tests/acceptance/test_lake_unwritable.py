"""A lake that cannot be written while images come."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.errors import LakeError
from tests.acceptance.retrieving import HELD, Attempt, losses, retrieve, sited
from tests.faults.small import short_files


def test_a_lake_that_cannot_be_written_is_told_and_harms_nothing(tmp_path: Path) -> None:
    with sited(tmp_path, Attempt()) as (settings, _):
        with short_files(wanted=True, longest=50_000), pytest.raises(LakeError, match="could not be written"):
            retrieve(settings)
        assert retrieve(settings) == 0
        assert losses(settings, HELD) == ([], frozenset())
