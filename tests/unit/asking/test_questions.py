"""What keys mean, what a question holds, and what is said of a mistake."""

from __future__ import annotations

import struct

import pytest

from crawler.asking.columns import attributes_of
from crawler.asking.keys import read_key
from crawler.asking.question import Question, ask
from crawler.asking.tree import Field, Tree, encode_tree, read_tree
from crawler.errors import UserError
from crawler.model import Level, Model
from jobs.commands.find import told_apart

STEPS = "ScheduledProcedureStepSequence"
LEVEL = 0x00080052
CHARSET = 0x00080005


def study(*texts: str, base: Tree | None = None) -> Question:
    return ask(Model.STUDY_ROOT, None, texts, base)


def asked(*texts: str, base: Tree | None = None) -> Tree:
    tree = dict(study(*texts, base=base).tree)
    del tree[LEVEL], tree[CHARSET]
    return tree


@pytest.mark.parametrize("name", ["PatientID", "0010,0020", "(0010,0020)", "00100020"])
def test_an_attribute_has_many_names(name: str) -> None:
    assert asked(f"{name}=7", "PatientName") == {0x00100020: Field("LO", "7"), 0x00100010: Field("PN", "")}


@pytest.mark.parametrize(
    "way", [f"{STEPS}.Modality", f"{STEPS}[0].Modality", "0040,0100.0008,0060", "00400100[0].00080060"]
)
def test_a_sequence_need_not_be_declared(way: str) -> None:
    assert asked(f"{way}=MR", "PatientID")[0x00400100] == Field("SQ", [{0x00080060: Field("CS", "MR")}])


def test_an_index_makes_the_items_before_it() -> None:
    items = asked(f"{STEPS}[1].Modality=MR", "PatientID")[0x00400100].value
    assert items == [{}, {0x00080060: Field("CS", "MR")}]


def test_a_sequence_alone_asks_for_all_of_it() -> None:
    assert asked(STEPS) == {0x00400100: Field("SQ", [])}


def test_a_value_may_hold_anything() -> None:
    assert asked("PatientName=a=b.c[0]*", "PatientID")[0x00100010] == Field("PN", "a=b.c[0]*")


def test_private_attributes_are_text() -> None:
    question = study("0019,0010=SIEMENS MR HEADER", "0019,100c")
    assert question.tree[0x00190010] == Field("LO", "SIEMENS MR HEADER")
    assert question.tree[0x0019100C] == Field("LO", "")
    assert [one.keyword for one in attributes_of(question)][1:] == ["0019,0010", "0019,100c"]


def test_a_bare_key_takes_no_match_back() -> None:
    base: Tree = {0x00080020: Field("DA", "20240101")}
    assert asked("StudyDate", base=base)[0x00080020].value == "20240101"
    assert asked("StudyDate=20240202", base=base)[0x00080020].value == "20240202"
    assert asked("StudyDate=", base=base)[0x00080020].value == ""
    assert base == {0x00080020: Field("DA", "20240101")}


def test_where_no_key_asks_to_be_told_a_helpful_handful_does() -> None:
    assert 0x0020000D in asked("PatientID=7")
    assert asked("PatientID=7", "StudyDate").keys() == {0x00100020, 0x00080020}


@pytest.mark.parametrize(("name", "charset"), [("Mueller", ""), ("Müller", "ISO_IR 192")])
def test_text_that_is_not_ascii_says_its_character_set(name: str, charset: str) -> None:
    assert study(f"PatientName={name}").tree[CHARSET].value == charset


def test_text_goes_out_in_the_character_set_that_is_typed() -> None:
    encoded = study("PatientName=Müller^Jörg", "SpecificCharacterSet=ISO_IR 100").encode()
    assert "Müller^Jörg".encode("latin-1") in encoded


