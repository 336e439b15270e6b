"""Slices make a volume by where they lie, in whichever order they came; what is none is refused with its reason."""

from __future__ import annotations

from dataclasses import replace
from math import cos, radians, sin
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.errors import UserError
from crawler.export.geometry import Slice, ordered


def stack(count: int, distance: float, turn: float) -> list[Slice]:
    """Slices of a volume that is turned about the x axis; the path tells the place."""
    c, s = cos(radians(turn)), sin(radians(turn))
    return [
        Slice(
            f"{at:04}",
            number=count - at,
            frames=None,
            rows=8,
            columns=6,
            position=(-40.0, round(-s * at * distance - 3, 4), round(c * at * distance + 7, 4)),
            orientation=(1.0, 0.0, 0.0, 0.0, round(c, 6), round(s, 6)),
            spacing=(0.7, 0.7),
        )
        for at in range(count)
    ]


@st.composite
def shuffled(draw: st.DrawFn) -> tuple[list[Slice], list[Slice]]:
    slices = stack(draw(st.integers(1, 40)), draw(st.sampled_from((0.5, 1.0, 3.3, 10.0))), draw(st.integers(-180, 180)))
    return slices, draw(st.permutations(slices))


@given(shuffled())
def test_any_order_of_arrival_gives_the_same_volume(both: tuple[list[Slice], list[Slice]]) -> None:
    slices, came = both
    assert ordered(came) == slices


@given(shuffled(), st.data())
def test_a_volume_with_a_hole_is_refused(both: tuple[list[Slice], list[Slice]], data: st.DataObject) -> None:
    _, came = both
    if len(came) < 4:
        return
    within = sorted(came, key=lambda one: one.path)[1:-1]
    lost = data.draw(st.sampled_from(within))
    with pytest.raises(UserError, match="slices are missing or unevenly spaced"):
        ordered([one for one in came if one is not lost])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"position": None}, "do not say where"),
        ({"position": (1.0, 2.0)}, "do not say where"),
        ({"orientation": (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)}, "different directions"),
        ({"rows": 16}, "2 sizes: 16 x 6, 8 x 6"),
        ({"spacing": (0.8, 0.8)}, "different pixel spacings"),
        ({"frames": 3}, "several frames"),
        ({"position": (-40.0, -3.0, 8.0)}, "several volumes in one series"),
        ({"position": (-40.0, -1.0, 9.0)}, "not stacked at right angles"),
    ],
)
def test_what_is_no_volume_is_refused_with_the_reason(change: dict[str, Any], reason: str) -> None:
    slices = stack(5, 1.0, 0)
    slices[2] = replace(slices[2], **change)
    with pytest.raises(UserError, match=reason):
        ordered(slices)


def test_directions_that_are_none_are_refused() -> None:
    slices = [replace(one, orientation=(0.0,) * 6) for one in stack(3, 1.0, 0)]
    with pytest.raises(UserError, match="not at right angles"):
        ordered(slices)
