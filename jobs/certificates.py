"""Until when the certificates are valid that the settings name, and that PACS showed when they were checked.

Touches: disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from crawler.certificates import CERTIFICATE_UNTIL, valid_until
from crawler.errors import LakeError, UserError
from crawler.lake.recent import learned
from crawler.settings import Settings

SOON = timedelta(days=30)
"""Who renews a certificate needs weeks; that of the rule for Prometheus in config/alerts too."""


def expiries(settings: Settings) -> dict[str, datetime]:
    """Say until when each is valid: by the setting that names it, or the section of the PACS that showed it."""
    found = {}
    for file in settings.certificates:
        with suppress(UserError):  # whoever uses it tells of that
            found[file.setting] = valid_until(file.path)
    with suppress(LakeError):
        for row in learned(settings.lake.path):
            pacs = settings.pacs.get(row["pacs"])
            if row["name"] == CERTIFICATE_UNTIL and pacs and pacs.tls:
                found[f"pacs.{row['pacs']}"] = datetime.fromisoformat(row["value"])
    return found


def expiring(settings: Settings) -> Iterator[tuple[str, datetime]]:
    """Give those that are not valid for much longer, or no longer."""
    for setting, until in sorted(expiries(settings).items()):
        if until < datetime.now(UTC) + SOON:
            yield setting, until


def told(setting: str, until: datetime) -> str:
    """Say it to a person."""
    has = "has expired" if until < datetime.now(UTC) else "expires"
    return f"the certificate of {setting} {has} on {until:%Y-%m-%d}: renew it (docs/tls.md)"
