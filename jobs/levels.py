"""The levels that a sweep of a PACS asks for, by its information model. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from crawler.errors import UserError
from crawler.model import HIERARCHY, Level, Model


def levels_of(model: Model, configured: Sequence[Level], deepest: Level | None) -> tuple[Level, ...]:
    """Give the levels from the model's highest down to the one asked for, or to the deepest configured."""
    if model is Model.WORKLIST:
        return (Level.WORKLIST,)
    order = HIERARCHY[model is Model.STUDY_ROOT :]
    if deepest and deepest not in order:
        raise UserError('Study Root has no PATIENT level: set model = "patient", or sweep studies, which name patients')
    last = order.index(deepest) if deepest else max(map(order.index, configured))
    if model is Model.PATIENT_STUDY_ONLY:
        last = min(last, order.index(Level.STUDY))
    return order[: last + 1]
