"""Stand in for a container engine: build the Dockerfile on Debian's own Python, and run what was built.

A root folder made with debootstrap stands for python:3.13-slim, which comes from a registry that tests do not ask. What
is built runs in a chroot with mounts and a network of its own: loopback and nothing else. Touches: disk, processes.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.install.dockerfile import Stage

SUITE = "bookworm"
"""Its Python is 3.11, the oldest one that pacslake takes."""
CACHE = Path("/var/cache/pacslake-tests")
PATH = "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"
NETWORK = ("/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
"""What an engine, or its administrator, gives a build so that pip finds its way."""


def base_root(debootstrap: Path) -> Path:
    """Make what stands for the base image, once a machine."""
    root = CACHE / SUITE
    if not root.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        unfinished = Path(f"{root}.{os.getpid()}")
        packages = "--include=python3,python3-venv,ca-certificates"
        command = [str(debootstrap), "--variant=minbase", packages, SUITE, str(unfinished)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:]
        shutil.rmtree(unfinished / "var/cache/apt")
        shutil.rmtree(unfinished / "usr/share/doc")
        (unfinished / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        unfinished.rename(root)
    return root


def build(stages: Sequence[Stage], base: Path, context: Path, folder: Path) -> Path:
    """Do the steps of all stages; give the root of the last one."""
    roots: dict[str, Path] = {}
    for number, stage in enumerate(stages):
        root = folder / str(number)
        subprocess.run(["cp", "--archive", "--reflink=auto", str(base), str(root)], check=True)
        roots[stage.name or str(number)] = root
        workdir = "/"
        for word, rest in stage.steps:
            if word == "WORKDIR":
                workdir = rest
                inside(root, workdir).mkdir(parents=True, exist_ok=True)
            elif word == "COPY":
                _copy(rest, roots, context, (root, workdir))
            else:
                _run(root, workdir, rest)
    return roots[stages[-1].name or str(len(stages) - 1)]


def inside(root: Path, path: str) -> Path:
    """Give where a path of the image lies."""
    return root / path.lstrip("/")


def _copy(rest: str, roots: Mapping[str, Path], context: Path, here: tuple[Path, str]) -> None:
    root, workdir = here
    *sources, target = shlex.split(rest)
    place = inside(root, str(Path(workdir, target)))
    if sources[0].startswith("--from="):
        context, sources = roots[sources[0].partition("=")[2]], [one.lstrip("/") for one in sources[1:]]
    for source in sources:
        from_here = context / source
        if from_here.is_dir():
            shutil.copytree(from_here, place, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(from_here, place)


def _run(root: Path, workdir: str, command: str) -> None:
    for name in NETWORK:
        if Path(name).exists():
            shutil.copy(name, inside(root, name))
    given = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.endswith("_proxy")}
    environment = [f"{name}={value}" for name, value in {"PATH": PATH, "HOME": "/root", **given}.items()]
    words = ["chroot", str(root), "env", "-i", f"--chdir={workdir}", *environment, "/bin/sh", "-c", command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"


@dataclass(frozen=True)
class Container:
    """How to run an image: who it is, what it sees, as an engine would make of compose.yaml."""

    root: Path
    """Where it is to be seen as a root; of `image`, if that is another folder."""
    user: str
    workdir: str
    environment: Mapping[str, str]
    mounts: Sequence[tuple[Path, str, str]] = ()
    """Folders and files of this machine, where they are seen, and "ro" or "rw"."""
    image: Path | None = None

    def start(self, words: Sequence[str], network_of: int | None, log: Path) -> subprocess.Popen[bytes]:
        """Start a command, in the network of another process or one of its own, without any privilege."""
        script = "\n".join([*self._lines(), f"exec {shlex.join(self._words(words))}"])
        network = ["nsenter", f"--target={network_of}", "--net", "--"] if network_of else []
        own = ["unshare", "--mount"] if network_of else ["unshare", "--mount", "--net"]
        with log.open("wb") as out:
            return subprocess.Popen([*network, *own, "sh", "-ec", script], stdout=out, stderr=out)

    def execute(self, beside: int, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command beside a process of the container, as `docker compose exec` does."""
        command = ["nsenter", f"--target={beside}", "--net", "--mount", "--", *self._words(words)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    def _lines(self) -> list[str]:
        root = shlex.quote(str(self.root))
        lines = ["ip link set lo up", f"mount --rbind {shlex.quote(str(self.image or self.root))} {root}"]
        lines.append(f"mount -t proc proc {root}/proc")
        for source, target, mode in self.mounts:
            place = shlex.quote(str(inside(self.root, target)))
            lines.append(f"mount --bind {shlex.quote(str(source))} {place}")
            lines += [f"mount -o remount,ro,bind {place}"] if mode == "ro" else []
        lines.append(f"mount -t tmpfs tmpfs {root}/tmp")
        return [*lines, f"mount -o remount,ro,bind {root}"]

    def _words(self, words: Sequence[str]) -> list[str]:
        uid, gid = self.user.split(":")
        rights = ["--clear-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
        environment = [f"{name}={value}" for name, value in self.environment.items()]
        return [
            *("chroot", str(self.root), "setpriv", f"--reuid={uid}", f"--regid={gid}", *rights),
            *("env", "-i", f"--chdir={self.workdir}", *environment, *words),
        ]
