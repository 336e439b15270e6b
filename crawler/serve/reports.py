"""What the pages and the interface show, and what they can have done: shapes, and who must provide them. Pure.

The same shapes are what the commands print with `--format json`.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal, Protocol

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

LevelName = Literal["study", "series", "image"]


class Verdict(BaseModel):
    """What is known of some days."""

    state: str = Field(description="A state of windows, or never_asked", examples=["complete"])
    level: str | None = Field(description="The first level that is not proven")
    reason: str | None


class Range(Verdict):
    """Days of which the same is known; null where a range has no end."""

    date_from: date | None
    date_to: date | None
    days: int | None
    command: str | None = Field(description="What mends it on the command line")


class PacsCoverage(BaseModel):
    """What is proven of one PACS."""

    pacs: str
    proven: bool
    levels: list[str]
    date_from: date | None
    date_to: date | None
    telling_from: date | None = Field(description="The first day with studies, or not proven; from here it is drawn")
    telling_to: date | None
    undated: Verdict | None
    ranges: list[Range]


class Coverage(BaseModel):
    """What is proven; `pacslake coverage`."""

    proven: bool
    pacs: list[PacsCoverage]


class Window(BaseModel):
    """One row of the coverage ledger."""

    pacs: str
    level: str
    date_from: date | None
    date_to: date | None
    time_from: str | None
    time_to: str | None
    key: str | None
    state: str
    rows: int | None
    status: int | None
    queries: int | None
    took_ms: int | None
    asked_at: datetime
    reason: str | None
    sweep_id: str


class Windows(BaseModel):
    """Windows that speak for a day, newest first; `pacslake windows`."""

    windows: list[Window]


class Cost(BaseModel):
    """What something costs about, going by earlier answers; null where nothing tells."""

    queries: int | None
    studies: int | None
    seconds: int | None


class Forecast(Cost):
    """Days that a backfill would ask for."""

    pacs: str
    date_from: date | None
    date_to: date | None
    days: int | None


class BackfillPlan(BaseModel):
    """What a backfill would ask for; `pacslake backfill --dry-run`."""

    ranges: list[Forecast]
    total: Cost


class Learned(BaseModel):
    """Something that was learned about a PACS."""

    level: str | None = Field(description="null where it concerns every level")
    name: str
    value: str
    evidence: str
    found_at: datetime


class Answering(BaseModel):
    """How a PACS answered in the last seven days, at one level."""

    level: str
    queries: int
    windows: int
    median_ms: float | None = Field(description="Per query")
    slowest_ms: float | None


class Limits(BaseModel):
    """What a PACS may be asked at most."""

    max_associations: int
    max_queries_per_minute: int
    duty_cycle: float
    allowed_hours: bool


class PacsHealth(BaseModel):
    """How it stands with one PACS."""

    pacs: str
    host: str
    port: int
    may_be_asked: bool
    now: str
    until: datetime | None
    pace: float
    failures: int
    limits: Limits
    paused: bool
    breaker_open: bool
    queries_last_hour: int
    answering: list[Answering]
    learned: list[Learned]


class Health(BaseModel):
    """How it stands with each PACS; `pacslake pacs list`."""

    pacs: list[PacsHealth]


class Sweep(BaseModel):
    """One sweep of one PACS."""

    sweep_id: str
    pacs: str
    levels: list[str]
    date_from: date | None
    date_to: date | None
    state: str
    started_at: datetime
    finished_at: datetime | None
    windows: int
    queries: int
    studies: int
    series: int
    instances: int
    inserted: int
    updated: int


class Part(BaseModel):
    """Something that a night will ask for."""

    what: str
    queries: dict[str, int] = Field(description="By level")


class Night(BaseModel):
    """What a night will ask one PACS, about, going by earlier answers."""

    pacs: str
    job: str | None
    known: bool = Field(description="Whether earlier answers tell how much it will be")
    begins: datetime | None = Field(description="null where it never does")
    ends: datetime | None
    seconds: int
    queries: dict[str, int] = Field(description="By level")
    parts: list[Part]


class Nights(BaseModel):
    """What the next nights will ask; `pacslake plan`."""

    plans: list[Night]


class LastSweep(BaseModel):
    """How the last sweep of a PACS ended; moments as in ISO 8601."""

    sweep_id: str
    state: str
    started_at: str
    finished_at: str | None


class PacsStatus(BaseModel):
    """What the lake holds of one PACS."""

    pacs: str
    last_sweep: LastSweep | None
    rows: dict[str, int] = Field(description="Current ones, by table")
    windows: dict[str, dict[str, int]] = Field(description="By level, then state")


class Status(BaseModel):
    """What the lake holds; `pacslake status`."""

    path: str
    version: int
    pacs: list[PacsStatus]


class Doing(BaseModel):
    """What the service does at this moment."""

    job: str
    since: datetime
    windows: int = Field(description="Settled since then")
    rows: int = Field(description="Rows in their answers")


class Sweeps(BaseModel):
    """The last sweeps, newest first; `pacslake sweeps`."""

    doing: Doing | None
    waiting: list[str] = Field(description="What was asked of the service and not begun yet")
    sweeps: list[Sweep]


class Facet(BaseModel):
    """One value of a dimension."""

    value: str | None
    rows: int
    instances: int | None


class Month(BaseModel):
    """Rows of one month and modality."""

    month: date | None
    modality: str | None
    rows: int


class Explored(BaseModel):
    """Counts of current rows under some conditions; `pacslake explore`."""

    level: str
    version: int | None = Field(description="The version of the lake that was counted, null while nothing was")
    counted_at: datetime | None
    behind: int = Field(description="Commits since then")
    rows: int
    instances: int | None
    facets: dict[str, list[Facet]]
    months: list[Month]


class Quality(BaseModel):
    """What is odd in the data; `pacslake quality`."""

    version: int | None
    counted_at: datetime | None
    behind: int
    faults: list[dict[str, Any]]
    late: list[dict[str, Any]]
    conflicts: list[dict[str, Any]]
    rejects: list[dict[str, Any]]


class Column(BaseModel):
    """One column of one table."""

    table: str
    column: str
    type: str
    tag: str
    vr: str
    creator: str
    level: str
    meaning: str
    null: str
    phi: str
    example: str
    name: str


class Days(BaseModel):
    """Which PACS and days are meant, both ends included; without them all."""

    pacs: list[str] = []
    date_from: date | None = None
    date_to: date | None = None
    level: LevelName | None = None


MonthOf = Annotated[
    date | None,
    BeforeValidator(lambda value: value or None),  # an empty field of a form
    AfterValidator(lambda day: day and day.replace(day=1)),
]
"""Any day stands for its month."""


class Conditions(BaseModel):
    """What to look at; an empty text stands for rows without a value."""

    level: Literal["study", "series"] = "series"
    month_from: MonthOf = None
    month_to: MonthOf = None
    pacs: str | None = None
    modality: str | None = None
    scanner: str | None = None
    body_part: str | None = None


class Reports(Protocol):
    """Whoever can tell all this. PacslakeError where it cannot be told."""

    def pacs_names(self) -> list[str]:
        """Name every PACS that is configured, or in the ledger."""

    def status(self) -> Status:
        """Give what `pacslake status` gives."""

    def coverage(self, asked: Days) -> Coverage:
        """Say what is proven."""

    def windows(self, pacs: str, day: date | None) -> Windows:
        """Give what was asked about a day; None: the studies without a date."""

    def backfill_plan(self, asked: Days) -> BackfillPlan:
        """Say what a backfill would ask for."""

    def health(self) -> Health:
        """Say how it stands with each PACS."""

    def plan(self) -> Nights:
        """Give what `pacslake plan` gives."""

    def sweeps(self, most: int) -> Sweeps:
        """Give the last sweeps, and what is being done."""

    def explored(self, wanted: Conditions) -> Explored:
        """Count current rows."""

    def quality(self) -> Quality:
        """Say what is odd in the data."""

    def dictionary(self, tables: list[str]) -> list[Column]:
        """Describe the columns of these tables, of all when none is named."""

    def settings(self) -> dict[str, Any]:
        """Give the settings as they hold, without secrets."""

    def documents(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Give each part of the documents: its caption, and name and title of its pages."""

    def document(self, name: str) -> tuple[str, str]:
        """Give the title of one and, in Markdown, its text."""

    def picture(self, name: str) -> bytes:
        """Give a picture of theirs, as PNG."""


class Actions(Protocol):
    """Whoever can have things done, and says what came of it. PacslakeError where it cannot be."""

    def pause(self, pacs: str, until: str | None, reason: str) -> str:
        """Have a PACS left alone, until a time or until it is resumed."""

    def resume(self, pacs: str) -> str:
        """Let a PACS be asked again."""

    def backfill(self, asked: Days, by: str) -> str:
        """Have the days asked for that are not proven, as soon as the service has time."""
