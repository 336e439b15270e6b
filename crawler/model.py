"""The values that rooms hand each other. Pure; imports nothing heavy, because every command pays for it."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import NewType

from crawler.identity import TlsCall, UserIdentity
from crawler.secret import Secret

AETitle = NewType("AETitle", str)

IMPLEMENTATION_UID = "2.25.232434219071917373286396018262413092911"
IMPLEMENTATION_NAME = "PACSLAKE_1"
"""What made a file or asks for an association (PS3.7 D.3.3.2). Never the release: the same must be the same in any."""


class Level(StrEnum):
    """A query/retrieve level (PS3.4 C.6.1.1), named as on the command line."""

    PATIENT = "patient"
    STUDY = "study"
    SERIES = "series"
    IMAGE = "image"
    WORKLIST = "worklist"
    """No level of a hierarchy: items of a Modality Worklist (PS3.4 K.6.1), whose requests name no level."""

    @property
    def query_retrieve_level(self) -> str:
        """The value of QueryRetrieveLevel (0008,0052), `IMAGE` say."""
        return self.value.upper()

    @property
    def entity(self) -> str:
        """What one row of this level is in the lake's log: `patient`, `study`, `series` or `instance`."""
        return "instance" if self is Level.IMAGE else self.value

    @property
    def unique_key(self) -> str:
        """The keyword of the level's unique key (PS3.4 C.6.1.1); of a worklist the column made of two."""
        return _UNIQUE_KEYS[self]


_UNIQUE_KEYS = {
    Level.PATIENT: "PatientID",
    Level.STUDY: "StudyInstanceUID",
    Level.SERIES: "SeriesInstanceUID",
    Level.IMAGE: "SOPInstanceUID",
    Level.WORKLIST: "worklist_item",
}

HIERARCHY = (Level.PATIENT, Level.STUDY, Level.SERIES, Level.IMAGE)
"""The levels of the query/retrieve models, from the top down."""


class Model(StrEnum):
    """An information model of C-FIND (PS3.4 C.6, K.6)."""

    PATIENT_ROOT = "patient"
    STUDY_ROOT = "study"
    PATIENT_STUDY_ONLY = "patient_study"
    """Retired, and PATIENT and STUDY level alone."""
    WORKLIST = "worklist"
    """Modality Worklist (PS3.4 K.6.1): what is scheduled, and nothing below it."""

    @property
    def known_as(self) -> str:
        """The name that people know it by."""
        known = {Model.PATIENT_STUDY_ONLY: "Patient/Study Only", Model.WORKLIST: "Modality Worklist"}
        return known.get(self, f"{self.value.title()} Root")

    @property
    def dated_level(self) -> Level:
        """The level that is asked for by days."""
        return Level.WORKLIST if self is Model.WORKLIST else Level.STUDY


class WindowState(StrEnum):
    """What is known of a window's answer; only `complete` is proof that nothing is missing."""

    COMPLETE = "complete"
    CAPPED = "capped"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"
    FILTER_IGNORED = "filter_ignored"
    SUSPICIOUS_ZERO = "suspicious_zero"


STATE_MARKS: dict[WindowState | None, str] = {
    WindowState.CAPPED: "C",
    WindowState.FILTER_IGNORED: "F",
    WindowState.SUSPICIOUS_ZERO: "Z",
    WindowState.REFUSED: "R",
    WindowState.INTERRUPTED: "I",
    None: "·",
    WindowState.COMPLETE: "█",
}
"""One character for each state, wherever days are drawn; None: never asked. What should trouble comes first."""


class SweepState(StrEnum):
    """How far a sweep has come; `complete` means that every one of its windows is."""

    RUNNING = "running"
    COMPLETE = "complete"
    PARTIAL = "partial"
    INTERRUPTED = "interrupted"


