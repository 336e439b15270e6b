"""`pacslake conformance`: the DICOM Conformance Statement (PS3.2), its tables made of what is proposed and accepted.

Prose is in config/conformance.md. Touches: nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from string import Template

from pydicom import charset
from pydicom.uid import UID

from crawler.columns import CATALOGUE
from crawler.dicom import UTF_8
from crawler.model import IMPLEMENTATION_NAME, IMPLEMENTATION_UID, Level, Limits, Model
from crawler.pacs import command as dimse
from crawler.pacs import status
from crawler.pacs.association import contexts_of
from crawler.pacs.negotiation import EXPLICIT_VR, IMPLICIT_VR
from crawler.pacs.sop_classes import FIND_CLASSES, FIND_MODELS, GET_CLASSES, GET_MODELS, MOVE_CLASSES, MOVE_MODELS
from crawler.retrieve import instance, receiver
from crawler.retrieve import status as retrieve_status
from crawler.retrieve.offer import MOST_CONTEXTS, Offer
from crawler.serve.audit import Audit
from crawler.serve.find.scp import Allowances, FindScp
from crawler.settings import FindScpSettings, LocalSettings, PacsSettings
from jobs.levels import levels_of
from jobs.wiring import shipped

MATCHING = (
    *("StudyDate", "StudyTime", "ModalitiesInStudy", "PatientID", "StudyInstanceUID", "SeriesInstanceUID"),
    *("SOPInstanceUID", "ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime", "Modality"),
)
"""What sweeps match on; a person may match on anything by `pacslake find`."""


def statement() -> str:
    """Give docs/conformance.md."""
    syntaxes = receiver.SYNTAXES
    [(_, any_syntax)] = [one for one in syntaxes.items() if one[0] == "1.2.840.10008.5.1.4.1.1.2"]
    filled = Template(shipped("conformance.md")).substitute(
        _figures(),
        version=version("pacslake"),
        services="\n".join(_services()),
        find_contexts=_proposed(FIND_CLASSES.values()),
        retrieve_contexts=_proposed((*MOVE_CLASSES.values(), *GET_CLASSES.values())),
        get_storage=_contexts(Offer.of().contexts),
        attributes="\n\n".join(map(_attributes, CATALOGUE)),
        matching_keys=", ".join(MATCHING),
        find_statuses=_table(("status", "means", "outcome"), status.meanings()),
        retrieve_statuses=_table(("status", "means", "outcome"), retrieve_status.meanings()),
        store_statuses="\n".join(f"| 0x{code:04X} | {text} |" for code, text in _of_stores()),
        storage_classes="\n".join(
            f"| {_name(uid)} | {uid} | {'any' if offered == any_syntax else _names(offered)} |"
            for uid, offered in syntaxes.items()
        ),
        any_syntax=_table(("transfer syntax", "UID"), ((_name(uid), uid) for uid in any_syntax)),
        lake_contexts=_contexts(_of_lake().items()),
        charsets=", ".join(f"`{term}`" for term in sorted(charset.python_encoding) if term),
    )
    return filled.rstrip("\n")


def _figures() -> Mapping[str, object]:
    """Give the numbers, which are those of the defaults."""
    limits, find_scp = Limits(), FindScpSettings()
    receiving = receiver.Receiving.__dataclass_fields__
    return {
        "implementation_uid": IMPLEMENTATION_UID,
        "implementation_name": IMPLEMENTATION_NAME,
        "max_pdu": limits.max_pdu,
        "connect_timeout": f"{limits.connect_timeout:g}",
        "idle_timeout": f"{limits.idle_timeout:g}",
        "total_timeout": f"{limits.total_timeout:g}",
        "max_associations": PacsSettings.model_fields["max_associations"].default,
        "most_storage": MOST_CONTEXTS,
        "plain": _names(_plain()),
        "port": LocalSettings.model_fields["port"].default,
        "receiver_associations": receiving["max_associations"].default,
        "find_listen": find_scp.listen,
        "find_associations": find_scp.max_associations,
        "charset": UTF_8,
    }


def _services() -> Iterable[str]:
    """Give the rows of the overview; what LAKE offers is looked up."""
    lake = _of_lake()
    for uid in (dimse.VERIFICATION, *FIND_MODELS, *MOVE_MODELS, *GET_MODELS):
        yield f"| {_name(uid)} | yes | {'yes' if uid in lake else 'no'} |"
    yield "| storage classes (3.4) | yes, of files that are here | yes |"


def _of_lake() -> Mapping[str, Sequence[str]]:
    """Ask the SCP, as it is made before it serves, what it accepts."""
    scp = FindScp(lambda: None, Audit(Path()), Allowances())
    scp.store = Path()
    return scp.service("PACSLAKE", None, 1).syntaxes


def _proposed(sop_classes: Iterable[str]) -> str:
    """Give the contexts of an association for some classes, as they are proposed."""
    contexts = contexts_of(list(sop_classes), ())
    return _contexts((one.abstract_syntax, one.transfer_syntaxes) for one in contexts)


def _contexts(contexts: Iterable[tuple[str, Sequence[str]]]) -> str:
    rows = ((_name(uid), uid, _names(syntaxes), ", ".join(syntaxes)) for uid, syntaxes in contexts)
    return _table(("abstract syntax", "UID", "transfer syntaxes", "UIDs"), rows)


def _attributes(level: Level) -> str:
    keys = (
        (key.keyword, f"({key.tag >> 16:04X},{key.tag & 0xFFFF:04X})", key.vr, _within(key.path))
        for key in CATALOGUE[level]
    )
    models = ", ".join(model.known_as for model in Model if level in levels_of(model, (Level.IMAGE,), None))
    title = f"{level.query_retrieve_level} level" if level is not Level.WORKLIST else "Items of a worklist"
    return f"{title} ({models}):\n\n{_table(('attribute', 'tag', 'VR', 'within'), keys)}"


def _within(path: tuple[int, ...]) -> str:
    return " > ".join(f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in path)


def _of_stores() -> Iterable[tuple[int, str]]:
    return ((instance.SUCCESS, "kept"), *instance.MEANINGS.items(), (0x0211, "the request is no C-STORE or C-ECHO"))


def _plain() -> tuple[str, ...]:
    return IMPLICIT_VR, EXPLICIT_VR


def _name(uid: str) -> str:
    return UID(uid).name


def _names(uids: Sequence[str]) -> str:
    return ", ".join(map(_name, uids))


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
