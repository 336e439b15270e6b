"""What reaches the log, read from a process of its own because logging is set up for the whole process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from crawler import log
from crawler.columns import CATALOGUE, Phi

SPEAKER = """
import asyncio, logging, sys, warnings
import pydicom, structlog
from crawler import log
from crawler.errors import RefusedError

log.configure("info", human=sys.argv[1] == "human")
say = structlog.get_logger()
say.debug("too quiet")
dataset = pydicom.Dataset()
dataset.PatientName = "SECRET^ONE"
say.info("plain", pacs="main", rows=3, took=1.5, nothing=None, levels=("study", "series"))
say.info("masked", PatientName="SECRET", patient_id="SECRET", deep={"AccessionNumber": "SECRET", "many": [dataset]},
         patient_birth_date="SECRET", answer=dataset, raw=b"SECRET", error=ValueError("SECRET"))
refused = ConnectionRefusedError(111, "refused", "SECRET")
for error in (ValueError("SECRET"), RefusedError("register PACSLAKE"), refused):
    try:
        raise error
    except Exception:
        say.exception("failed")
logging.getLogger("asyncio").error("lost %s", "SECRET", exc_info=ValueError("SECRET"))
logging.getLogger("pydicom").critical("SECRET")
logging.getLogger("pynetdicom.acse").critical("SECRET")
warnings.warn("SECRET")
"""


def spoken(mode: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", SPEAKER, mode], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_a_machine_reads_json_without_values_of_patients() -> None:
    lines = spoken("machine")
    assert "SECRET" not in "".join(lines)
    plain, masked, *failed, forwarded, warning = map(json.loads, lines)
    assert {"event": "plain", "level": "info", "pacs": "main", "rows": 3, "took": 1.5, "nothing": None}.items() <= (
        plain.items()
    )
    assert masked["PatientName"] == masked["patient_id"] == masked["deep"]["AccessionNumber"] == log.MASK
    assert (masked["answer"], masked["raw"], masked["error"]) == ("<Dataset>", "<bytes>", "ValueError")
    assert masked["deep"]["many"] == ["<Dataset>"]
    assert [line["error"] for line in failed] == ["ValueError", "register PACSLAKE", "ConnectionRefusedError: refused"]
    assert all(line["at"].startswith("<string>:") for line in failed)
    assert (forwarded["event"], forwarded["logger"], forwarded["error"]) == ("lost %s", "asyncio", "ValueError")
    assert warning["category"] == "UserWarning"


def test_a_person_reads_key_and_value_without_values_of_patients() -> None:
    lines = spoken("human")
    assert "SECRET" not in "".join(lines)
    assert "\x1b" not in "".join(lines)
    assert len(lines) == 7
    assert lines[0].partition(" ")[2].startswith("[info     ] plain")
    assert "pacs=main rows=3 took=1.5" in lines[0]


@pytest.mark.parametrize(
    "attribute", [one for level in CATALOGUE.values() for one in level], ids=lambda one: one.keyword
)
def test_every_direct_identifier_of_the_catalogue_is_masked_in_every_spelling(attribute: object) -> None:
    from crawler.columns import Attribute

    assert isinstance(attribute, Attribute)
    for name in attribute.columns:
        assert log.identifies(name) == log.identifies(name.upper()) == (attribute.phi is Phi.DIRECT)