def test_the_level_is_the_one_said_else_that_of_the_keys() -> None:
    base: Tree = {LEVEL: Field("CS", "SERIES")}
    assert ask(Model.STUDY_ROOT, None, [], base).level is Level.SERIES
    assert ask(Model.STUDY_ROOT, None, ["QueryRetrieveLevel=IMAGE"], base).level is Level.IMAGE
    assert ask(Model.STUDY_ROOT, Level.STUDY, [], base).level is Level.STUDY
    assert LEVEL not in ask(Model.WORKLIST, None, [], base).tree


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("PatientNam=X", "there is no attribute 'PatientNam'; did you mean 'PatientName'?"),
        ("patient_id", "there is no attribute 'patient_id'; did you mean 'PatientID'?"),
        ("qqqq", "there is no attribute 'qqqq'; type a keyword of DICOM, or a tag as 0010,0020"),
        ("=5", "'=5' is no key: type Keyword=value, Keyword, or a tag as 0010,0020"),
        ("PatientID.Modality=CT", "PatientID.Modality: PatientID is no sequence, nothing lies in it"),
        ("PatientID[0]", "PatientID[0]: PatientID is no sequence and has no items"),
        (f"{STEPS}[100].Modality", f"{STEPS}[100]: items are counted from 0, and 100 are enough"),
        ("0002,0010", "0002,0010 cannot be asked for"),
        ("Rows=abc", "the value of (0028,0010) is none of VR US"),
        ("Modality=Ü", "the value of (0008,0060) is none of VR CS"),
        ("QueryRetrieveLevel=ALL", "QueryRetrieveLevel=ALL is no level: they are PATIENT, STUDY, SERIES, IMAGE"),
        ("SpecificCharacterSet=X", "SpecificCharacterSet=X is no character set of DICOM: ISO_IR 192 is UTF-8"),
    ],
)
def test_a_mistake_is_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(UserError) as raised:
        study(text)
    assert str(raised.value) == sentence


def test_a_character_that_the_character_set_lacks_is_told() -> None:
    with pytest.raises(UserError, match="has characters that its character set lacks"):
        study("PatientName=Щукин", "SpecificCharacterSet=ISO_IR 100")


def test_a_key_is_shown_as_it_may_be_typed() -> None:
    assert str(read_key("(0040,0100)[2].00080060=MR")) == f"{STEPS}[2].Modality=MR"


def test_what_a_pacs_cannot_bear_is_not_in_the_handful() -> None:
    handful = ask(Model.STUDY_ROOT, None, ["StudyDate=20240101"], omit={"StudyDescription"}).tree
    assert 0x00081030 not in handful
    assert 0x0020000D in handful
    assert 0x00081030 in ask(Model.STUDY_ROOT, None, ["StudyDescription"], omit={"StudyDescription"}).tree


@pytest.mark.parametrize(
    ("declared", "meant"), [(b"", {"": "ISO_IR 144"}), (b"ISO_IR 100", {"ISO_IR 100": "ISO_IR 144"})]
)
def test_text_is_read_in_the_character_set_that_the_settings_say(declared: bytes, meant: dict[str, str]) -> None:
    name = "Щукин ".encode("iso8859_5")
    encoded = struct.pack("<HHI", 0x0008, 0x0005, len(declared)) + declared
    encoded += struct.pack("<HHI", 0x0010, 0x0010, len(name)) + name
    tree = read_tree(encoded, explicit_vr=False, meant=meant)
    assert tree is not None
    assert tree[0x00100010] == Field("PN", "Щукин")


def test_pacs_and_keys_are_told_apart() -> None:
    words = ["main", "archive", "X@127.0.0.1:104", "PatientName=a@b", "PatientID"]
    assert told_apart(words, {"main", "archive"}) == (words[:3], words[3:])
    with pytest.raises(UserError, match="did you mean 'archive'"):
        told_apart(["main", "archiv", "PatientID"], {"main", "archive"})


def test_an_answer_that_writes_its_vrs_is_believed() -> None:
    tree: Tree = {0x00190010: Field("LO", "SIEMENS MR HEADER"), 0x0019100C: Field("IS", "1000")}
    assert read_tree(encode_tree(tree, explicit_vr=True), explicit_vr=True) == tree
    unwritten = read_tree(encode_tree(tree), explicit_vr=False)
    assert unwritten == {**tree, 0x0019100C: Field("UN", "31\\30\\30\\30")}
    assert read_tree(encode_tree(tree), explicit_vr=False, vrs={0x0019100C: "LO"}) == {
        **tree,
        0x0019100C: Field("LO", "1000"),
    }
