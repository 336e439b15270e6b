"""`pacslake.toml` as typed values. Whatever is wrong in it becomes one sentence that names the file and the key.

Importing this costs 70 ms (pydantic), so commands that need no settings do not. Touches: disk (one file is read).
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
)

from crawler.attributes import Told, contradiction, resolve, with_blocks
from crawler.columns import CATALOGUE, Attribute, Phi
from crawler.errors import UserError
from crawler.model import AETitle, Level, Limits, Model, Peer

_DEFAULTS = Limits()


def _ae_title(text: str) -> str:
    """Check an AE title (PS3.5 6.2, AE); leading and trailing spaces mean nothing and are dropped."""
    title = text.strip(" ")
    if not title:
        raise ValueError("must not be empty or blank")
    if len(title) > 16:
        raise ValueError("must have 16 characters at most")
    if "\\" in title or not all(" " <= character <= "~" for character in title):
        raise ValueError("must be ASCII without backslash and control characters")
    return title


def _crawled(level: object) -> Level:
    """Check that a level can be crawled: patients come with their studies."""
    if level not in ("study", "series", "image"):
        raise ValueError("must be 'study', 'series' or 'image'")
    return Level(level)


def _host(text: str) -> str:
    if not text or re.search(r"[\s/]", text):
        raise ValueError("must be a host name or an IP address")
    return text


def _keyword(text: str) -> str:
    known = {key.keyword for keys in CATALOGUE.values() for key in keys}
    if text not in known:
        raise ValueError(
            f"must be the keyword of an attribute that we ask for, as 'StudyTime'{_suggested(text, known)}"
        )
    return text


def _optional_keyword(text: str) -> str:
    """Check a keyword that may be left out: an answer without its unique key is of no use."""
    if text in ("SpecificCharacterSet", *(level.unique_key for level in (Level.STUDY, Level.SERIES, Level.IMAGE))):
        raise ValueError("must be an attribute that answers can do without")
    return _keyword(text)


def _suggested(wrong: str, right: Iterable[str]) -> str:
    near = difflib.get_close_matches(wrong, sorted(right), n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _defined_term(text: str) -> str:
    if not re.fullmatch(r"[A-Z0-9_ ]{0,16}(\\[A-Z0-9_ ]{0,16})*", text):
        raise ValueError("must be a value of SpecificCharacterSet, as 'ISO_IR 100'")
    return text


def _cron(text: str) -> str:
    if not re.fullmatch(r"[\w*/,-]+( +[\w*/,-]+){4}", text.strip()):
        raise ValueError("must have five fields: minute, hour, day of month, month, day of week")
    return text.strip()


def _folder(path: Path, info: ValidationInfo) -> Path:
    """Take a relative path from the folder of the settings file."""
    if "://" in str(path) or ":/" in str(path):
        raise ValueError("must be a folder")
    if path == Path():
        raise ValueError("must not be empty")
    context: dict[str, Path] = info.context or {}
    return context.get("folder", Path()) / path.expanduser()


AEText = Annotated[AETitle, Field(strict=True), AfterValidator(_ae_title)]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=7 * 86400, allow_inf_nan=False)]
Keyword = Annotated[str, AfterValidator(_keyword)]
OptionalKeyword = Annotated[str, AfterValidator(_optional_keyword)]
CrawledLevel = Annotated[Level, BeforeValidator(_crawled)]


_LEARNED = (
    "dates_only",
    "one_query_per_association",
    "study_modality",
    "undated_in_ranges",
    "exclusive_ends",
    "always_timed",
    "uid_lists",
)
"""Keys of `[pacs.NAME]` that bear the name of a field of the profile."""


def _frozen(words: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if words is None else frozenset(words)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class LakeSettings(_Table):
    """`[lake]`: where the tables are."""

    path: Annotated[Path, Field(strict=False), AfterValidator(_folder)]


class LocalSettings(_Table):
    """`[local]`: who we are."""

    ae_title: AEText = AETitle("PACSLAKE")
    port: Port = 11112


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


class PacsSettings(_Table):
    """`[pacs.NAME]`: one PACS, and what it may be asked."""

    host: Annotated[str, AfterValidator(_host)]
    port: Port
    ae_title: AEText
    levels: Annotated[tuple[CrawledLevel, ...], Field(strict=False, min_length=1)] = (Level.STUDY, Level.SERIES)
    max_associations: Annotated[int, Field(ge=1, le=100)] = 2
    model: Annotated[Model, Field(strict=False)] = Model.STUDY_ROOT
    default_charset: Annotated[str, AfterValidator(_defined_term)] = ""
    connect_timeout: Seconds = _DEFAULTS.connect_timeout
    idle_timeout: Seconds = _DEFAULTS.idle_timeout
    total_timeout: Seconds = _DEFAULTS.total_timeout
    max_pdu: Annotated[int, Field(ge=4096, le=16 * 1024 * 1024)] = _DEFAULTS.max_pdu

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

    _added: tuple[tuple[Level, Attribute], ...] = PrivateAttr(default=())

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


class JobSettings(_Table):
    """`[jobs.NAME]`: what the clock starts. `pacs` names whom it concerns; without it, every PACS."""

    kind: Literal["sweep"]
    pacs: Annotated[tuple[str, ...], Field(strict=False)] = ()
    cron: Annotated[str, AfterValidator(_cron)]
    lookback_days: Annotated[int, Field(ge=1, le=36525)] = 7
    reconcile_days: Annotated[int, Field(ge=0, le=36525)] = 30


class Settings(_Table):
    """The whole file."""

    lake: LakeSettings
    local: LocalSettings = LocalSettings()
    attributes: AttributesSettings = AttributesSettings()
    pacs: dict[str, PacsSettings] = {}
    jobs: dict[str, JobSettings] = {}

    def model_post_init(self, _context: Any) -> None:
        """Tell each PACS what it is asked for beyond the catalogue."""
        added = self.attributes.resolved()
        for pacs in self.pacs.values():
            pacs._added = added

    def peer(self, name: str) -> Peer:
        """Say how to call the PACS of this name. UserError when there is none."""
        self.require_pacs([name])
        pacs = self.pacs[name]
        return Peer(name, pacs.host, pacs.port, pacs.ae_title, self.local.ae_title, pacs.limits)

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
    ("jobs", "*"): JobSettings,
}


def load(path: Path) -> Settings:
    """Read and check a settings file. UserError, in one sentence, for whatever is wrong with it."""
    text = _read(path)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path}: {_syntax_error(str(error), text)}") from None
    try:
        settings = Settings.model_validate(content, context={"folder": path.absolute().parent})
    except ValidationError as error:
        unknown_first = sorted(error.errors(include_url=False), key=lambda one: one["type"] != "extra_forbidden")
        first, *others = unknown_first
        more = f" ({len(others)} more after this one)" if others else ""
        raise UserError(f"{path}: {_sentence(first)}{more}") from None
    _check_names(path, settings)
    return settings


def nearest(wrong: str, right: Iterable[str]) -> str:
    """Suggest what was meant, as the end of a sentence: the nearest of the right words, or all of them."""
    words = sorted(right)
    near = difflib.get_close_matches(wrong.lower(), words, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known are {', '.join(words)}" if words else "; none is known"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file; `pacslake init` writes one") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None


def _check_names(path: Path, settings: Settings) -> None:
    """Check what one key alone cannot show: names that stand twice, names that stand for nothing."""
    for table in ("pacs", "jobs"):
        seen: dict[str, str] = {}
        for name in getattr(settings, table):
            if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
                raise UserError(f"{path}: {table}.{name!r}: a name has letters, digits, - and _ only, 64 at most")
            if (twin := seen.setdefault(name.lower(), name)) != name:
                raise UserError(f"{path}: {table}.{name} and {table}.{twin} are the same name")
    if wrong := contradiction(settings.attributes.resolved()):
        raise UserError(f"{path}: {wrong}")
    for job, value in settings.jobs.items():
        for name in value.pacs:
            if name not in settings.pacs:
                hint = nearest(name, settings.pacs)
                raise UserError(f"{path}: jobs.{job}.pacs: there is no PACS named {name!r}{hint}")


def _syntax_error(message: str, text: str) -> str:
    """Put tomllib's message as a sentence that names the key, where it is about a key that stands twice."""
    if section := re.search(r"Cannot declare \((.*)\) twice", message):
        words = ".".join(re.findall(r"'([^']*)'", section[1]))
        return f"{words} stands twice{_place(message)}"
    if "Cannot overwrite a value" in message:
        return f"{_key_at(text, message)} stands twice{_place(message)}"
    return f"is not TOML: {message[:1].lower()}{message[1:]}"