class JobState(StrEnum):
    """How a scheduled job ended, or that it has not been due yet."""

    WAITING = "waiting"
    """New in the settings: it is due from the next slot on."""
    COMPLETE = "complete"
    CAPPED = "capped"
    """Everything was asked for; some answers are known to be capped."""
    PARTIAL = "partial"
    FAILED = "failed"

    @property
    def settles(self) -> bool:
        """Whether the job is not due again before its next slot."""
        return self not in (JobState.PARTIAL, JobState.FAILED)


class Trouble(StrEnum):
    """What the service alerts people of, when it begins and when it has ended."""

    JOB_FAILED = "job_failed"
    SWEEP_PARTIAL = "sweep_partial"
    PACS_UNREACHABLE = "pacs_unreachable"
    LAKE_TROUBLE = "lake_trouble"
    DISK_LOW = "disk_low"
    SETTINGS_INVALID = "settings_invalid"
    OVERDUE = "overdue"
    CERTIFICATE_EXPIRES = "certificate_expires"


class Outcome(StrEnum):
    """How one C-FIND ended (PS3.4 C.4.1.1.4): what its final status means for whoever asked."""

    SUCCESS = "success"
    CANCELLED = "cancelled"
    TOO_MANY = "too_many"
    """Refused for its size (0xA700, 0xA701): ask for less."""
    FAILED = "failed"
    """Failed while processing (0xC000 to 0xCFFF, warnings): asking for less may help."""
    REFUSED = "refused"
    """Not authorised, not supported, identifier rejected: a person must change something."""
    UNKNOWN = "unknown"
    INTERRUPTED = "interrupted"
    """No final response came: connection lost, aborted or timed out."""


class Decision(StrEnum):
    """What somebody decided who looked at images that may show who the patient is."""

    RELEASE = "release"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Window:
    """A part of an archive that one STUDY query asks for. Days and times are wall-clock, both ends included.

    `None` leaves that end open. `time_from`/`time_to` are TM strings and stand only in one-day windows, because
    StudyDate and StudyTime match independently (PS3.4 C.2.2.2.5). `key` narrows further, as
    `ModalitiesInStudy=CT&PatientID=7*`.
    """

    date_from: date | None = None
    date_to: date | None = None
    time_from: str | None = None
    time_to: str | None = None
    key: str | None = None

    @property
    def conditions(self) -> dict[str, str]:
        """The keywords and values of its key, in their order."""
        pairs = (condition.partition("=") for condition in self.key.split("&")) if self.key else ()
        return {keyword: value for keyword, _, value in pairs}

    @property
    def undated(self) -> bool:
        """Whether it stands for the studies without a StudyDate, which no range of days is sure to find."""
        return self.conditions.get("StudyDate") == ""

    def meets(self, other: Window) -> bool:
        """Whether both speak of some day; what has no dates speaks of all."""
        return all(
            one.date_from is None or two.date_to is None or one.date_from <= two.date_to
            for one, two in ((self, other), (other, self))
        )

    def narrowed(self, keyword: str, value: str) -> Window:
        """Give the part of it that one more condition leaves."""
        condition = f"{keyword}={value}"
        return replace(self, key=f"{self.key}&{condition}" if self.key else condition)


UNDATED = Window(key="StudyDate=")
"""Asked without StudyDate: an empty key is universal matching (PS3.4 C.2.2.2.3). Rows with a date are dropped."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """One row of the `windows` ledger: what was asked of a PACS at one level, and what can be said of the answer."""

    pacs: str
    level: Level
    window: Window
    state: WindowState
    rows: int
    sweep_id: str
    asked_at: datetime
    took_ms: int
    status: int | None = None
    """The final C-FIND status (PS3.4 C.4.1.1.4), None when none came."""
    cap: int | None = None
    queries: int = 1
    duplicates: int = 0
    rejects: int = 0
    reason: str | None = None
    undated: int = 0
    """Rows of the answer that have no StudyDate."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of `pacs_profiles`: something learned about a PACS. `crawler/pacs/profile.py` knows the names."""

    pacs: str
    level: Level | None
    """None where it concerns every level."""
    name: str
    value: str
    evidence: str
    found_at: datetime


