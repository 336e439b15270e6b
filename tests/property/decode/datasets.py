"""Encoded identifiers for property tests: plausible, malformed and broken ones, in both encodings.

Hypothesis draws a seed for each dataset, and the dataset is made of it: drawing each element costs ten times as much.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from random import Random

from hypothesis import strategies as st
from pydicom.charset import convert_encodings, encode_string

from crawler.columns import CATALOGUE
from crawler.model import Level

SAMPLES = {
    "": "Buc^Jerome",
    "ISO_IR 100": "Äneas^Rüdiger",
    "ISO_IR 101": "Wałęsa^Łukasz",
    "ISO_IR 109": "antaŭnomo",
    "ISO_IR 110": "vārds^Ņikita",
    "ISO_IR 126": "Διονυσιος",
    "ISO_IR 127": "قباني^لنزار",
    "ISO_IR 138": "שרון^דבורה",
    "ISO_IR 144": "Жёлтый^Юлий",
    "ISO_IR 148": "Çavuşoğlu^Şule",
    "ISO_IR 166": "นามสกุล",
    "ISO_IR 13": "ﾔﾏﾀﾞ",
    "ISO_IR 192": "Wang^小东=王^小東=😀",
    "GB18030": "Wang^XiaoDong=王^小东=㐀",
    "GBK": "Wang^XiaoDong=王^小东",
    "\\ISO 2022 IR 87": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "ISO 2022 IR 13\\ISO 2022 IR 87": "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    "\\ISO 2022 IR 87\\ISO 2022 IR 159": "あaア齩",
    "\\ISO 2022 IR 149": "Hong^Gildong=洪^吉洞=홍^길동",
    "ISO 2022 IR 100\\ISO 2022 IR 144\\ISO 2022 IR 126": "Dionysios Διονυσιος Жёлтый ÄÖ",
}
LONG_VRS = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"])
WELL_FORMED = {
    "DA": ["20240229", "19000101", "00010101", "99991231"],
    "TM": ["101112", "101112.123456", "000000", "235959.999999"],
    "DT": ["20240229101112", "20240229101112.123456", "19700101000000"],
    "IS": ["0", "7", "12345678", "2147483647", "-2147483648", "-5"],
    "DS": ["0.5", "-12.25", "1e-3", "123456789012345", "+1.0", "0"],
    "UI": ["1.2.840.10008.1.2", "1" * 64],
    "CS": ["CT", "CT\\MR", "ORIGINAL\\PRIMARY\\AXIAL"],
    "AE": ["ORTHANC", "A\\B"],
}
MALFORMED = {
    "DA": ["2024-01-01", "20240132", "20230229", "00000101", "2024", "2024010 ", " 20240101", "\uff12", "20240101\0"],
    "TM": [
        "9:30",
        "10",
        "1011",
        "240000",
        "106000",
        "101160",
        "101199",
        "101112.",
        "101112.1",
        "101112.000000",
        "101112.1234567",
        " 101112",
        "10111",
        "1011.5",
        "235960.5",
        "1",
        "101112.12345x",
        "101112,123456",
        "101112.0000000",
    ],
    "DT": [
        "2024",
        "202402",
        "20240229",
        "2024022910",
        "20240229101112+0100",
        "20240229101112.5-0030",
        "2024+9900",
        "20240230",
        "202",
        "20240229101160",
        "20240229101112.1234567",
        "2024.5",
        "202413",
        "20240101+0160",
        "202401011",
        "20241301101112",
        "2024010110111x",
        "20240101101112.000000",
        "2024-01-01",
        "20240101 10",
        "20240101101112.12345",
    ],
    "IS": [
        "1.0",
        "abc",
        "007",
        "+5",
        "-0",
        "2147483648",
        "-2147483649",
        "0000000000012",
        " 5",
        "1\\2",
        "1 2",
        "--1",
        "+",
        "1e3",
        "123456789",
        "0000000001",
        "00",
        "99999999999",
    ],
    "DS": [
        "nan",
        "inf",
        "0.10000000000001",
        "1e400",
        "1e-400",
        "1,5",
        "0.1234567890123456",
        "1\\2",
        ".",
        ".5",
        "5.",
        "1e",
        "- 1",
        "0x1",
        "1234567890123456",
        "9007199254740993",
        "+.5e-3",
        "00.50",
        "-0",
        "1_0",
    ],
    "UI": ["1.2.a", "1" * 65, "1.2 ", "1.2\0\0", "1/2", "1.2\\3", " 1.2", "-1"],
    "CS": [" CT", "CT \\ MR", "\\", "CT\\", "X" * 17, "ct", "A\\" + "X" * 17, "\\\\ ", "Ä", "\x1b"],
    "AE": [" A", "\\B ", "A" * 17, "é"],
    "LO": ["X" * 65, " leading", "a\\b", "tab\t", "a\0b", "\0", "é" * 64, "\x1b(B", "\x1b$BX", "\x1b(Ba\xe4"[:4]],
    "SH": ["X" * 17, "é" * 17, " "],
    "PN": [
        "^",
        "=",
        "^^^",
        "A^B=C^D",
        "=A^B",
        "A",
        "^B",
        "A=",
        "X" * 65,
        "X" * 60 + "=" + "X" * 60,
        "A^B^C^D^E",
        " A ^ B ",
    ],
    "US": [],
}


@dataclass(frozen=True)
class Element:
    tag: int
    vr: str
    value: bytes


def encode(element: Element, explicit_vr: bool) -> bytes:
    tag = struct.pack("<HH", element.tag >> 16, element.tag & 0xFFFF)
    size = len(element.value)
    if element.vr == "SQ":
        reserved = b"SQ\0\0" if explicit_vr else b""
        return tag + reserved + b"\xff\xff\xff\xff" + element.value + b"\xfe\xff\xdd\xe0\0\0\0\0"
    if not explicit_vr:
        return tag + struct.pack("<L", size) + element.value
    if element.vr in LONG_VRS:
        return tag + element.vr.encode() + b"\0\0" + struct.pack("<L", size) + element.value
    return tag + element.vr.encode() + struct.pack("<H", size) + element.value


def sequence_items(tag: int, explicit_vr: bool) -> list[bytes]:
    inner = encode(Element(0x00080050, "SH", b"INNER "), explicit_vr)
    nested = encode(Element(0x00081110, "SQ", b"\xfe\xff\x00\xe0\0\0\0\0"), explicit_vr)
    undefined = b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + inner + nested + b"\xfe\xff\x0d\xe0\0\0\0\0"
    defined = b"\xfe\xff\x00\xe0" + struct.pack("<L", len(inner)) + inner
    # pydicom ends an undefined length at the first delimiter inside, unless it takes the tag for a sequence.
    return [b"", defined] if tag in (0x00080050, 0x00200010) else [b"", undefined, defined, defined + undefined]


ENCODED = [encode_string(text, convert_encodings(terms.split("\\"))) for terms, text in SAMPLES.items()]
PADDING = [b"", b"", b" ", b"\0", b"  \0   \0", b" " * 9]


def value_of(vr: str, random: Random) -> bytes:
    """Make a value: mostly well-formed, else malformed in a known way, else any bytes without an escape sequence."""
    free = random.randbytes(random.randrange(20)).replace(b"\x1b", b"\x80")
    kind = random.randrange(6)
    if vr in ("US", "UL", "SS", "SL", "FL", "FD"):
        return free if kind == 0 else random.randbytes(2)
    if kind == 0:
        value = free
    elif kind == 1 and MALFORMED.get(vr):
        value = random.choice(MALFORMED[vr]).encode("latin-1", "replace")
    elif kind < 4 and vr in ("LO", "SH", "PN"):
        value = random.choice(ENCODED)
    else:
        value = random.choice([*WELL_FORMED.get(vr, ["plain", "two words"]), ""]).encode()
    return value + random.choice(PADDING)


def elements(random: Random, level: Level, explicit_vr: bool, orderly: bool) -> list[Element]:
    """Make a dataset's elements: catalogue tags, unsolicited ones, and unless `orderly` what makes a dataset odd."""
    chosen = [
        Element(attribute.tag, attribute.vr, value_of(attribute.vr, random))
        for attribute in CATALOGUE[level][1:]
        if random.random() < 0.8
    ]
    if random.random() < 0.8:
        terms = random.choice([*SAMPLES, "BOGUS", "ISO_IR 6", " "])
        chosen.append(Element(0x00080005, "CS", terms.encode()))
    for tag, vr in ((0x00080052, "CS"), (0x00090010, "LO"), (0x00201070, "IS")):
        if random.random() < 0.5:
            chosen.append(Element(tag, vr, random.randbytes(random.randrange(9))))
    chosen.sort(key=lambda element: element.tag)
    if orderly:
        return chosen
    if random.random() < 0.5:
        chosen.append(random.choice(chosen))
    sequences = random.sample([0x00081110, 0x00080050, 0x00200010, 0x00091001], random.randrange(3))
    chosen.extend(Element(tag, "SQ", random.choice(sequence_items(tag, explicit_vr))) for tag in sequences)
    if random.random() < 0.5:
        chosen.append(Element(random.choice([0x00080020, 0x00280010, 0x00100010]), "US", b"\1\0"))
    if random.random() < 0.5:
        random.shuffle(chosen)
    return chosen


def dataset(seed: int, level: Level, explicit_vr: bool) -> bytes:
    """Make an encoded dataset, orderly or odd, now and then cut off or with a rest that is none."""
    random = Random(seed)
    orderly = random.random() < 0.5
    encoded = b"".join(encode(element, explicit_vr) for element in elements(random, level, explicit_vr, orderly))
    if orderly or random.random() < 0.5:
        return encoded
    if random.random() < 0.5:
        return encoded + random.choice([b"\0", b"\x08\0\x20\0\xff\xff\0", b"\x28\0\xff\xff\x09\0\0\0short"])
    return encoded[: random.randrange(len(encoded) + 1)]


def datasets(level: Level, explicit_vr: bool) -> st.SearchStrategy[bytes]:
    return st.integers(0, 2**32).map(lambda seed: dataset(seed, level, explicit_vr))
