"""The sections of `pacslake.toml` as typed, frozen tables. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationInfo,
    field_serializer,
    model_validator,
)

from crawler.attributes import Told, resolve, with_blocks
from crawler.columns import Attribute, Phi
from crawler.errors import UserError
from crawler.identity import NamedFile
from crawler.model import AETitle, Level, Limits, Model, Peer, Quota
from crawler.phi import Rules, Treatment
from crawler.place import Place, checked_url, is_url
from crawler.settings.alerts import AlertSettings, SmtpSettings
from crawler.settings.finding import CallerSettings, DestinationSettings, FindScpSettings
from crawler.settings.hours import AllowedHours, Holiday
from crawler.settings.sentences import nearest
from crawler.settings.serving import ServeSettings, TrustedProxySettings
from crawler.settings.tls import ListeningSettings
from crawler.settings.values import (
    AEText,
    AnySecret,
    CrawledLevel,
    Cron,
    DeclaredTerms,
    DefinedTerms,
    Endpoint,
    Folder,
    Host,
    Interval,
    Jitter,
    Keyword,
    LakeFolder,
    Memory,
    OptionalKeyword,
    Port,
    Seconds,
    SenderText,
    TimeZone,
)
from crawler.settings.web import WebSettings

_DEFAULTS = Limits()

_LEARNED = (
    "dates_only",
    "one_query_per_association",
    "study_modality",
    "undated_in_ranges",
    "exclusive_ends",
    "always_timed",
    "uid_lists",
    "relational",
)
"""Keys of `[pacs.NAME]` that bear the name of a field of the profile."""

_OF_STUDIES = frozenset(("levels", "extra_keys", "study_modality", "uid_lists", "relational"))
"""Keys that mean nothing where a worklist is asked."""


def _frozen(words: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if words is None else frozenset(words)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class LakeSettings(_Table):
    """`[lake]`: where the tables are, and who may read them beside the user that writes them.

    `path` is always a folder: of a lake on object storage its working copy.
    """

    cache: Folder | None = None
    endpoint: Endpoint | None = None
    region: str | None = None
    ca_file: Folder | None = None
    timeout: Seconds = 30.0
    path: LakeFolder
    create: bool = True
    """Whether a lake that is not there is made; otherwise that is an error."""
    readable_by: Literal["owner", "group", "everybody"] = "owner"

    _url: str | None = PrivateAttr(default=None)

    @model_validator(mode="wrap")
    @classmethod
    def _keeps_its_url(cls, told: Any, handler: ModelWrapValidatorHandler[LakeSettings]) -> LakeSettings:
        made = handler(told)
        if isinstance(told, dict) and is_url(str(told.get("path"))):
            made._url = checked_url(told["path"])
        elif wrong := sorted(made.model_fields_set & {"cache", "endpoint", "region", "ca_file", "timeout"}):
            raise ValueError(f"path is a folder: leave {' and '.join(wrong)} out, or name a bucket")
        return made

    @field_serializer("path")
    def _path_as_set(self, path: Path) -> str:
        return self._url or str(path)

    @property
    def place(self) -> Place | None:
        """Where the lake is on object storage; None where it is at home in its folder."""
        if self._url is None:
            return None
        return Place(self._url, self.endpoint, self.region, str(self.ca_file) if self.ca_file else None, self.timeout)

    @property
    def umask(self) -> int:
        """What nobody else may do with what is written."""
        return {"owner": 0o077, "group": 0o027, "everybody": 0o022}[self.readable_by]


class LocalSettings(ListeningSettings):
    """`[local]`: who we are."""

    ae_title: AEText = AETitle("PACSLAKE")
    port: Port = 11112
    time_zone: TimeZone = "UTC"
    holidays: Annotated[tuple[Holiday, ...], Field(strict=False)] = ()
    kill_switch: Folder | None = None
    store_path: Annotated[Folder, Field(validate_default=True)] = Path("store")
    allowed_senders: Annotated[tuple[SenderText, ...], Field(strict=False)] = ()
    accept_unsolicited: bool = False
    largest_object: Memory = _DEFAULTS.max_received
    max_gb_per_day: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    max_objects_per_day: Annotated[int, Field(ge=0)] = 0

    @property
    def quota(self) -> Quota | None:
        """What one AE title may send in a day; None for any amount."""
        size = int((self.max_gb_per_day or 0) * 10**9)
        return Quota(self.max_objects_per_day, size) if size or self.max_objects_per_day else None


class AddedAttribute(_Table):
    """One entry of `[attributes]`: an attribute beyond the catalogue's."""

    attribute: str
    name: str | None = None
    creator: str | None = None
    vr: str | None = None
    multi: bool | None = None
    phi: Annotated[Phi, Field(strict=False)] | None = None
    meaning: str | None = None

    def at(self, level: Level) -> Attribute:
        """Give what it adds to a level's catalogue. ValueError where that is not clear."""
        return resolve(Told(**self.model_dump()), level)