def _place(message: str) -> str:
    line = re.search(r"at line (\d+)", message)
    return f" (line {line[1]})" if line else ""


def _key_at(text: str, message: str) -> str:
    """Give the path of the key assigned in the line that a message is about, by the section header above it."""
    line = re.search(r"at line (\d+)", message)
    lines = text.rstrip().splitlines()[: int(line[1]) if line else None]
    key = lines[-1].partition("=")[0].strip()
    headers = (found[1] for found in map(re.compile(r"\s*\[([^\[\]]+)\]").match, reversed(lines)) if found)
    section = next(headers, "")
    return f"{section}.{key}" if section else key


_MEANINGS = {
    "missing": "is missing",
    "string_type": "must be text in quotes",
    "path_type": "must be text in quotes",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "tuple_type": "must be a list, as ['one', 'two']",
    "model_type": "must be a section with keys of its own",
    "dict_type": "must be a section with keys of its own",
    "too_short": "must not be empty",
    "finite_number": "must be a finite number",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "value_error": "{error}",
}


def _sentence(error: Any) -> str:
    """Say what pydantic found at one key."""
    place: tuple[str | int, ...] = error["loc"]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
    if error["type"] == "extra_forbidden":
        return f"{path} is not a known key{nearest(str(place[-1]), _known_keys(place[:-1]))}"
    meaning = _MEANINGS.get(error["type"], error["msg"]).format(**error.get("ctx", {}))
    value = error["input"]
    shown = f", not {value!r}" if isinstance(value, str | int | float) and len(repr(value)) <= 40 else ""
    return f"{path} {meaning}{shown}"


def _known_keys(place: tuple[str | int, ...]) -> list[str]:
    section = tuple("*" if depth else str(part) for depth, part in enumerate(place))
    return list(_TABLES[section].model_fields)
