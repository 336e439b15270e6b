"""What reaches the log, read from a process of its own because logging is set up for the whole process."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from crawler import log
from crawler.columns import CATALOGUE, Phi
from crawler.errors import UserError
from crawler.unexpected import traced

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
logging.getLogger("asyncio").error("Task exception was never retrieved\\nfuture: <Task exception=ValueError('SECRET')>")
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
    plain, masked, *failed, forwarded, task, warning = map(json.loads, lines)
    assert {"event": "plain", "level": "info", "pacs": "main", "rows": 3, "took": 1.5, "nothing": None}.items() <= (
        plain.items()
    )
    assert masked["PatientName"] == masked["patient_id"] == masked["deep"]["AccessionNumber"] == log.MASK
    assert (masked["answer"], masked["raw"], masked["error"]) == ("<Dataset>", "<bytes>", "ValueError")
    assert masked["deep"]["many"] == ["<Dataset>"]
    assert [line["error"] for line in failed] == ["ValueError", "register PACSLAKE", "ConnectionRefusedError: refused"]
    assert all(line["at"].startswith("<string>:") for line in failed)
    assert (forwarded["event"], forwarded["logger"], forwarded["error"]) == ("lost %s", "asyncio", "ValueError")
    assert task["event"] == "Task exception was never retrieved"
    assert warning["category"] == "UserWarning"


def test_a_person_reads_key_and_value_without_values_of_patients() -> None:
    lines = spoken("human")
    assert "SECRET" not in "".join(lines)
    assert "\x1b" not in "".join(lines)
    assert len(lines) == 8
    assert lines[0].partition(" ")[2].startswith("[info     ] plain")
    assert "pacs=main rows=3 took=1.5" in lines[0]


UNFORESEEN = """
import gc, sys, threading, warnings
from io import BytesIO
from crawler.unexpected import tell_no_values
tell_no_values()

class Ends:
    def __del__(self):
        raise ValueError("SECRET")

def thread():
    raise ValueError("SECRET")

import pydicom
dataset = pydicom.Dataset()
dataset.PatientBirthDate = "SECRET"
dataset.PatientAge = "SECRET"
warnings.warn("SECRET")
Ends()
worker = threading.Thread(target=thread)
worker.start()
worker.join()
try:
    raise ValueError("SECRET")
except ValueError as error:
    raise KeyError("SECRET") from error
"""


def test_nothing_that_python_says_by_itself_has_a_value() -> None:
    done = subprocess.run([sys.executable, "-c", UNFORESEEN], capture_output=True, text=True)
    *warned, end, thread, last = done.stderr.splitlines()
    assert "SECRET" not in done.stdout + done.stderr
    assert len(warned) >= 2
    assert all(re.fullmatch(r"pacslake: \w+Warning at \S+:\d+", line) for line in warned)
    assert end.startswith("pacslake: unexpected ValueError at <string>:")
    assert thread.startswith("pacslake: unexpected ValueError at <string>:")
    assert last.startswith("pacslake: unexpected KeyError at <string>:")


def test_what_debug_shows_of_an_error_has_no_value() -> None:
    try:
        try:
            int("SECRET")
        except ValueError as error:
            raise UserError("type something else") from error
    except UserError as error:
        shown = traced(error)
    assert "SECRET" not in shown.replace('int("SECRET")', "")
    assert shown.index("ValueError\n") < shown.index("type something else\n")
    assert shown.count("test_log.py") == 2


@pytest.mark.parametrize(
    "attribute", [one for level in CATALOGUE.values() for one in level], ids=lambda one: one.keyword
)
def test_every_direct_identifier_of_the_catalogue_is_masked_in_every_spelling(attribute: object) -> None:
    from crawler.columns import Attribute

    assert isinstance(attribute, Attribute)
    for name in attribute.columns:
        assert log.identifies(name) == log.identifies(name.upper()) == (attribute.phi is Phi.DIRECT)