def _entry(value: object, info: ValidationInfo) -> object:
    """Take a keyword, tag or path alone for a table with nothing else, and check it."""
    entry = AddedAttribute.model_validate({"attribute": value} if isinstance(value, str) else value)
    entry.at(Level(str(info.field_name)))
    return entry


Entries = Annotated[tuple[Annotated[AddedAttribute, BeforeValidator(_entry)], ...], Field(strict=False)]


class AttributesSettings(_Table):
    """`[attributes]`: what is asked for at each level beyond the catalogue, and becomes columns of its tables."""

    study: Entries = ()
    series: Entries = ()
    image: Entries = ()

    def resolved(self) -> tuple[tuple[Level, Attribute], ...]:
        """Give all of them as parts of the catalogue."""
        told = [(Level(name), entry) for name in type(self).model_fields for entry in getattr(self, name)]
        return with_blocks((level, entry.at(level)) for level, entry in told)


class PacsSettings(WebSettings):
    """`[pacs.NAME]`: one PACS, and what it may be asked."""

    host: Host
    port: Port
    ae_title: AEText
    levels: Annotated[tuple[CrawledLevel, ...], Field(strict=False, min_length=1)] = (Level.STUDY, Level.SERIES)
    max_associations: Annotated[int, Field(ge=1, le=100)] = 2
    max_queries_per_minute: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    duty_cycle: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1.0
    allowed_hours: AllowedHours | None = None
    model: Annotated[Model, Field(strict=False)] = Model.STUDY_ROOT
    default_charset: DefinedTerms = ""
    declared_charsets: dict[DeclaredTerms, DefinedTerms] = {}
    connect_timeout: Seconds = _DEFAULTS.connect_timeout
    idle_timeout: Seconds = _DEFAULTS.idle_timeout
    total_timeout: Seconds = _DEFAULTS.total_timeout
    sweep_timeout: Seconds = 7 * 86400.0
    max_pdu: Annotated[int, Field(ge=4096, le=16 * 1024 * 1024)] = _DEFAULTS.max_pdu
    retrieve_by: Literal["move", "get"] = "move"
    retrieve_idle_timeout: Seconds = 300.0
    retrieve_patience: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] = 1.0

    cap: Annotated[int, Field(ge=0)] | None = None
    unsupported_keys: Annotated[tuple[Keyword, ...], Field(strict=False)] | None = None
    omit_keys: Annotated[tuple[OptionalKeyword, ...], Field(strict=False)] | None = None
    extra_keys: Annotated[tuple[Keyword, ...], Field(strict=False)] | None = None
    dates_only: bool | None = None
    one_query_per_association: bool | None = None
    study_modality: bool | None = None
    undated_in_ranges: bool | None = None
    exclusive_ends: bool | None = None
    always_timed: bool | None = None
    uid_lists: bool | None = None
    relational: bool | None = None

    _added: tuple[tuple[Level, Attribute], ...] = PrivateAttr(default=())

    @model_validator(mode="after")
    def _fits_its_model(self) -> PacsSettings:
        wrong = sorted(self.model_fields_set & _OF_STUDIES) if self.model is Model.WORKLIST else ()
        if wrong:
            raise ValueError(f"is a worklist, which has nothing below it: leave {' and '.join(wrong)} out")
        return self

    @property
    def charsets(self) -> dict[str, str]:
        """What this PACS means by each character set that it declares; '' is what it declares of none."""
        return {"": self.default_charset, **self.declared_charsets}

    @property
    def overrides(self) -> dict[str, Any]:
        """What is set here of a PACS's profile, by the names of the profile's fields; it wins over what was learned.

        `[attributes]` is among it, although it holds for every PACS: what a PACS is asked for is its profile's.
        """
        given: dict[str, Any] = {
            "unsupported": _frozen(self.unsupported_keys),
            "omit": _frozen(self.omit_keys),
            "extra": self.extra_keys,
            "added": self._added or None,
            **{name: getattr(self, name) for name in _LEARNED},
        }
        known = {name: value for name, value in given.items() if value is not None}
        return known if self.cap is None else {**known, "cap": self.cap or None}

    @property
    def limits(self) -> Limits:
        """What this PACS may do before an association is cut."""
        return Limits(self.connect_timeout, self.idle_timeout, self.total_timeout, self.max_pdu)


class CohortSettings(_Table):
    """`[cohorts.NAME]`: a standing cohort, frozen anew whenever the lake has other series for it."""

    sql: Annotated[str, Field(min_length=1)]
    parameters: dict[str, str] = {}
    pacs: str | None = None
    take_ambiguous: bool = False
    retrieve: Literal["auto", "no"] = "no"
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    max_gb: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None


