"""Ask a PACS from Python by the command `pacslake find`, in a process of its own.

A question runs an event loop, of which a notebook has one already, and goes through the gate of its PACS, which is a
matter of jobs: so rooms know of jobs by the command alone. Touches: processes, disk (temporary file).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import IO, TypedDict

import pyarrow as pa
import pyarrow.parquet as pq
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from crawler.asking.dicom_json import from_json
from crawler.asking.tree import SPECIFIC_CHARACTER_SET, Field, Tree, encode_tree
from crawler.decode.text import CHARSET_VRS
from crawler.dicom import UTF_8
from crawler.errors import PeerError, UserError

_MODELS = {"study": "study", "patient": "patient", "patient_study": "patient-study-only", "worklist": "worklist"}
_WRONG_USAGE, _PARTIAL = 2, 3


class PartialAnswerWarning(UserWarning):
    """There may be more than came."""


class How(TypedDict, total=False):
    """How to ask; `docs/find.md` says what each is."""

    model: str
    """`study`, `patient`, `patient_study` or `worklist`; else the one that is set of the first PACS."""
    level: str
    config: str | os.PathLike[str]
    query: str | os.PathLike[str]
    limit: int
    relational: bool
    combined_datetime: bool
    fuzzy: bool
    aet: str
    timeout: float
    now: bool


def find_table(pacs: Sequence[str], keys: Sequence[str], how: How) -> pa.Table:
    """Give the answers as a table. Raises UserError, PeerError; warns where there may be more than came."""
    with _asked(pacs, keys, how, "parquet") as answers:
        content = answers.read()
    return pq.read_table(BytesIO(content))


def find_each(pacs: Sequence[str], keys: Sequence[str], how: How) -> Iterator[Dataset]:
    """Give the answers one by one, as they come; who stops early has the rest cancelled."""
    with _asked(pacs, keys, how, "jsonl") as answers:
        for line in answers:
            yield dataset_of(from_json(json.loads(line)))


def dataset_of(tree: Tree) -> Dataset:
    """Make a dataset, in UTF-8. What its VR does not allow is found by who reads that element, not before."""
    plain = {**_plain(tree), SPECIFIC_CHARACTER_SET: Field("CS", UTF_8)}
    return read_dataset(BytesIO(encode_tree(plain, explicit_vr=True)), is_implicit_VR=False, is_little_endian=True)


def _plain(tree: Tree) -> Tree:
    """Put a question mark for what a VR of ASCII cannot hold."""
    return {
        tag: Field(vr, [_plain(item) for item in value])
        if not isinstance(value, str)
        else Field(vr, value if vr in CHARSET_VRS else value.encode("ascii", "replace").decode("ascii"))
        for tag, (vr, value) in tree.items()
    }


@contextmanager
def _asked(pacs: Sequence[str], keys: Sequence[str], how: How, kind: str) -> Iterator[IO[bytes]]:
    """Give what the command writes; at the end, see how it went."""
    command = _command(pacs, keys, how, kind)
    with tempfile.TemporaryFile() as heard, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=heard) as asking:
        answers = asking.stdout
        if answers is None:
            raise RuntimeError("a pipe was asked for")
        try:
            yield answers
        except BaseException:
            asking.terminate()
            raise
        asking.wait()
        heard.seek(0)
        said = heard.read().decode("utf-8", "replace").strip().removeprefix("pacslake: ")
    if asking.returncode == _PARTIAL:
        warnings.warn(said, PartialAnswerWarning, stacklevel=5)
    elif asking.returncode:
        raise UserError(said) if asking.returncode == _WRONG_USAGE else PeerError(said)


def _command(pacs: Sequence[str], keys: Sequence[str], how: How, kind: str) -> list[str]:
    options: list[str] = []
    for name, value in how.items():
        if name == "model":
            if value not in _MODELS:
                raise UserError(f"model={value!r} is none: they are {', '.join(_MODELS)}")
            options.append(f"--{_MODELS[value]}")
        elif name not in How.__annotations__:
            raise UserError(f"{name} is no way to ask: known are {', '.join(How.__annotations__)}")
        elif isinstance(value, bool):
            options += [f"--{name.replace('_', '-')}"] if value else []
        elif value is not None:
            options += [
                f"--{name.replace('_', '-')}",
                os.fspath(value) if isinstance(value, os.PathLike) else str(value),
            ]
    # -P: a folder `jobs` where somebody works must not be taken for ours.
    return [sys.executable, "-P", "-m", "jobs.cli", "find", "--format", kind, *options, "--", *pacs, *keys]
