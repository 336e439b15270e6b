"""Pseudonyms: what stands in for a patient's ID, for UIDs and for other codes, and by how many days dates are shifted.

Each is a function of the project's key and the value alone (HMAC-SHA-256), so that runs, studies and machines with the
same key agree without a table, and nobody without it can try values out. What is made of a value never changes between
releases. Pure.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

KEY_BYTES = 32

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Base32 after Crockford: no I, L, O and U, which people take for digits, and for words."""

PATIENT_LETTERS = 12
"""60 bits: among a million patients two share a code with odds of 1 to 2,300,000, among ten million 1 to 23,000."""

CODE_LETTERS = 16
"""What SH, the shortest VR of a code, may hold; 80 bits."""

WELL_KNOWN = "1.2.840.10008."
"""UIDs that the standard itself defines: SOP classes, transfer syntaxes, coding schemes."""

REMEMBERED_UIDS = 100_000


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Pseudonyms of one project. Who knows `key` can tell whether a value belongs to a pseudonym."""

    key: bytes = field(repr=False)
    prefix: str = "P"
    """What patient codes begin with."""
    longest_shift: int = 365
    """Days. Who changes it changes the shift of every patient."""
    _uids: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        if not re.fullmatch(r"[A-Za-z0-9_-]{0,16}", self.prefix):
            raise ValueError("a prefix has letters, digits, - and _ only, 16 at most")
        if self.longest_shift < 1:
            raise ValueError("dates are shifted by one day at least")

    def patient(self, patient_id: str) -> str:
        """Give the code of a patient. Padding of the ID means nothing (PS3.5 6.2, LO).

        ValueError without an ID: strangers without one must not become one patient. Give the StudyInstanceUID then.
        """
        return self.prefix + self._letters("patient", _named(patient_id), PATIENT_LETTERS)

    def uid(self, uid: str) -> str:
        """Give the UID that stands for `uid`, those of the standard and empty ones as they are (PS3.5 B.2)."""
        if (known := self._uids.get(uid)) is not None:
            return known
        if len(self._uids) >= REMEMBERED_UIDS:
            self._uids.clear()
        made = self._uids[uid] = self._made_uid(uid.strip(" \0"))
        return made

    def days(self, patient_id: str) -> int:
        """Give the days to add to all dates of a patient: from -`longest_shift` to -1. IDs as for `patient`."""
        drawn = int.from_bytes(self._digest("days", _named(patient_id)))
        return -1 - drawn % self.longest_shift

    def code(self, kind: str, value: str) -> str:
        """Give 16 letters for an accession number, a study ID and the like; equal values of two kinds get two codes.

        An empty value hides nothing and stays empty.
        """
        bare = value.strip(" \0")
        return self._letters(f"code {kind}", bare, CODE_LETTERS) if bare else ""

    def patients(self, patient_ids: Sequence[str]) -> list[str]:
        """Give the codes of many patients, each as `patient` does; empty IDs stay empty."""
        return self._many("patient", patient_ids, PATIENT_LETTERS, self.prefix)

    def codes(self, kind: str, values: Sequence[str]) -> list[str]:
        """Give the codes of many values, each as `code` does."""
        return self._many(f"code {kind}", values, CODE_LETTERS)

    def keyed(self, text: str) -> str:
        """Give 64 hexadecimal digits by which texts can be compared without being shown."""
        return self._digest("text", text).hex()

    @property
    def fingerprint(self) -> str:
        """Which key this is, without telling it: 16 hexadecimal digits."""
        return self._digest("fingerprint", "").hex()[:16]

    def _made_uid(self, uid: str) -> str:
        if not uid or uid.startswith(WELL_KNOWN):
            return uid
        # A UUID of version 8, "made as you like" (RFC 9562 5.8): 122 bits are ours, six say what it is.
        drawn = int.from_bytes(self._digest("uid", uid)[:16])
        version, variant = 8 << 76, 2 << 62
        return f"2.25.{drawn & ~(0xF << 76) & ~(3 << 62) | version | variant}"

    def _letters(self, kind: str, value: str, count: int) -> str:
        drawn = int.from_bytes(self._digest(kind, value))
        return "".join(ALPHABET[drawn >> 5 * place & 31] for place in range(count))

    def _many(self, kind: str, values: Sequence[str], count: int, prefix: str = "") -> list[str]:
        """Give as `_letters` does, in an eighth of the time, prefix and letters for each value that is not empty."""
        block = self.key.ljust(64, b"\0")  # HMAC after RFC 2104, begun once for all of them
        inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + f"pacslake {kind}\0".encode())
        outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))
        digests = []
        for value in values:
            one, whole = inner.copy(), outer.copy()
            one.update(value.strip(" \0").encode("utf-8", "surrogatepass"))
            whole.update(one.digest())
            digests.append(whole.digest())
        bits = np.unpackbits(np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32), axis=1)
        numbers = bits[:, : -5 * count - 1 : -1].reshape(-1, count, 5) @ np.array([1, 2, 4, 8, 16], np.uint8)
        text = np.frombuffer(ALPHABET.encode(), np.uint8)[numbers].tobytes().decode()
        found = (prefix + text[place : place + count] for place in range(0, len(text), count))
        return [code if value.strip(" \0") else "" for value, code in zip(values, found, strict=True)]

    def _digest(self, kind: str, value: str) -> bytes:
        """Digest a value; what it is for goes in too, so that no pseudonym of one kind tells one of another."""
        return hmac.digest(self.key, f"pacslake {kind}\0{value}".encode("utf-8", "surrogatepass"), "sha256")


def _named(patient_id: str) -> str:
    bare = patient_id.strip(" \0")
    if not bare:
        raise ValueError("a patient without an ID is told apart by the StudyInstanceUID")
    return bare
