"""Recipes: how datasets are to be de-identified, as TOML. What is wrong in one becomes a sentence with the key's path.

Touches: disk (one file is read).
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydicom.datadict import dictionary_has_tag, dictionary_keyword, keyword_dict, tag_for_keyword

from crawler.deid.identifiers import CheckRules
from crawler.deid.pixels import PixelRules
from crawler.deid.table import Action, profile_action, vr_of
from crawler.errors import UserError
from crawler.settings.sentences import ENDLESS, nearest, sentence, syntax_error, syntax_place

_HERE = Path(__file__).resolve().parents[2]
SHIPPED = (_HERE / "config" / "deid", _HERE / "jobs" / "config" / "deid")
"""Where the recipes that come with pacslake lie: in a checkout, in an installed wheel."""

_IDENTITY = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SpecificCharacterSet")
_OURS = (
    "PatientName",
    "PatientID",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
)
_LENGTHS = {
    "CS": 16,
    "DS": 16,
    "IS": 12,
    "LO": 64,
    "LT": 10240,
    "PN": 64,
    "SH": 16,
    "ST": 1024,
    "UC": 1024,
    "UT": 10240,
}
_FORMS = {"CS": r"[A-Z0-9 _]*", "DS": r"[-+]?\d+(\.\d+)?", "IS": r"[-+]?\d+"}


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _tag(value: object) -> int:
    """Take a keyword or `(gggg,eeee)` for a tag. ValueError for what is none, and for what no recipe may say."""
    if not isinstance(value, str):
        raise ValueError("must be a keyword or a tag as '(0008,103E)'")
    numbers = re.fullmatch(r"\(?([0-9A-Fa-f]{4}),([0-9A-Fa-f]{4})\)?", value)
    found = int(numbers[1] + numbers[2], 16) if numbers else tag_for_keyword(value)
    if found is not None and found & 0x10000:
        raise ValueError("must not be private: options.retain_safe_private keeps those that are listed as safe")
    if found is None or not dictionary_has_tag(found):
        meant = difflib.get_close_matches(value, keyword_dict, n=1, cutoff=0.8)
        hint = f" (did you mean {meant[0]!r}?)" if meant else ""
        raise ValueError(f"must be a keyword or a tag of the DICOM dictionary{hint}")
    if dictionary_keyword(found) in (*_IDENTITY, *_OURS):
        raise ValueError("must be an attribute that pacslake does not set itself")
    return found


def _kept(tag: int) -> int:
    if vr_of(tag) == "PN":
        raise ValueError("must not name a person")
    if vr_of(tag) in ("DA", "DT"):
        raise ValueError("must not be a date: options.retain_modified_dates keeps them, shifted")
    if profile_action(tag) is Action.UID:
        raise ValueError("must not be a UID, which is always replaced")
    return tag


def _texts(value: object) -> object:
    """Take a table of keywords and texts, and check that each text is one of its attribute."""
    if not isinstance(value, dict):
        return value
    told = {}
    for key, text in value.items():
        try:
            tag = _tag(key)
        except ValueError as error:
            raise ValueError(f"has {key!r}, which {error}") from None
        if wrong := _not_a_value(tag, text):
            raise ValueError(f"has a value for {key} that {wrong}")
        told[tag] = text
    return told


def _not_a_value(tag: int, text: object) -> str:
    vr = vr_of(tag)
    if vr not in _LENGTHS:
        return f"cannot be: only texts and numbers in text can be replaced, and its VR is {vr}"
    if not isinstance(text, str) or not re.fullmatch(r"[ -\[\]-~]*", text):
        return "must be text in quotes: ASCII in one line, without a backslash"
    if vr in _FORMS and not re.fullmatch(_FORMS[vr], text):
        return f"is none of VR {vr}"
    return f"is longer than the {_LENGTHS[vr]} characters of VR {vr}" if len(text) > _LENGTHS[vr] else ""


Tags = Annotated[tuple[Annotated[int, BeforeValidator(_tag)], ...], Field(strict=False)]
KeptTags = Annotated[tuple[Annotated[int, BeforeValidator(_tag), AfterValidator(_kept)], ...], Field(strict=False)]


class Options(_Table):
    """`[options]`: options of PS3.15 Annex E beside the Basic Profile."""

    retain_modified_dates: bool = False
    retain_patient_characteristics: bool = False
    retain_device_identity: bool = False
    retain_safe_private: bool = False
    clean_descriptors: bool = False


class Numbers(_Table):
    """`[numbers]`: what becomes of numbers that link to other systems."""

    accession_number: Literal["code", "empty"] = "empty"
    study_id: Literal["code", "empty"] = "empty"


class Attributes(_Table):
    """`[attributes]`: what overrules profile and options, at any depth."""

    keep: KeptTags = ()
    remove: Tags = ()
    empty: Tags = ()
    replace: Annotated[dict[int, str], BeforeValidator(_texts)] = {}

    @model_validator(mode="after")
    def _once(self) -> Attributes:
        named = [*self.keep, *self.remove, *self.empty, *self.replace]
        for tag in named:
            if named.count(tag) > 1:
                raise ValueError(f"must not name {name_of(tag)} twice")
        return self


class Recipe(_Table):
    """How a dataset is to be de-identified."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,16}$")]
    description: str = ""
    profile: Literal["2026c"] = "2026c"
    """The edition of PS3.15 whose table is applied."""
    options: Options = Options()
    numbers: Numbers = Numbers()
    attributes: Attributes = Attributes()
    pixels: PixelRules = PixelRules()
    check: CheckRules = CheckRules()

    @property
    def digest(self) -> str:
        """SHA-256 of all that it says, in hexadecimal: equal for recipes that do the same under the same name."""
        # The sets in it have no order of their own.
        said = json.dumps(self.model_dump(), sort_keys=True, default=sorted)
        return hashlib.sha256(said.encode()).hexdigest()

    @property
    def kept_against_profile(self) -> tuple[str, ...]:
        """Keywords of what it keeps, or replaces, though the profile does not keep it."""
        harmless = (Action.KEEP, Action.ITEMS)
        tags = sorted({*self.attributes.keep, *self.attributes.replace})
        return tuple(name_of(tag) for tag in tags if profile_action(tag) not in harmless)


