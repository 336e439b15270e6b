"""Which series somebody means who knows a patient, a day and a description. Touches: disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING

from crawler.errors import UserError
from crawler.words import many

if TYPE_CHECKING:
    import duckdb

SHOWN = 20
_FIELDS = {
    "patient_id": "PatientID = $patient_id",
    "study_date": "StudyDate = $study_date",
    "accession_number": "AccessionNumber = $accession_number",
    "study_uid": "StudyInstanceUID = $study_uid",
    "series_uid": "SeriesInstanceUID = $series_uid",
    "series_number": "SeriesNumber = $series_number",
    "modality": "Modality = upper($modality)",
    "pacs": "pacs = $pacs",
}
_SERIES = """SELECT pacs, StudyInstanceUID, SeriesInstanceUID, Modality, SeriesNumber, SeriesDescription,
        NumberOfSeriesRelatedInstances
    FROM series JOIN (SELECT pacs, StudyInstanceUID, PatientID, StudyDate, AccessionNumber FROM studies) AS study
        USING (pacs, StudyInstanceUID)
    WHERE {condition} ORDER BY StudyInstanceUID, SeriesNumber NULLS LAST, SeriesInstanceUID, pacs"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A series that may be meant."""

    pacs: str
    study_uid: str
    series_uid: str
    modality: str | None
    number: int | None
    description: str | None
    instances: int | None

    def __str__(self) -> str:
        """Show it to the person who asked."""
        told = (self.series_uid, self.pacs, self.modality or "?", "" if self.number is None else f"no. {self.number}")
        count = "" if self.instances is None else many(self.instances, "instance")
        return "  ".join(filter(None, (*told, repr(self.description or "")[1:-1], count)))


class SeveralSeriesError(UserError):
    """The question fits several series, `candidates`. The message is for who asked and for no log: it quotes a PACS."""

    def __init__(self, problem: str, candidates: Sequence[Candidate]) -> None:
        lines = [f"  {one}" for one in candidates[:SHOWN]]
        more = [f"  and {len(candidates) - SHOWN:,} more"] if len(candidates) > SHOWN else []
        super().__init__("\n".join([problem, *lines, *more]))
        self.candidates = list(candidates)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known of the series that is meant; None is not known."""

    patient_id: str | None = None
    study_date: date | str | None = None
    series_description: str | None = None
    """As a whole, whatever the case; where none is called so, a part of it."""
    modality: str | None = None
    series_number: int | None = None
    accession_number: str | None = None
    study_uid: str | None = None
    series_uid: str | None = None
    pacs: str | None = None

    def answer(self, connection: duckdb.DuckDBPyConnection) -> Candidate:
        """Find the one series that is meant. UserError where none fits, SeveralSeriesError where several do."""
        known = {name: value for name, value in asdict(self).items() if value is not None}
        wanted = known.pop("series_description", None)
        if not known:
            raise UserError("say which series: a patient_id with a study_date, an accession_number, a series_uid …")
        condition = " AND ".join(_FIELDS[name] for name in known)
        rows = connection.execute(_SERIES.format(condition=condition), known).fetchall()
        beside = [Candidate(*row) for row in rows]
        found = _called(beside, wanted) if wanted is not None else beside
        if not found and beside:
            raise SeveralSeriesError("no series has this description; there are:", beside)
        if not found:
            raise UserError("no series in the lake fits")
        if len({one.series_uid for one in found}) > 1:
            raise SeveralSeriesError(f"{len(found)} series fit; name one by its series_uid:", found)
        return found[0]


def _called(candidates: Sequence[Candidate], description: str) -> list[Candidate]:
    wanted = " ".join(description.casefold().split())
    names = [" ".join((one.description or "").casefold().split()) for one in candidates]
    whole = [one for one, name in zip(candidates, names, strict=True) if name == wanted]
    return whole or [one for one, name in zip(candidates, names, strict=True) if wanted in name]
