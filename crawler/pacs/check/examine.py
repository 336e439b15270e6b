"""The examination of a PACS: which questions are asked, in which order. Touches: network, clock.

A guest's manners: some forty questions, one at a time, all but two inside days that were named or are recent, each
cancelled after some hundred rows. Everything is asked once, and only by permission.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from crawler.columns import CATALOGUE
from crawler.dicom import da
from crawler.errors import PeerError
from crawler.model import Level, Model, Peer
from crawler.pacs import command as dimse
from crawler.pacs.association import Association
from crawler.pacs.check import matching, reaching, returned, scheduled
from crawler.pacs.check.answer import Answer
from crawler.pacs.check.ask import Asker, Decode, Permit, hasty
from crawler.pacs.check.reaching import Us
from crawler.pacs.check.verdict import Verdict, note, ok
from crawler.pacs.identifier import Query
from crawler.pacs.profile import Profile, attributes
from crawler.pacs.sop_classes import FIND_CLASSES

Section = Callable[[], AsyncIterator[Verdict]]

NOBODY = "PACSLAKE_NOBODY"
"""An identifier that no patient and no study has."""
NO_MODALITY = "QQ"
LONG_AGO = date(1800, 1, 1)
MOST_ASSOCIATIONS = 10
FEW = 50
BROAD = 50_000
"""Rows after which the answer to a question for everything is cancelled."""
_ALL_CAPABILITIES = b"\1\1\0"
"""Extended negotiation: relational queries and combined date-time, no fuzzy names (PS3.4 C.5.1.1)."""
_LIGHT = tuple(key for key in CATALOGUE[Level.STUDY] if key.keyword in ("StudyDate", "StudyInstanceUID"))


@dataclass(frozen=True, slots=True)
class Plan:
    """What may be asked."""

    model: Model
    max_associations: int
    today: date
    day: date | None = None
    """A day that is known to have studies."""
    broad: bool = False
    """Whether everything may be asked for."""
    profile: Profile = field(default_factory=Profile)
    """What a person set for this PACS; what was learned of it earlier is not believed."""
    permit: Permit = nullcontext


class Examination:
    """One examination of one PACS; `sections` are to be gone through in their order."""

    def __init__(self, peer: Peer, plan: Plan, decode: Decode) -> None:
        self.reached = False
        """Whether an association came about: without one there is nothing more to ask."""
        self._peer = hasty(peer)
        self._plan = plan
        self._us = Us(peer.calling_ae, "of this machine")
        self._decode = decode
        self._asker = Asker(self._peer, plan.model, decode, plan.profile, plan.permit)
        self._day: date | None = None
        self._ranges = False
        """Whether ranges of days may be asked for."""
        self._answers: list[Answer] = []
        self._models: set[Model] = set()

    @property
    def queries(self) -> int:
        """C-FIND requests sent so far."""
        return self._asker.queries

    @property
    def sections(self) -> tuple[tuple[str, Section], ...]:
        """Title and checks of each part of the report."""
        if self._plan.model is Model.WORKLIST:
            return (("Connection", self._connection), ("Worklist", self._worklist))
        return (
            ("Connection", self._connection),
            ("Days", self._days),
            ("Other keys", self._keys),
            ("Below the study", self._below),
            ("Answers", self._returned),
        )

    async def close(self) -> None:
        """Hang up."""
        await self._asker.close()

    async def _connection(self) -> AsyncIterator[Verdict]:
        peer = self._peer
        try:
            async with asyncio.timeout(peer.limits.connect_timeout):
                _, writer = await asyncio.open_connection(peer.host, peer.port)
        except OSError as error:
            yield reaching.unreachable(peer, _why(error, peer.limits.connect_timeout))
            return
        self._us = Us(peer.calling_ae, writer.get_extra_info("sockname")[0])
        writer.close()
        yield ok("address", f"{peer.host}:{peer.port} takes connections")
        try:
            assoc = await Association.open(peer, list(dict.fromkeys((*reaching.ROOTS, self._plan.model))))
        except PeerError as error:
            yield reaching.not_associated(str(error), self._us)
            return
        self.reached = True
        yield ok("association", f"{peer.called_ae} accepts our AE title {peer.calling_ae}")
        if assoc.certificate is not None:
            yield reaching.encrypted(assoc.certificate, datetime.now(UTC))
        async for verdict in self._negotiated(assoc):
            yield verdict
        async for verdict in self._associations():
            yield verdict

    async def _negotiated(self, assoc: Association) -> AsyncIterator[Verdict]:
        began = time.perf_counter()
        try:
            status = await assoc.echo()
        except PeerError:
            status = None
        yield reaching.echoed(status, (time.perf_counter() - began) * 1000, self._us)
        accepted = {(one.abstract_syntax, one.transfer_syntaxes[0]) for one in assoc.agreement.contexts.values()}
        self._models = {model for model, uid in FIND_CLASSES.items() if uid in {uid for uid, _ in accepted}}
        for verdict in reaching.roots(self._models, self._plan.model, self._peer.name, self._us):
            yield verdict
        if self._models and self._asker.model not in self._models and self._plan.model is not Model.WORKLIST:
            self._asker.model = next(iter(self._models))
        yield reaching.transfer_syntaxes({syntax for uid, syntax in accepted if uid != dimse.VERIFICATION})
        yield reaching.largest_pdu(assoc.agreement.max_pdu)
        yield reaching.released(await assoc.release())

    async def _associations(self) -> AsyncIterator[Verdict]:
        wanted = min(self._plan.max_associations, MOST_ASSOCIATIONS)
        opened: list[Association] = []
        try:
            for _ in range(wanted):
                opened += [await Association.open(self._peer, [self._asker.model])]  # kept when the next one fails
        except PeerError:
            pass  # as many as there are
        yield reaching.at_once(len(opened), wanted, self._peer.name)
        for assoc in opened:
            await assoc.release()
        find = FIND_CLASSES[self._asker.model]
        try:
            assoc = await Association.open(self._peer, [self._asker.model], extended={find: _ALL_CAPABILITIES})
        except PeerError as error:
            for verdict in reaching.extended(None, type(error).__name__):
                yield verdict
            return
        for verdict in reaching.extended(assoc.agreement.extended.get(find, b"")):
            yield verdict
        await assoc.release()

    async def _worklist(self) -> AsyncIterator[Verdict]:
        if Model.WORKLIST in self._models:
            async for verdict in scheduled.examined(self._asker, LONG_AGO, self._plan.today, self._peer.name, self._us):
                yield verdict

    async def _days(self) -> AsyncIterator[Verdict]:
        if not self._models:
            return
        never = await self._studies(da(LONG_AGO))
        yield matching.impossible("no_such_day", "StudyDate", never, _dated(never))
        if _dated(never):
            self._models.clear()
            yield note("stopped", "nothing more is asked, since every answer may be the whole archive")
            return
        range_ = await self._studies(f"{da(LONG_AGO)}-{da(LONG_AGO + timedelta(30))}")
        if never.status is not None or range_.status is not None:
            yield reaching.reuse(self._asker.reopened > 0)
        yield matching.impossible("no_such_days", "StudyDate", range_, _dated(range_), "a range of StudyDate")
        self._ranges = range_.is_usable and not _dated(range_)
        yield await self._find_day()
        if self._day is None or not self._ranges:
            return
        day, one = self._day, timedelta(1)
        from_day = await self._studies(f"{da(day)}-{da(day + one)}")
        to_day = await self._studies(f"{da(day - one)}-{da(day)}")
        yield matching.range_ends(from_day, to_day, day)
        yield matching.undated([never, range_, from_day, to_day, *self._answers])

    async def _find_day(self) -> Verdict:
        """Look for a day with studies: the known one, yesterday, a week, and by permission further back."""
        today, found = self._plan.today, False
        known = [self._plan.day] if self._plan.day else []
        spans = [(day, day) for day in (*known, today - timedelta(1))]
        if self._ranges:
            spans += [(today - timedelta(7), today)]
        if self._ranges and self._plan.broad:
            spans += [(today - timedelta(days), today) for days in (365, 36525)]
        for first, last in spans:
            answer = await self._studies(da(first) if first == last else f"{da(first)}-{da(last)}")
            days = [day for day in answer.values("StudyDate") if day is not None and first <= day <= last]
            if days:
                self._day, found = max(days, key=days.count), True
                self._answers.append(answer if first == last else await self._studies(da(self._day)))
            if found and len(self._answers[-1]):
                count = f"{len(self._answers[-1])} {'or more ' if self._answers[-1].cut else ''}studies"
                return ok("busy_day", f"{self._day} has {count}: what follows looks at them")
        self._day = None
        wider = "" if self._plan.broad else ", or --yes to look further back"
        return note("busy_day", f"no studies in the last week to look at: give --day with a day that has some{wider}")

    async def _keys(self) -> AsyncIterator[Verdict]:
        if self._day is None:
            return
        sample = self._answers[0]
        unsent = self._plan.profile.omit
        if "StudyTime" not in unsent and not self._plan.profile.dates_only:
            async for verdict in self._times(sample):
                yield verdict
        for check, keyword, value in (
            ("no_such_modality", "ModalitiesInStudy", NO_MODALITY),
            ("no_such_patient", "PatientID", NOBODY),
            ("no_such_name", "PatientName", f"{NOBODY}*"),
            ("no_such_accession", "AccessionNumber", NOBODY),
        ):
            if keyword in unsent:
                continue
            answer = await self._studies(da(self._day), {keyword: value})
            yield matching.impossible(check, keyword, answer, len(answer))
            if keyword == "ModalitiesInStudy" and answer.is_usable and not len(answer):
                async for verdict in self._modality(sample):
                    yield verdict

    async def _times(self, sample: Answer) -> AsyncIterator[Verdict]:
        """Ask for a second at which nothing happened, and for the part of the day before such a second."""
        assert self._day is not None
        moments = dict(zip(sample.values("StudyInstanceUID"), sample.values("StudyTime"), strict=True))
        known = {uid: moment for uid, moment in moments.items() if moment is not None}
        if not known:
            yield note("no_such_time", "no StudyTime came with the day's studies: whether it is matched cannot be seen")
            return
        ordered = sorted(known.values())
        second = matching.unseen_second(set(ordered), ordered[len(ordered) // 2])
        never = await self._studies(da(self._day), {"StudyTime": f"{second:%H%M%S}"})
        others = [at for at in never.values("StudyTime") if at is not None and at.replace(microsecond=0) != second]
        yield matching.impossible("no_such_time", "StudyTime", never, len(others))
        if others or not never.is_usable:
            return
        before = await self._studies(da(self._day), {"StudyTime": f"000000-{second:%H%M%S}"})
        later = [at for at in before.values("StudyTime") if at is not None and at.replace(microsecond=0) > second]
        expected = {uid for uid, at in known.items() if at < second}
        yield matching.narrowed("time_range", "StudyTime", before, expected, len(later))

    async def _modality(self, sample: Answer) -> AsyncIterator[Verdict]:
        assert self._day is not None
        listed = zip(sample.values("StudyInstanceUID"), sample.values("ModalitiesInStudy"), strict=True)
        of = {uid: modalities for uid, modalities in listed if modalities and modalities[0]}
        if not of:
            return
        modality = max(of.values(), key=len)[-1]
        answer = await self._studies(da(self._day), {"ModalitiesInStudy": modality})
        wrong = [one for one in answer.values("ModalitiesInStudy") if one and modality not in one]
        expected = {uid for uid, modalities in of.items() if modality in modalities}
        yield matching.narrowed("modality", "ModalitiesInStudy", answer, expected, len(wrong))

    async def _below(self) -> AsyncIterator[Verdict]:
        if self._day is None:
            return
        uids = list(dict.fromkeys(uid for uid in self._answers[0].values("StudyInstanceUID") if uid))[:2]
        if not uids:
            yield returned.keys(Level.STUDY, self._answers[0])
            return
        first, both = {"StudyInstanceUID": uids[0]}, {"StudyInstanceUID": "\\".join(uids)}
        yield matching.one_study(await self._asker.ask(Level.STUDY, first, enough=FEW), set(uids[:1]))
        series = await self._asker.ask(Level.SERIES, first, enough=FEW)
        if len(uids) == 2:
            studies = await self._asker.ask(Level.STUDY, both, enough=FEW)
            yield matching.uid_list("uid_list", Level.STUDY, studies, set(uids))
            listed = await self._asker.ask(Level.SERIES, both, enough=FEW)
            yield matching.uid_list("series_list", Level.SERIES, listed, set(uids))
        star = await self._asker.ask(Level.SERIES, {**first, "SeriesInstanceUID": "*"}, enough=FEW)
        yield matching.star_uid(series, star)
        if self._asker.model is Model.STUDY_ROOT and Model.PATIENT_ROOT in self._models:
            yield await self._patient_root()
        yield returned.keys(Level.SERIES, series)
        known = [uid for uid in series.values("SeriesInstanceUID") if uid]
        if known:
            images = await self._asker.ask(Level.IMAGE, {**first, "SeriesInstanceUID": known[0]}, enough=FEW)
            yield returned.keys(Level.IMAGE, images)

    async def _patient_root(self) -> Verdict:
        assert self._day is not None
        query = Query(Model.PATIENT_ROOT, Level.STUDY, {"StudyDate": da(self._day)})
        await self._asker.close()  # the PACS may allow only one association
        try:
            assoc = await Association.open(self._peer, [Model.PATIENT_ROOT])
        except PeerError as error:
            return note("patient_studies", f"Patient Root was not asked: {type(error).__name__}")
        answer = await self._asker.once(assoc, query)
        await assoc.release()
        return matching.patient_root_studies(answer, len(self._answers[0]))

    async def _returned(self) -> AsyncIterator[Verdict]:
        if self._day is not None:
            sample, with_modality = self._answers[0], None
            yield returned.keys(Level.STUDY, sample)
            if not sample.filled[returned.MODALITIES_IN_STUDY]:
                illegal = attributes(replace(self._plan.profile, study_modality=True), Level.STUDY)
                keys = {"StudyDate": da(self._day)}
                with_modality = await self._asker.ask(Level.STUDY, keys, attributes=illegal)
            yield returned.modalities(sample, with_modality)
            yield returned.counts(sample)
            yield returned.charset(self._answers, self._peer.name)
            yield returned.malformed(self._answers)
            yield returned.duplicates(self._answers)
        if self.queries:
            yield returned.whole_answers(self._asker.broken, self.queries, self._peer.name, self._us)
        if self._ranges:
            yield await self._cap()

    async def _cap(self) -> Verdict:
        if not self._plan.broad:
            return returned.suspicion([len(answer) for answer in self._answers if answer.is_whole])
        today = da(self._plan.today)
        whole = await self._asker.ask(Level.STUDY, {"StudyDate": f"19000101-{today}"}, attributes=_LIGHT, enough=BROAD)
        cut = returned.middle(whole.values("StudyDate"))
        halves = (f"19000101-{da(cut)}", f"{da(cut + timedelta(1))}-{today}") if cut and not whole.cut else ()
        parts = [
            await self._asker.ask(Level.STUDY, {"StudyDate": half}, attributes=_LIGHT, enough=BROAD) for half in halves
        ]
        return returned.cap(whole, parts, self._peer.name)

    async def _studies(self, days: str, more: dict[str, str] | None = None) -> Answer:
        return await self._asker.ask(Level.STUDY, {"StudyDate": days, **(more or {})})


def _why(error: OSError, patience: float) -> str:
    """Say why a connection did not come about."""
    match error:
        case TimeoutError():
            return f"no answer within {patience:g} s"
        case ConnectionRefusedError():
            return "nothing listens there"
        case socket.gaierror():
            return "the host name cannot be resolved"
        case _:
            return os.strerror(error.errno) if error.errno else str(error)


def _dated(answer: Answer) -> int:
    return len(answer) - int(answer.rows["StudyDate"].null_count)
