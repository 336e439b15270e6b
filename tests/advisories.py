"""Whether a known vulnerability is in what is locked: `python -m tests.advisories LOCK`; `make check` asks.

One question to OSV, which gathers the advisories of PyPI and GitHub. Who cannot ask says so aloud and ends with 0: no
network is no vulnerability, and no proof that there is none. Touches: network, standard output and error.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from pathlib import Path

from tests.install.bill_of_materials import locked

OSV = "https://api.osv.dev/v1/querybatch"
PATIENCE = 5.0


def main(lock: Path, asked: str) -> int:
    """Ask, print what is known, and give the exit code: 1 for a vulnerability."""
    pins = locked(lock)
    queries = [{"package": {"name": pin.name, "ecosystem": "PyPI"}, "version": pin.version} for pin in pins]
    request = urllib.request.Request(
        asked, json.dumps({"queries": queries}).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            results = json.load(answer)["results"]
        known = [[one["id"] for one in result.get("vulns", ())] for result in results]
        found = list(zip(pins, known, strict=True))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        print(
            f"NOT ASKED: {asked} did not answer ({error}); known vulnerabilities in {lock} were not looked for.",
            file=sys.stderr,
        )
        return 0
    for pin, ids in found:
        if ids:
            told = f"{pin.name} {pin.version} is vulnerable: {', '.join(ids)} (https://osv.dev). Type: make lock"
            print(told, file=sys.stderr)
    if any(ids for _, ids in found):
        return 1
    print(f"No known vulnerability in the {len(pins)} packages of {lock}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), os.environ.get("PACSLAKE_ADVISORIES", OSV)))
