"""One C-FIND question: model, level, keys; and what is asked to be told where nobody says. Pure."""

from __future__ import annotations

import copy
from collections.abc import Container, Iterable
from dataclasses import dataclass, field

from crawler.asking.keys import Key, Step, put, read_key
from crawler.asking.tree import SPECIFIC_CHARACTER_SET, Field, Tree, encode_tree, needs_charset
from crawler.dicom import UTF_8
from crawler.errors import UserError
from crawler.model import HIERARCHY, Level, Model

_QUERY_RETRIEVE_LEVEL = 0x00080052
_STEPS = "ScheduledProcedureStepSequence"
_OFFERED = {
    Model.PATIENT_ROOT: HIERARCHY,
    Model.STUDY_ROOT: HIERARCHY[1:],
    Model.PATIENT_STUDY_ONLY: HIERARCHY[:2],
}
"""The levels of each model."""
_DEFAULTS = {
    Level.PATIENT: "PatientName PatientID PatientBirthDate PatientSex NumberOfPatientRelatedStudies",
    Level.STUDY: (
        "StudyDate StudyTime PatientName PatientID PatientBirthDate AccessionNumber ModalitiesInStudy StudyDescription "
        "NumberOfStudyRelatedSeries NumberOfStudyRelatedInstances StudyInstanceUID"
    ),
    Level.SERIES: (
        "SeriesNumber Modality SeriesDescription BodyPartExamined NumberOfSeriesRelatedInstances "
        "StudyInstanceUID SeriesInstanceUID"
    ),
    Level.IMAGE: "InstanceNumber SOPClassUID StudyInstanceUID SeriesInstanceUID SOPInstanceUID",
    Level.WORKLIST: (
        f"{_STEPS}.ScheduledProcedureStepStartDate {_STEPS}.ScheduledProcedureStepStartTime PatientName PatientID "
        f"AccessionNumber {_STEPS}.Modality {_STEPS}.ScheduledStationAETitle "
        f"{_STEPS}.ScheduledProcedureStepDescription {_STEPS}.ScheduledProcedureStepID RequestedProcedureDescription "
        "StudyInstanceUID"
    ),
}
"""What is asked to be told where nobody says."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, by which model and at which level. `keys` are those to be shown, in the order typed."""

    model: Model
    level: Level
    tree: Tree
    keys: tuple[Key, ...] = field(default=())

    def encode(self, *, explicit_vr: bool = False) -> bytes:
        """Encode it as an identifier. Raises UserError for a value that its VR cannot hold."""
        return encode_tree(self.tree, explicit_vr=explicit_vr)

    @property
    def vrs(self) -> dict[int, str]:
        """The VRs in which it asks for attributes at the top: answers have private ones in the same."""
        return {tag: one.vr for tag, one in self.tree.items()}

    def has(self, keyword: str) -> bool:
        """Whether it has a value to match for an attribute at the top."""
        [step] = read_key(keyword).path
        asked = self.tree.get(step.tag)
        return asked is not None and bool(asked.value)


def ask(
    model: Model,
    level: Level | None,
    texts: Iterable[str],
    base: Tree | None = None,
    omit: Container[str] = (),
) -> Question:
    """Make a question of keys as typed, over those of `base`. Raises UserError.

    The level is the one said, else that of the keys, else STUDY. Where no key asks to be told, a helpful handful does,
    without those that a PACS cannot bear, which `omit` names.
    SpecificCharacterSet is always among them, because some PACS leave it out of the answer otherwise.
    """
    tree = copy.deepcopy(base or {})
    keys = [*_keys_of(tree), *map(read_key, texts)]
    for key in keys:
        put(tree, key)
    level = _level(model, level, tree)
    if level is not Level.WORKLIST:
        tree[_QUERY_RETRIEVE_LEVEL] = Field("CS", level.query_retrieve_level)
    asks = [key for key in keys if key.tags not in ((_QUERY_RETRIEVE_LEVEL,), (SPECIFIC_CHARACTER_SET,))]
    if all(key.value for key in asks):
        shown = {key.tags for key in asks}
        handful = [read_key(name) for name in _DEFAULTS[level].split() if name not in omit]
        more = [key for key in handful if key.tags not in shown]
        for key in more:
            put(tree, key)
        asks += more
    declared = tree.get(SPECIFIC_CHARACTER_SET)
    if declared is None or not declared.value:
        tree[SPECIFIC_CHARACTER_SET] = Field("CS", UTF_8 if needs_charset(tree) else "")
    question = Question(model, level, tree, tuple({key.tags: key for key in asks}.values()))
    question.encode()  # what its VRs cannot hold is found before anybody is called
    return question


def _keys_of(tree: Tree, above: tuple[Step, ...] = ()) -> list[Key]:
    """Give the keys that a dataset holds."""
    keys = []
    for tag, (_, value) in sorted(tree.items()):
        if isinstance(value, str):
            keys.append(Key((*above, Step(tag)), value))
        elif not value:
            keys.append(Key((*above, Step(tag))))
        for place, item in enumerate(value if not isinstance(value, str) else ()):
            inner = _keys_of(item, (*above, Step(tag, place)))
            keys += inner or [Key((*above, Step(tag, place)))]
    return keys


def _level(model: Model, said: Level | None, tree: Tree) -> Level:
    if model is Model.WORKLIST:
        if said not in (None, Level.WORKLIST):
            raise UserError("a worklist has no levels: leave --level out")
        tree.pop(_QUERY_RETRIEVE_LEVEL, None)
        return Level.WORKLIST
    written = tree.get(_QUERY_RETRIEVE_LEVEL)
    level = said or _named(str(written.value) if written else "") or Level.STUDY
    if level not in _OFFERED[model]:
        raise UserError(f"{model.known_as} has no level {level.value}: it has {', '.join(_OFFERED[model])}")
    return level


def _named(text: str) -> Level | None:
    if not text:
        return None
    known = {level.query_retrieve_level: level for level in HIERARCHY}
    if text.strip().upper() not in known:
        raise UserError(f"QueryRetrieveLevel={text} is no level: they are {', '.join(known)}")
    return known[text.strip().upper()]
