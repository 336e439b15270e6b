"""Which slices make a volume, and in which order: by where they lie, never by name or number. Pure.

What is no volume of parallel slices at equal distances is refused with the reason: an image library would stack it all
the same, and nobody would see that it is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import dist, hypot

from crawler.errors import UserError

Vector = tuple[float, float, float]

_ANGLE = 1e-3
"""Cosines may differ by so much: they are written with few digits."""
_LENGTH = 0.01
"""And lengths by so much, in mm or relative to the distance of slices."""


@dataclass(frozen=True, slots=True)
class Slice:
    """What `files` says of an image; None where the file does not say it."""

    path: str
    number: int | None
    """InstanceNumber."""
    frames: int | None
    rows: int | None
    columns: int | None
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, ...] | None


def ordered(slices: Sequence[Slice]) -> list[Slice]:
    """Put the slices of a volume in the order of their places. UserError, saying why, where they are none."""
    if len(slices) == 1:
        return list(slices)
    if any((one.frames or 1) > 1 for one in slices):
        raise UserError(f"the series has {len(slices):,} files of several frames: no single volume")
    normal = _check_alike(slices)
    places = {one.path: _dot(_vector(one.position), normal) for one in slices}
    found = sorted(slices, key=lambda one: (places[one.path], one.path))
    _check_stack(found, [places[one.path] for one in found], normal)
    return found


def _check_stack(slices: Sequence[Slice], places: Sequence[float], normal: Vector) -> None:
    """Check that each slice lies right above the one before, at equal distances."""
    distances = [later - earlier for earlier, later in pairwise(places)]
    usual = sorted(distances)[len(distances) // 2]
    slack = max(_LENGTH, _LENGTH * usual)
    if twice := sum(distance <= _LENGTH for distance in distances):
        raise UserError(f"{twice:,} slices lie where another one lies: several volumes in one series (phases, echoes)")
    if uneven := sum(abs(distance - usual) > slack for distance in distances):
        gaps = f"{uneven:,} of {len(distances):,} distances are not the usual {usual:.4g} mm"
        raise UserError(f"slices are missing or unevenly spaced: {gaps}")
    for (earlier, later), distance in zip(pairwise(slices), distances, strict=True):
        above = [a + distance * n for a, n in zip(_vector(earlier.position), normal, strict=True)]
        if dist(above, _vector(later.position)) > slack:
            raise UserError("the slices are not stacked at right angles, as with a tilted gantry")


def _check_alike(slices: Sequence[Slice]) -> Vector:
    """Check that all slices are cut alike; give the direction in which they are stacked."""
    first = slices[0]
    for one in slices:
        if one.position is None or len(one.position) != 3 or one.orientation is None or len(one.orientation) != 6:
            raise UserError("the files do not say where their images lie: this series is no volume")
    sizes = sorted({(one.rows, one.columns) for one in slices}, key=str)
    if len(sizes) > 1:
        told = ", ".join(f"{rows} x {columns}" for rows, columns in sizes)
        raise UserError(f"the images have {len(sizes)} sizes: {told}")
    if any(not _close(one.orientation, first.orientation, _ANGLE) for one in slices):
        raise UserError("the images lie in different directions, as in a localizer")
    if any(not _close(one.spacing, first.spacing, _ANGLE) for one in slices):
        raise UserError("the images have different pixel spacings")
    (a, b, c), (d, e, f) = _vector((first.orientation or ())[:3]), _vector((first.orientation or ())[3:])
    normal = (b * f - c * e, c * d - a * f, a * e - b * d)
    length = hypot(*normal)
    if abs(length - 1) > 10 * _ANGLE:
        raise UserError("the files give directions that are not at right angles")
    return normal[0] / length, normal[1] / length, normal[2] / length


def _close(one: tuple[float, ...] | None, other: tuple[float, ...] | None, slack: float) -> bool:
    if one is None or other is None:
        return one is other
    return len(one) == len(other) and all(abs(a - b) <= slack for a, b in zip(one, other, strict=True))


def _vector(values: Sequence[float] | None) -> Vector:
    x, y, z = values or (0.0, 0.0, 0.0)
    return x, y, z


def _dot(one: Vector, other: Vector) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