def name_of(tag: int) -> str:
    """Give the keyword of a tag, or the tag where it has none."""
    return dictionary_keyword(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


_TABLES: Mapping[tuple[str, ...], type[BaseModel]] = {
    (): Recipe,
    ("options",): Options,
    ("numbers",): Numbers,
    ("attributes",): Attributes,
    ("pixels",): PixelRules,
    ("check",): CheckRules,
}
_KEYS = {path: tuple(table.model_fields) for path, table in _TABLES.items()}


def shipped() -> Mapping[str, Path]:
    """Give the recipes that come with pacslake, by name."""
    return {path.stem: path for folder in SHIPPED for path in sorted(folder.glob("*.toml"))}


def read_recipe(name_or_path: str) -> Recipe:
    """Read and check a recipe: one that comes with pacslake, by its name, or a file. UserError, in one sentence."""
    ours = shipped()
    path = ours.get(name_or_path) or Path(name_or_path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        hint = nearest(name_or_path, ours)
        raise UserError(f"there is no recipe {name_or_path!r}, neither one of pacslake nor a file{hint}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return Recipe.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        line, column = syntax_place(str(error), text)
        raise UserError(f"{path}:{line}:{column}: {syntax_error(str(error), text)}") from None
    except ValidationError as error:
        raise UserError(f"{path}: {_sentence(error)}") from None
    except (ValueError, RecursionError):
        raise UserError(f"{path}: {ENDLESS}") from None


def _sentence(error: ValidationError) -> str:
    """Say what is wrong first, unknown keys before all else, and how much more is."""
    first, *others = sorted(error.errors(include_url=False), key=lambda one: one["type"] != "extra_forbidden")
    more = f" ({len(others)} more after this one)" if others else ""
    return f"{sentence(first, _KEYS)}{more}"


def described(recipe: Recipe) -> Mapping[str, Any]:
    """Give what a report says of a recipe."""
    return {
        "recipe": recipe.name,
        "version": recipe.version,
        "digest": recipe.digest,
        "profile": f"PS3.15 {recipe.profile} Basic Profile",
        "options": [name for name, on in recipe.options if on],
        "kept_against_profile": list(recipe.kept_against_profile),
    }