class JobSettings(_Table):
    """`[jobs.NAME]`: what the clock starts. `pacs` names whom it concerns; without it, every PACS."""

    kind: Literal["sweep", "reconcile", "retrieve", "maintain", "check"]
    pacs: Annotated[tuple[str, ...], Field(strict=False)] = ()
    cohorts: Annotated[tuple[str, ...], Field(strict=False)] = ()
    cron: Cron | None = None
    interval: Interval | None = None
    jitter: Jitter = timedelta()
    lookback_days: Annotated[int, Field(ge=1, le=36525)] = 7
    reconcile_days: Annotated[int, Field(ge=0, le=36525)] = 30
    keep_history_days: Annotated[int, Field(ge=0, le=36525)] | None = None

    @model_validator(mode="after")
    def _has_one_schedule(self) -> JobSettings:
        if (self.cron is None) == (self.interval is None):
            raise ValueError("must have either cron or interval")
        if self.cohorts and self.kind != "retrieve":
            raise ValueError('names cohorts, which only kind = "retrieve" brings')
        return self


class PhiSettings(_Table):
    """`[phi]`: what of patients the lake keeps."""

    key_file: AnySecret = Field(default="phi.key", validate_default=True)
    direct: Annotated[Treatment, Field(strict=False)] = Treatment.HASH
    quasi: Annotated[Treatment, Field(strict=False)] = Treatment.KEEP
    columns: dict[str, Annotated[Treatment, Field(strict=False)]] = {}

    @property
    def rules(self) -> Rules:
        """Give what it says, without the key."""
        return Rules(self.direct, self.quasi, self.columns)


class DeidSettings(_Table):
    """`[deid]`: what leaves the lake for research."""

    key_file: AnySecret = Field(default="deid.key", validate_default=True)


class Settings(_Table):
    """The whole file."""

    lake: LakeSettings
    local: Annotated[LocalSettings, Field(default_factory=dict, validate_default=True)]
    attributes: AttributesSettings = AttributesSettings()
    pacs: dict[str, PacsSettings] = {}
    cohorts: dict[str, CohortSettings] = {}
    jobs: dict[str, JobSettings] = {}
    phi: PhiSettings | None = None
    deid: Annotated[DeidSettings, Field(default_factory=dict, validate_default=True)]
    serve: ServeSettings = ServeSettings()
    find_scp: FindScpSettings = FindScpSettings()
    alerts: dict[str, AlertSettings] = {}
    smtp: SmtpSettings | None = None

    def model_post_init(self, _context: Any) -> None:
        """Tell each PACS what it is asked for beyond the catalogue."""
        added = self.attributes.resolved()
        for pacs in self.pacs.values():
            pacs._added = added

    def peer(self, name: str) -> Peer:
        """Say how to call the PACS of this name. UserError when there is none."""
        self.require_pacs([name])
        pacs = self.pacs[name]
        return Peer(
            name,
            *(pacs.host, pacs.port, pacs.ae_title, self.local.ae_title, pacs.limits),
            tls=pacs.tls_call(f"pacs.{name}", pacs.host, None if pacs.web else self.local.identity("local")),
            user=pacs.user,
            web=pacs.web,
        )

    @property
    def certificates(self) -> tuple[NamedFile, ...]:
        """Name every file of certificates that is set."""
        kinds = ("tls_certificate", "tls_client_ca", "ca_file", "certificate_file")
        sections: dict[str, BaseModel] = {"local": self.local, "find_scp": self.find_scp, "serve": self.serve}
        sections |= {f"pacs.{name}": one for name, one in self.pacs.items()}
        named = ((f"{name}.{kind}", getattr(one, kind, None)) for name, one in sections.items() for kind in kinds)
        return tuple(NamedFile(path, setting) for setting, path in named if path)

    def require_pacs(self, names: Iterable[str]) -> None:
        """UserError when a name is not that of a configured PACS."""
        for name in names:
            if name not in self.pacs:
                raise UserError(f"there is no PACS named {name!r}{nearest(name, self.pacs)}")


_TABLES: dict[tuple[str, ...], type[BaseModel]] = {
    (): Settings,
    ("lake",): LakeSettings,
    ("local",): LocalSettings,
    ("attributes",): AttributesSettings,
    ("attributes", "*", "*"): AddedAttribute,
    ("pacs", "*"): PacsSettings,
    ("pacs", "*", "*"): AllowedHours,
    ("cohorts", "*"): CohortSettings,
    ("jobs", "*"): JobSettings,
    ("phi",): PhiSettings,
    ("deid",): DeidSettings,
    ("serve",): ServeSettings,
    ("find_scp",): FindScpSettings,
    ("find_scp", "callers", "*"): CallerSettings,
    ("find_scp", "destinations", "*"): DestinationSettings,
    ("alerts", "*"): AlertSettings,
    ("smtp",): SmtpSettings,
    ("serve", "*"): TrustedProxySettings,
}

KEYS = {path: tuple(table.model_fields) for path, table in _TABLES.items()}
"""The known keys of each section, `*` for a name or a place in its path."""
