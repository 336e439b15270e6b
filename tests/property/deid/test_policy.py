"""Whatever a PACS does to lengths and ends of its answers, nothing that identifies a patient comes through."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.columns import CATALOGUE, Attribute, Phi
from crawler.decode.decode import decode
from crawler.deid.policy import Policy
from crawler.deid.pseudonyms import Pseudonyms
from crawler.model import Identifiers, Level
from crawler.phi import Rules, Treatment
from tests.property.decode.datasets import LONG_VRS

CODES = Pseudonyms(bytes(32))
SECRET = "Qvzwyx"
"""Part of every identifying value, and of nothing else."""
PLAIN = {
    "DA": "20240131",
    "TM": "101112",
    "IS": "7",
    "DS": "0.5",
    "UI": "1.2.3",
    "CS": "CT",
    "DT": "20240131",
    "US": "\2\0",
}


def encoded(level: Level, random: Random, *, explicit_vr: bool) -> bytes:
    """Make an answer with secrets in all that identifies directly; some lengths lie, and some answers are cut off."""
    answer = b"".join(_element(key, random, explicit_vr=explicit_vr) for key in CATALOGUE[level] if not key.path)
    return answer[: random.randrange(len(answer))] if random.random() < 0.2 else answer


def _element(key: Attribute, random: Random, *, explicit_vr: bool) -> bytes:
    text = f"{SECRET}^{SECRET}" if key.phi is Phi.DIRECT else PLAIN.get(key.vr, "plain")
    value = (text + " " * (len(text) % 2)).encode()
    length = len(value) + random.choice([0] * 30 + [2, 8, 20, 40, 400, -2])
    head = (key.tag >> 16).to_bytes(2, "little") + (key.tag & 0xFFFF).to_bytes(2, "little")
    if not explicit_vr:
        return head + max(length, 0).to_bytes(4, "little") + value
    vr = key.vr.encode()
    size = bytes(2) + length.to_bytes(4, "little") if key.vr in LONG_VRS else length.to_bytes(2, "little")
    return head + vr + size + value


@settings(max_examples=150)
@given(st.sampled_from(Level), st.booleans(), st.integers(0, 2**32))
def test_no_secret_comes_through(level: Level, explicit_vr: bool, seed: int) -> None:
    random = Random(seed)
    answers = [encoded(level, random, explicit_vr=explicit_vr) for _ in range(10)]
    rows = decode(Identifiers.of(answers, explicit_vr=explicit_vr), level)
    for treatment in (Treatment.HASH, Treatment.DROP):
        kept = Policy(Rules(treatment), CODES).apply(level, rows)
        assert kept.schema == rows.schema
        assert kept.num_rows == rows.num_rows
        assert SECRET not in str(kept.to_pylist())


def test_secrets_would_be_seen() -> None:
    rows = decode(Identifiers.of([encoded(Level.STUDY, Random(7), explicit_vr=False)]), Level.STUDY)
    assert SECRET in str(rows.to_pylist())
