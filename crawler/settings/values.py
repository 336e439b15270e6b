"""Values of single keys of `pacslake.toml`, and what is wrong with a bad one, as ValueError. Pure."""

from __future__ import annotations

import difflib
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, InstanceOf, PlainSerializer, ValidationInfo

from crawler.columns import by_keyword
from crawler.model import AETitle, Level
from crawler.place import Place, checked_endpoint, checked_url, is_url
from crawler.secret import Secret, path_from, secret_at


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
    known = by_keyword()
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


def _declared_term(text: str) -> str:
    if not text.strip(" "):
        raise ValueError("has an empty key; default_charset is for answers that declare nothing")
    return "\\".join(item.strip(" ") for item in text.split("\\"))


def _cron(text: str) -> str:
    if not re.fullmatch(r"[\w*/,-]+( +[\w*/,-]+){4}", text.strip()):
        raise ValueError("must have five fields: minute, hour, day of month, month, day of week")
    return text.strip()


def _duration(text: object) -> timedelta:
    """Read a length of time: a number and its unit."""
    found = re.fullmatch(r"([0-9]{1,6}) ?([smhd])", text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("must be a number with s, m, h or d, as '15m'")
    unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[found[2]]
    return timedelta(**{unit: int(found[1])})


def _interval(length: timedelta) -> timedelta:
    if not timedelta(seconds=1) <= length <= timedelta(days=366):
        raise ValueError("must be between 1s and 366d")
    return length


def _jitter(length: timedelta) -> timedelta:
    if length > timedelta(days=1):
        raise ValueError("must be 1d at most")
    return length


def _size(text: object) -> int:
    """Read a number of bytes: a number and its unit, by powers of 1000."""
    found = re.fullmatch(r"([1-9][0-9]{0,5}) ?(MB|GB)", text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("must be a number with MB or GB, as '1GB'")
    return int(found[1]) * {"MB": 10**6, "GB": 10**9}[found[2]]


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown names, folders of names, paths that lead out
        raise ValueError("must be a time zone that this machine knows, as 'Europe/Berlin'") from None
    return name


def _sender(text: str) -> str:
    """Check `AE` or `AE@address`, where an address may be a network too."""
    ae_title, at, network = text.rpartition("@")
    if not at:
        return _ae_title(text)
    try:
        return f"{_ae_title(ae_title)}@{ip_network(network)}"
    except ValueError:
        raise ValueError("must be an AE title, or one with an address or network as 'PACS@192.0.2.0/24'") from None


def _folder(path: Path, info: ValidationInfo) -> Path:
    """Take a relative path from the folder of the settings file."""
    if "://" in str(path) or ":/" in str(path):
        raise ValueError("must be a folder")
    if path == Path():
        raise ValueError("must not be empty")
    return path_from(_folder_of(info), path)


def _lake_folder(told: object, info: ValidationInfo) -> object:
    """Take a URL for the folder of its working copy."""
    if not isinstance(told, str) or not is_url(told):
        return told
    place = Place(checked_url(told), info.data.get("endpoint"))
    return info.data.get("cache") or place.default_copy()


def _folder_of(info: ValidationInfo) -> Path:
    context: Mapping[str, Path] = info.context or {}
    return context.get("folder", Path())


def _secret(told: object, info: ValidationInfo) -> object:
    """Find out where a secret is."""
    if isinstance(told, Path):
        return Secret(_folder_of(info) / told)
    if not isinstance(told, str) or not told:
        return told
    environment: Mapping[str, Mapping[str, str]] = info.context or {}
    return secret_at(told, _folder_of(info), environment.get("environment", {}))


def _in_a_file(told: object) -> object:
    if isinstance(told, str) and told.startswith("env:"):
        raise ValueError("must be a file or 'credential:NAME'")
    return told


def _of_a_group(secret: Secret) -> Secret:
    """Let a group read it, as Debian's ssl-cert reads keys."""
    return replace(secret, barred=stat.S_IRWXO)


AEText = Annotated[AETitle, Field(strict=True), AfterValidator(_ae_title)]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=7 * 86400, allow_inf_nan=False)]
Keyword = Annotated[str, AfterValidator(_keyword)]
OptionalKeyword = Annotated[str, AfterValidator(_optional_keyword)]
Folder = Annotated[Path, Field(strict=False), AfterValidator(_folder)]
LakeFolder = Annotated[Folder, BeforeValidator(_lake_folder)]
Endpoint = Annotated[str, AfterValidator(checked_endpoint)]
AnySecret = Annotated[InstanceOf[Secret], BeforeValidator(_secret), PlainSerializer(str)]
SecretFile = Annotated[AnySecret, BeforeValidator(_in_a_file)]
TlsKey = Annotated[SecretFile, AfterValidator(_of_a_group)]
DeclaredTerms = Annotated[str, AfterValidator(_declared_term)]
DefinedTerms = Annotated[str, AfterValidator(_defined_term)]
Cron = Annotated[str, AfterValidator(_cron)]
Host = Annotated[str, AfterValidator(_host)]
CrawledLevel = Annotated[Level, BeforeValidator(_crawled)]
Interval = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_interval)]
Jitter = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_jitter)]
Memory = Annotated[int, BeforeValidator(_size), Field(ge=100 * 10**6)]
SenderText = Annotated[str, AfterValidator(_sender)]
TimeZone = Annotated[str, AfterValidator(_zone)]
