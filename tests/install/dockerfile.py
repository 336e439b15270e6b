"""Read the few instructions of a Dockerfile that ours uses."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

WORDS = {"FROM", "WORKDIR", "COPY", "RUN", "LABEL", "ENV", "USER", "VOLUME", "HEALTHCHECK", "ENTRYPOINT", "CMD"}


@dataclass
class Stage:
    """What makes one image: its steps in their order, and what it says of itself."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)
    """RUN, COPY and WORKDIR with what follows them; the others say how the image is to be run."""
    labels: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "0:0"
    workdir: str = "/"
    volumes: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)


def read(file: Path) -> list[Stage]:
    """Give the stages; the last one is the image."""
    lines = "".join(line for line in file.read_text().splitlines(keepends=True) if not line.startswith("#"))
    stages: list[Stage] = []
    for line in filter(None, lines.replace("\\\n", " ").splitlines()):
        word, rest = line.split(maxsplit=1)
        assert word in WORDS, f"the reader does not know {word}"
        if word == "FROM":
            base, _, name = re.sub(r"\s+AS\s+", " ", rest).partition(" ")
            stages.append(Stage(base, name))
        else:
            _take(stages[-1], word, rest.strip())
    return stages


def _take(stage: Stage, word: str, rest: str) -> None:
    if word in ("RUN", "COPY", "WORKDIR"):
        stage.steps.append((word, rest))
        stage.workdir = rest if word == "WORKDIR" else stage.workdir
    elif word in ("LABEL", "ENV"):
        pairs = dict(pair.split("=", 1) for pair in shlex.split(rest))
        (stage.labels if word == "LABEL" else stage.environment).update(pairs)
    elif word == "USER":
        stage.user = rest
    elif word == "VOLUME":
        stage.volumes.append(rest)
    elif word == "HEALTHCHECK":
        stage.healthcheck = json.loads(rest[rest.index("[") :])
    elif word == "ENTRYPOINT":
        stage.entrypoint = json.loads(rest)
    else:
        stage.command = json.loads(rest)
