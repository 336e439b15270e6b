"""What a sweep found out about its PACS, as findings for the next one. Pure."""

from __future__ import annotations

from crawler.pacs.profile import ALWAYS_TIMED, CAP, IGNORED, NO, UNSUPPORTED_KEY, YES, Profile
from crawler.plan.answers import Known


def learned(before: Profile, now: Known) -> dict[str, tuple[str, str]]:
    """Give what was not known before: name of the finding -> value and evidence."""
    found = {}
    if now.cap != before.cap:
        why = f"parts of windows with {now.cap} rows had more" if now.cap else f"an answer had over {before.cap} rows"
        found[CAP] = (str(now.cap or 0), why)
    for key in sorted(now.unsupported - before.unsupported):
        found[UNSUPPORTED_KEY + key] = (IGNORED, "its value made no difference to an answer")
    if now.always_timed is not None and now.always_timed != before.always_timed:
        found[ALWAYS_TIMED] = (YES if now.always_timed else NO, "studies in answers about whole days")
    return found
