"""Which series a person means who names a patient, studies, series or images: the PACS is asked. Touches: network."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crawler.decode.decode import decode
from crawler.errors import RefusedError, TransientPeerError, UserError
from crawler.model import HIERARCHY, Level, Model, Outcome
from crawler.pacs.association import Association
from crawler.pacs.identifier import Query
from crawler.pacs.sop_classes import FIND_CLASSES
from crawler.pacs.status import describe, outcome_of
from crawler.retrieve.reconcile import Listing
from crawler.retrieve.track import Item
from jobs.caller import Caller
from jobs.named import Named
from jobs.peers import Called
from jobs.publish import Source

Rows = list[dict[str, Any]]


@dataclass
class Asking:
    """How one PACS is asked what there is."""

    called: Called
    model: Model
    source: Source

    async def rows(self, association: Association, level: Level, keys: Mapping[str, str]) -> tuple[Rows, int | None]:
        """Send one query; give the rows that came, and the final status."""
        stream = association.find(Query(self.model, level, keys))
        rows: Rows = []
        async for batch in stream:
            rows += decode(batch, level, default_charset=self.source.charsets).to_pylist()
        return rows, stream.status

    async def all_rows(self, association: Association, level: Level, keys: Mapping[str, str]) -> Rows:
        """Send one query as soon as the PACS may be asked. Raises RefusedError where the answer is not whole."""
        async with self.called.gate.asking():
            rows, status = await self.rows(association, level, keys)
        if outcome_of(status) is not Outcome.SUCCESS:
            raise RefusedError(
                f"{self.called.peer.name} answered a C-FIND at {level} level with {describe(status)}; "
                f"where it wants the study and series of what is named, add --study and --series"
            )
        return rows


@dataclass
class Meant:
    """What was found of what a person named."""

    items: dict[str, Item] = field(default_factory=dict)
    """By Series Instance UID."""
    images: dict[str, set[str]] = field(default_factory=dict)
    """Of each series of which not all is wanted, by its UID."""
    modalities: set[str] = field(default_factory=set)
    sop_classes: set[str] = field(default_factory=set)
    """Of images that are named."""
    unknown: list[str] = field(default_factory=list)
    """What the PACS lists nothing of: UIDs, and no PatientID, because errors name no patient."""

    def add(self, row: Mapping[str, Any], above: Mapping[str, str], *, by_name: bool) -> None:
        """Take in the row of a series, or of an image. UserError where it does not say where that lies."""
        study = row["StudyInstanceUID"] or above.get("StudyInstanceUID")
        series = row["SeriesInstanceUID"] or above.get("SeriesInstanceUID")
        if not study or not series:
            raise UserError(
                "the PACS does not say where that lies: name its study and series too, --study and --series"
            )
        count = None if by_name else row["NumberOfSeriesRelatedInstances"]
        self.items[series] = Item(study, series, above.get("PatientID"), count, by_name=by_name)
        if by_name:
            self.images.setdefault(series, set()).add(row["SOPInstanceUID"])
            self.sop_classes.add(row["SOPClassUID"] or "")
        elif row["Modality"]:
            self.modalities.add(row["Modality"])


async def meant_by(named: Named, asking: Asking) -> Meant:
    """Ask a PACS for what is named. Raises UserError where it has none of it, PeerError, NotNowError."""
    if asking.model is Model.PATIENT_ROOT and Level.PATIENT not in named.keys:
        raise UserError("a PACS that is asked by Patient Root wants the patient too: add --patient")
    found = Meant()
    relational = {FIND_CLASSES[asking.model]: b"\1"}  # who grants it finds a series without its study (PS3.4 C.5.1.1)
    association = await Association.open(asking.called.peer, [asking.model], extended=relational)
    try:
        level = max(named.level, Level.SERIES, key=HIERARCHY.index)
        for value, keys in await _questions(named, asking, association, found):
            rows = await asking.all_rows(association, level, keys)
            for row in rows:
                found.add(row, named.above | keys, by_name=level is Level.IMAGE)
            if not rows:
                found.unknown.append(value)
    finally:
        await association.release()
    return found


async def _questions(
    named: Named, asking: Asking, association: Association, found: Meant
) -> list[tuple[str, dict[str, str]]]:
    """Give the keys of what to ask, each with the value that it is asked for."""
    if named.level is not Level.PATIENT:
        above = named.above
        if asking.model is not Model.PATIENT_ROOT:
            above.pop("PatientID", None)
        return [(value, above | {named.level.unique_key: value}) for value in named.wanted]
    questions = []
    for patient in named.wanted:
        rows = await asking.all_rows(association, Level.STUDY, {"PatientID": patient})
        keys = {"PatientID": patient} if asking.model is Model.PATIENT_ROOT else {}
        if not rows:
            found.unknown.append("this patient")
        questions += [(row["StudyInstanceUID"], keys | {"StudyInstanceUID": row["StudyInstanceUID"]}) for row in rows]
    return questions


@dataclass
class Listings:
    """Says what there is of the series that are meant; see `jobs.looking.Looks`."""

    model: Model
    source: Source
    asking: Asking
    meant: Meant

    async def listing(self, caller: Caller, item: Item) -> Listing:
        """Give the images that were named, else what the PACS lists; its count where it lists less than that."""
        gate, count = self.asking.called.gate, Listing(count=item.instances)
        keys = {"StudyInstanceUID": item.study_uid, "SeriesInstanceUID": item.uid}
        if self.model is Model.PATIENT_ROOT:
            keys["PatientID"] = item.patient_id or ""
        try:
            association = await caller.permitted()
        except TransientPeerError as lost:
            caller.trouble = str(lost)
            return count
        if association is None:
            return count
        began = asyncio.get_running_loop().time()
        try:
            rows, status = await self.asking.rows(association, Level.IMAGE, keys)
        except TransientPeerError as lost:
            caller.trouble = str(lost)
            caller.drop()
            gate.lost(began=False)
            return count
        except BaseException:
            gate.let_go()
            raise
        gate.answered(Level.IMAGE, len(rows), asyncio.get_running_loop().time() - began)
        if item.by_name:
            return Listing(frozenset(self.meant.images[item.uid]))
        listed = frozenset(row["SOPInstanceUID"] for row in rows if row["SOPInstanceUID"])
        whole = outcome_of(status) is Outcome.SUCCESS and len(listed) >= (item.instances or 0)
        return Listing(listed) if whole else count

    async def series(self, caller: Caller, item: Item) -> tuple[list[Item], str | None]:
        """Only series are ordered, so that nobody asks for those of a study."""
        raise NotImplementedError
