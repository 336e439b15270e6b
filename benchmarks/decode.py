"""Time decode on STUDY identifiers of about 365 bytes, and say where the time goes.

Run `python benchmarks/decode.py [rows]`.
"""

from __future__ import annotations

import cProfile
import pstats
import struct
import sys
import time

from crawler.decode import decode
from crawler.model import Identifiers, Level


def study(number: int) -> bytes:
    """Encode one answer with every key of the catalogue, in the shape that a mid-size archive gives."""
    name = f"Nachname{number % 7919}^Vorname{number % 613}"
    day, second = number % 28 + 1, number % 60
    values: list[tuple[int, str, str]] = [
        (0x00080005, "ISO_IR 100", " "),
        (0x00080020, f"2024{number % 12 + 1:02d}{day:02d}", " "),
        (0x00080030, f"{number % 24:02d}{number % 59:02d}{second:02d}", " "),
        (0x00080050, f"A{number:09d}", " "),
        (0x00080052, "STUDY", " "),
        (0x00080054, "MAINPACS", " "),
        (0x00080056, "ONLINE", " "),
        (0x00080061, "CT\\SR" if number % 3 else "MR", " "),
        (0x00080080, "General Hospital", " "),
        (0x00080090, f"Referrer{number % 97}^Ann", " "),
        (0x00081030, f"CT abdomen {number % 31}", " "),
        (0x00100010, name, " "),
        (0x00100020, f"P{number // 3:07d}", " "),
        (0x00100021, "HOSPITAL", " "),
        (0x00100030, f"19{number % 99:02d}0{number % 9 + 1}{day:02d}", " "),
        (0x00100040, "MF"[number % 2], " "),
        (0x0020000D, f"1.2.826.0.1.3680043.8.498.{number:020d}", "\0"),
        (0x00200010, f"{number % 100000}", " "),
        (0x00201206, f"{number % 12 + 1}", " "),
        (0x00201208, f"{number % 900 + 1}", " "),
    ]
    return b"".join(_element(tag, value, padding) for tag, value, padding in values)


def _element(tag: int, text: str, padding: str) -> bytes:
    value = text.encode("latin-1")
    value += padding.encode() * (len(value) % 2)
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value


def best_of(datasets: list[bytes], explicit_vr: bool = False, repeats: int = 15) -> float:
    """Give the best time in microseconds a row."""
    batch, rows = Identifiers.of(datasets, explicit_vr=explicit_vr), len(datasets)
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        decode(batch, Level.STUDY)
        times.append(time.perf_counter() - begin)
    return min(times) / rows * 1e6


def with_umlaut(dataset: bytes) -> bytes:
    return dataset.replace(b"Nachname", b"N\xe4chname")


def in_explicit_vr(dataset: bytes) -> bytes:
    """Write the same elements in Explicit VR Little Endian; LO stands for every VR."""
    parts, at = [], 0
    while at < len(dataset):
        length = struct.unpack_from("<L", dataset, at + 4)[0]
        end = at + 8 + length
        parts.append(dataset[at : at + 4] + b"LO" + struct.pack("<H", length) + dataset[at + 8 : end])
        at = end
    return b"".join(parts)


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    datasets = [study(number) for number in range(rows)]
    print(f"{rows} STUDY identifiers of {sum(map(len, datasets)) / rows:.0f} bytes")
    for size in sorted({6, 100, 1_000, 5_000, rows}):
        print(f"  batches of {size:6d}: {best_of(datasets[:size]):8.2f} us a row")
    print(f"  a name with an umlaut in each row: {best_of([with_umlaut(data) for data in datasets]):8.2f} us a row")
    print(f"  one cut-off dataset among {rows}: {best_of([*datasets[:-1], datasets[-1][:-1]]):8.2f} us a row")
    print(f"  all in Explicit VR: {best_of([in_explicit_vr(data) for data in datasets[:2000]], True, 3):8.2f} us a row")
    batch = Identifiers.of(datasets)
    with cProfile.Profile() as profile:
        for _ in range(10):
            decode(batch, Level.STUDY)
    pstats.Stats(profile).sort_stats("tottime").print_stats(18)


if __name__ == "__main__":
    main()
