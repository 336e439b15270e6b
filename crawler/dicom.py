"""Words of the DICOM standard that several rooms need. Pure."""

from __future__ import annotations

from datetime import date

LONG_VRS = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"))
"""VRs whose length takes four bytes in Explicit VR (PS3.5 7.1.2)."""
LONG_VRS_AS_SENT = frozenset(vr.encode() for vr in LONG_VRS)

NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
"""What the parts of a PN between `=` are called in DICOM JSON (PS3.18 F.2.2)."""

UTF_8 = "ISO_IR 192"
"""The defined term of SpecificCharacterSet for UTF-8 (PS3.3 C.12.1.1.2)."""


def da(day: date) -> str:
    """Write a day as a DA, with the zeros that strftime leaves out of years before 1000 (PS3.5 6.2)."""
    return f"{day:%Y%m%d}".rjust(8, "0")
