"""Keys that people type."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from crawler.asking.keys import Key, Step, read_key
from crawler.asking.question import ask
from crawler.errors import UserError
from crawler.model import HIERARCHY, Level, Model
from tests.property.asking.trees import LEAVES, PRINTABLE, SEQUENCES

VALUES = st.text(PRINTABLE | st.sampled_from(" =.[]*?-\\"), min_size=1)
STEPS = st.builds(Step, st.sampled_from(SEQUENCES), st.none() | st.integers(0, 99))
KEYS = st.builds(
    lambda above, tag, value: Key((*above, Step(tag)), value),
    st.lists(STEPS, max_size=3),
    st.sampled_from(LEAVES),
    st.none() | st.just("") | VALUES,
)
NOISE = st.text(st.sampled_from("0123456789abcdef(),.[]=*PatientID\\ ü") | st.characters(), max_size=40)


@given(KEYS)
def test_a_key_is_read_as_it_is_shown(key: Key) -> None:
    assert read_key(str(key)) == key


@given(NOISE)
def test_any_text_is_a_key_or_refused_in_a_sentence(text: str) -> None:
    with suppress(UserError):
        read_key(text)


@given(
    st.sampled_from(Model),
    st.none() | st.sampled_from(Level),
    st.lists(KEYS.map(str) | NOISE | st.sampled_from(["QueryRetrieveLevel=SERIES", "SpecificCharacterSet=ISO_IR 100"])),
)
def test_any_keys_are_a_question_or_refused_in_a_sentence(model: Model, level: Level | None, texts: list[str]) -> None:
    with suppress(UserError):
        question = ask(model, level, texts)
        assert question.encode()
        assert question.level is Level.WORKLIST if model is Model.WORKLIST else question.level in HIERARCHY
        assert question.keys
