"""`pacslake.toml` as typed values.

Importing this costs 70 ms (pydantic), so commands that need no settings do not.
"""

from crawler.settings.alerts import AlertSettings, SmtpSettings
from crawler.settings.finding import CallerSettings, FindScpSettings
from crawler.settings.reading import load
from crawler.settings.sections import (
    CohortSettings,
    DeidSettings,
    JobSettings,
    LakeSettings,
    LocalSettings,
    PacsSettings,
    PhiSettings,
    Settings,
)
from crawler.settings.sentences import nearest
from crawler.settings.serving import ServeSettings, TrustedProxySettings

__all__ = [
    "AlertSettings",
    "CallerSettings",
    "CohortSettings",
    "DeidSettings",
    "FindScpSettings",
    "JobSettings",
    "LakeSettings",
    "LocalSettings",
    "PacsSettings",
    "PhiSettings",
    "ServeSettings",
    "Settings",
    "SmtpSettings",
    "TrustedProxySettings",
    "load",
    "nearest",
]
