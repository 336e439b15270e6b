"""What is told of a lake that could not be written: the system's reason, whoever met it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from crawler.errors import LakeError
from crawler.lake.writing import writing

OF_DELTA_RS = (
    "Kernel error -> Generic LocalFileSystem error\n"
    "          \x1b[31m↳\x1b[0m Unable to open file /lake/log/_delta_log/_last_checkpoint#1\n"
    "           \x1b[31m↳\x1b[0m No space left on device (os error 28)\n"
)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device", "/lake/lock"), "No space left on device: /lake/lock"),
        (OSError(OF_DELTA_RS), "Kernel error -> Generic LocalFileSystem error: No space left on device (os error 28)"),
        (OSError("Generic error: Input/output error (os error 5)"), "Generic error: Input/output error (os error 5)"),
        (duckdb.FatalException("fsync failed! Doe^Jane"), "fsync failed"),
        (duckdb.ConversionException('Could not convert "Doe^Jane"'), "ConversionException"),
    ],
)
def test_the_reason_is_told_and_no_value(error: Exception, told: str) -> None:
    with pytest.raises(LakeError) as caught, writing(Path("/lake")):
        raise error
    assert f"/lake could not be written ({told})." in str(caught.value)
