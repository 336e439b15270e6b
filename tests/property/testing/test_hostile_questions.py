"""Whatever bytes a client sends as its identifier, it gets an answer or a refusal."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.model import Level, Model
from crawler.pacs.identifier import Query
from crawler.testing.answers import Answers
from crawler.testing.archive import Archive
from crawler.testing.matching import BadKeyError
from crawler.testing.question import BadQuestionError, read_question

ANSWERS = Answers(Archive(40))
QUERY = Query(Model.STUDY_ROOT, Level.STUDY, {"StudyDate": "20240101-", "ModalitiesInStudy": "CT"})
edits = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6)


def answer(identifier: bytes, explicit_vr: bool) -> None:
    with contextlib.suppress(BadQuestionError, BadKeyError):
        question = read_question(identifier, explicit_vr=explicit_vr, model=Model.STUDY_ROOT)
        list(ANSWERS.find(question, explicit_vr))


@settings(max_examples=300)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes(identifier: bytes, explicit_vr: bool) -> None:
    answer(identifier, explicit_vr)


@settings(max_examples=300)
@given(edits, st.integers(0, 400), st.booleans())
def test_a_damaged_question(edits: list[tuple[int, int]], length: int, explicit_vr: bool) -> None:
    identifier = bytearray(QUERY.encode(explicit_vr=explicit_vr)[:length])
    for at, value in edits:
        if at < len(identifier):
            identifier[at] = value
    answer(bytes(identifier), explicit_vr)
