"""What a lake notes of what it keeps of patients, and why rows of other settings do not fit in. Pure."""

from __future__ import annotations

import json
from typing import Any

_ANEW = "or sweep into a new lake, another [lake] path"


def disagreement(noted: str | None, wanted: str | None) -> str | None:
    """Say why rows kept as `wanted` do not belong into a lake that notes this, as the end of a sentence about it."""
    if noted == wanted:
        return None
    if noted is None:
        return f"has patients' values as they came, which [phi] cannot take out again: leave that section out, {_ANEW}"
    before, now = json.loads(noted), json.loads(wanted or "{}")
    if wanted is None:
        return f"is kept without identifiers: put the section [phi] back, {_ANEW}. It said {rules_in_words(before)}"
    if before["rules"] != now["rules"]:
        return f"was begun with another section [phi], that said {rules_in_words(before)}: put that back, {_ANEW}"
    return f"was begun with another key, {before['key']} and not {now['key']}: put that file back, {_ANEW}"


def rules_in_words(note: dict[str, Any]) -> str:
    """Say the rules of a note as they stand in a settings file."""
    rules = note["rules"]
    columns = ", ".join(f'{name} = "{value}"' for name, value in rules["columns"].items())
    return f'direct = "{rules["direct"]}", quasi = "{rules["quasi"]}"' + (
        f", columns = {{ {columns} }}" * bool(columns)
    )
