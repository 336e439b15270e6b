"""What pacslake runs with, as CycloneDX JSON: `python -m tests.install.bill_of_materials LOCK WHEELHOUSE`.

`make wheelhouse` writes it. Names every package of the lock with its version and the hashes that it may have; of those
in the wheelhouse the hash of the very file and the licence. Touches: disk, standard output.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
import zipfile
from email.message import Message
from email.parser import Parser
from hashlib import file_digest
from pathlib import Path
from typing import Any, NamedTuple

Component = dict[str, Any]
_PIN = re.compile(r"^([\w.-]+)==([^\s;\\]+)")


class Pin(NamedTuple):
    """One version of a package; some stand twice in a lock, for older and newer Pythons."""

    name: str
    version: str
    hashes: list[str]
    """SHA-256 of any of its files, for whichever machine."""


def locked(lock: Path) -> list[Pin]:
    """Give what a lock file pins."""
    pins: list[Pin] = []
    for line in lock.read_text().splitlines():
        if found := _PIN.match(line):
            pins.append(Pin(found[1], found[2], []))
        elif said := re.match(r"\s+--hash=sha256:(\w+)", line):
            pins[-1].hashes.append(said[1])
    return pins


def bill(lock: Path, wheelhouse: Path) -> dict[str, Any]:
    """Give the document."""
    packed = {_purl(*wheel.name.split("-")[:2]): wheel for wheel in wheelhouse.glob("*.whl")}
    [ours] = wheelhouse.glob("pacslake-*.whl")
    version = ours.name.split("-")[1]
    components = [_component(pin, packed.get(_purl(pin.name, pin.version))) for pin in locked(lock)]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL, _digest(ours)).urn,
        "version": 1,
        "metadata": {"component": {**_component(Pin("pacslake", version, []), ours), "type": "application"}},
        "components": components,
        "dependencies": [{"ref": _purl("pacslake", version), "dependsOn": [one["bom-ref"] for one in components]}],
    }


def _component(pin: Pin, wheel: Path | None) -> Component:
    name, version, hashes = pin
    purl = _purl(name, version)
    component: Component = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if hashes:
        said = [{"alg": "SHA-256", "content": one} for one in hashes]
        place = f"https://pypi.org/project/{name}/{version}/"
        component["externalReferences"] = [{"type": "distribution", "url": place, "hashes": said}]
    if wheel is not None:
        component["hashes"] = [{"alg": "SHA-256", "content": _digest(wheel)}]
        component["licenses"] = [_licence(_metadata(wheel))]
    return component


def _licence(metadata: Message) -> dict[str, Any]:
    """Give what a package says of its licence, in the newest of the three ways there are."""
    if expression := metadata["License-Expression"]:
        return {"expression": expression}
    classified = [
        one.rpartition(" :: ")[2] for one in metadata.get_all("Classifier", []) if one.startswith("License ::")
    ]
    text = str(metadata["License"] or "").strip().partition("\n")[0]
    return {"license": {"name": " or ".join(classified) or text or "not said"}}


def _metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as content:
        [name] = [name for name in content.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
        return Parser().parsestr(content.read(name).decode())


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{_plain(name)}@{version}"


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return file_digest(content, "sha256").hexdigest()


if __name__ == "__main__":
    print(json.dumps(bill(*map(Path, sys.argv[1:])), indent=1))