@dataclass(frozen=True, slots=True)
class SweepRecord:
    """One row of `sweeps`: a request to crawl, and how far it came."""

    sweep_id: str
    pacs: str
    levels: tuple[Level, ...]
    date_from: date | None
    date_to: date | None
    state: SweepState
    started_at: datetime
    finished_at: datetime | None = None
    windows: int = 0
    queries: int = 0
    studies: int = 0
    series: int = 0
    instances: int = 0
    inserted: int = 0
    updated: int = 0


@dataclass(frozen=True, slots=True)
class JobRun:
    """One row of `job_runs`: a job of the service that was done, and for which slot of its schedule."""

    job: str
    kind: str
    state: JobState
    due_at: datetime
    """The slot: the moment at which the schedule wanted it."""
    started_at: datetime
    finished_at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Identifiers:
    """Encoded C-FIND identifiers (PS3.4 C.4.1.1.3): one buffer, and where each begins and ends in it.

    `starts` and `ends` are ascending and do not overlap; gaps between them are allowed and mean nothing.
    """

    data: bytes | bytearray | memoryview
    starts: array[int]
    ends: array[int]
    explicit_vr: bool = False

    def __len__(self) -> int:
        return len(self.starts)

    @staticmethod
    def of(datasets: Sequence[bytes], *, explicit_vr: bool = False) -> Identifiers:
        """Join separate encoded datasets."""
        starts, ends, at = array("q"), array("q"), 0
        for dataset in datasets:
            starts.append(at)
            at += len(dataset)
            ends.append(at)
        return Identifiers(b"".join(datasets), starts, ends, explicit_vr)

    @staticmethod
    def joined(batches: Sequence[Identifiers]) -> Identifiers:
        """Join batches of one encoding into one."""
        starts, ends, at = array("q"), array("q"), 0
        for batch in batches:
            starts.extend([start + at for start in batch.starts])
            ends.extend([end + at for end in batch.ends])
            at += len(batch.data)
        return Identifiers(b"".join(batch.data for batch in batches), starts, ends, batches[0].explicit_vr)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer may do to us before the association is cut. Seconds and bytes."""

    connect_timeout: float = 10.0
    idle_timeout: float = 60.0
    """No byte received for this long while something is awaited."""
    total_timeout: float = 3600.0
    """One request may take this long from its first byte sent to its final response."""
    max_pdu: int = 131072
    """Largest P-DATA-TF that we accept, announced in the association request (PS3.8 D.1)."""
    max_object: int = 16 * 1024 * 1024
    """Largest command or identifier after reassembly."""
    max_received: int = 4 * 10**9
    """Largest object that goes to disk as it comes."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What one AE title may send in a day; 0 is any number."""

    objects: int = 0
    size: int = 0
    """Bytes."""

    def allows(self, taken: tuple[int, int]) -> bool:
        """Whether so many objects and bytes are not more than that."""
        return all(not most or count <= most for most, count in zip((self.objects, self.size), taken, strict=True))


@dataclass(frozen=True, slots=True)
class WebAccess:
    """How a PACS is asked by DICOMweb, where it is asked so."""

    url: str
    username: str | None = None
    secret: Secret | None = None
    """The password, or without a user name a bearer token."""
    page_rows: int = 1000
    """Datasets that one request asks for at most."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom to call and how: everything an association requestor needs."""

    name: str
    host: str
    port: int
    called_ae: AETitle
    calling_ae: AETitle
    limits: Limits = field(default_factory=Limits)
    tls: TlsCall | None = None
    """None where all goes in the clear."""
    user: UserIdentity | None = None
    web: WebAccess | None = None
    """None where it is asked by DICOM's own protocol."""
    is_configured: bool = True
    """Whether it is a section `[pacs.NAME]`, where a person can change what is set of it; else they typed it."""

    def setting(self, key: str) -> str:
        """Name what a person changes to call it otherwise."""
        return f"pacs.{self.name}.{key}" if self.is_configured else f"the {key.replace('ae_', 'AE ')} in {self.name}"
