"""What a recipe makes of each attribute: its own entries before its options, its options before the profile. Pure."""

from __future__ import annotations

from crawler.deid.recipe import Recipe
from crawler.deid.table import (
    NUMBERS,
    Action,
    clean_descriptors,
    device_identity,
    modified_dates,
    patient_characteristics,
    profile_action,
    vr_of,
)

_KEPT = {"SQ": Action.ITEMS, "AS": Action.AGE, "TM": Action.TIME}
"""What keeping means, where it does not mean the bytes as they are."""


class Actions(dict[int, Action]):
    """Actions by tag, decided when first asked for."""

    def __init__(self, recipe: Recipe) -> None:
        own = recipe.attributes
        super().__init__(
            {tag: _KEPT.get(vr_of(tag), Action.KEEP) for tag in own.keep}
            | dict.fromkeys(own.remove, Action.REMOVE)
            | dict.fromkeys(own.empty, Action.EMPTY)
            | dict.fromkeys(own.replace, Action.FIXED)
        )
        numbers = {"AccessionNumber": recipe.numbers.accession_number, "StudyID": recipe.numbers.study_id}
        for tag, keyword in NUMBERS.items():
            self.setdefault(tag, Action.CODE if numbers[keyword] == "code" else Action.EMPTY)
        rules = (
            (recipe.options.retain_modified_dates, modified_dates),
            (recipe.options.retain_patient_characteristics, patient_characteristics),
            (recipe.options.retain_device_identity, device_identity),
            (recipe.options.clean_descriptors, clean_descriptors),
        )
        self._rules = [rule for on, rule in rules if on]

    def __missing__(self, tag: int) -> Action:
        action = next((found for rule in self._rules if (found := rule(tag))), profile_action(tag))
        # Of private and unknown tags there may be any number.
        if action not in (Action.PRIVATE, Action.UNKNOWN):
            self[tag] = action
        return action
