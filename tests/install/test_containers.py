"""Dockerfile and compose.yaml, without an engine: built on Debian's Python, run as compose.yaml says, to the end.

What is left out: python:3.13-slim itself and the Orthanc of the image named there, for which Debian's ones stand.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from crawler.settings import load
from docs.making import made
from tests.install.dockerfile import Stage, read
from tests.install.roots import PATH, Container, base_root, build, inside
from tests.integration.files import made_files

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ORTHANC = json.loads((ROOT / "config/compose/orthanc.json").read_text())
STUDIES = 18
"""What `made_files` makes."""
FILL = """
import base64, sys, urllib.request
login = "Basic " + base64.b64encode(b"tryout:tryout").decode()
for path in sys.argv[1:] or [None]:
    url = "http://127.0.0.1:8042/" + ("instances" if path else "changes?last")
    data = open(path, "rb").read() if path else None
    urllib.request.urlopen(urllib.request.Request(url, data, {"Authorization": login})).close()
"""


CAN_MAKE_PAGES = (
    'PYTHONPATH="$(echo /opt/pacslake/lib/python3.*/site-packages):docs" '
    "/opt/build/bin/python -c 'import conf, furo, myst_parser; from making import are_made; assert are_made()'"
)
"""What the Dockerfile copied has Sphinx's settings read, in a second, and is all that the pages were made of."""


@pytest.fixture(scope="module")
def image(debootstrap: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Stage]]:
    made()  # once for all tests: Sphinx takes a quarter of a minute
    stages = read(ROOT / "Dockerfile")
    stages[0].steps.append(("RUN", CAN_MAKE_PAGES))
    folder = tmp_path_factory.mktemp("image")
    yield build(stages, base_root(debootstrap), ROOT, folder), stages[-1]
    shutil.rmtree(folder)


def environment(stage: Stage) -> dict[str, str]:
    return {"HOME": "/data", **{name: value.replace("$PATH", PATH) for name, value in stage.environment.items()}}


@contextmanager
def running(container: Container, words: list[str], network_of: int | None, log: Path) -> Iterator[int]:
    process = container.start(words, network_of, log)
    try:
        yield process.pid
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


def wait_until(holds: Callable[[], object], log: Path) -> None:
    until = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.2)


def beside(process: int, *words: str) -> bool:
    """Run something of this machine in the network of a process; give whether it went well."""
    return (
        subprocess.run(["nsenter", f"--target={process}", "--net", "--", *words], capture_output=True).returncode == 0
    )


def mounts(service: dict[str, Any], root: Path, volumes: dict[str, Path]) -> list[tuple[Path, str, str]]:
    """Give what compose.yaml mounts, and make the places for it, as an engine does."""
    found = []
    for volume in service["volumes"]:
        source, target, mode = [*volume.split(":"), "rw"][:3]
        place = inside(root, target)
        if not place.exists():
            place.mkdir(parents=True)
        found.append((volumes.get(source, ROOT / source), target, mode))
    return found


@contextmanager
def try_out_pacs(binary: Path, folder: Path) -> Iterator[int]:
    """Run Debian's Orthanc as the service `orthanc`; give its process."""
    service = SERVICES["orthanc"]
    seen, archive, log = folder / "seen", folder / "archive", folder / "orthanc.log"
    seen.mkdir()
    archive.mkdir()
    uid, gid = map(int, service["user"].split(":"))
    os.chown(archive, uid, gid)
    placed = mounts(service, Path("/"), {"archive": archive})
    container = Container(seen, service["user"], "/", {"PATH": PATH}, placed, image=Path("/"))
    entrypoint = [str(binary), *service["entrypoint"][1:]]
    with running(container, entrypoint, None, log) as process:
        wait_until(lambda: beside(process, sys.executable, "-c", FILL), log)
        yield process


def test_the_image_holds_the_command_for_an_ordinary_user_and_no_tool_to_build_with(image: tuple[Path, Stage]) -> None:
    root, stage = image
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert stage.labels["org.opencontainers.image.version"] == project["version"]
    assert stage.labels["org.opencontainers.image.description"] == project["description"]
    assert stage.labels["org.opencontainers.image.licenses"] == project["license"]
    assert SERVICES["pacslake"]["image"] == f"pacslake:{project['version']}"
    uid, gid = map(int, stage.user.split(":"))
    assert (inside(root, "/data").stat().st_uid, inside(root, "/data").stat().st_mode & 0o777) == (uid, 0o700)
    assert uid == gid == 1000
    assert stage.volumes == [stage.workdir] == ["/data"]
    installed = {path.name.partition("-")[0] for path in root.glob("opt/pacslake/lib/*/site-packages/*.dist-info")}
    assert {"pacslake", "obstore", "procrastinate", "psycopg_binary"} <= installed
    assert not installed & {"pip", "setuptools", "hatchling", "sphinx", "pytest", "pandas"}
    assert list(root.glob("opt/pacslake/lib/*/site-packages/jobs/docs/made/html/index.html"))
    assert inside(root, "/opt/pacslake/share/man/man1/pacslake.1").is_file()


def test_the_services_of_compose_do_their_work_together(
    image: tuple[Path, Stage], orthanc_binary: Path, tmp_path: Path
) -> None:
    root, stage = image
    service, lake, log = SERVICES["pacslake"], tmp_path / "lake", tmp_path / "pacslake.log"
    shutil.copytree(inside(root, "/data"), lake)
    os.chown(lake, 1000, 1000)  # an engine fills a new volume with what the image has there, and its owner
    inside(root, "/etc/hosts").write_text("127.0.0.1 localhost orthanc\n")
    placed = mounts(service, root, {"lake": lake})
    container = Container(root, stage.user, service["working_dir"], environment(stage), placed)
    with try_out_pacs(orthanc_binary, tmp_path) as pacs:
        assert beside(pacs, sys.executable, "-c", FILL, *map(str, made_files(tmp_path)))
        with running(container, [*stage.entrypoint, *stage.command], pacs, log) as process:
            wait_until(lambda: container.execute(process, stage.healthcheck).returncode == 0, log)

            def typed(*words: str) -> str:
                done = container.execute(process, ["pacslake", *words])
                assert done.returncode == 0, done.stderr
                return done.stdout

            wait_until(lambda: (lake / "lake/lake.duckdb").exists(), log)  # it notes that its jobs are new
            typed("sweep", "--log-level", "error")
            assert typed("sql", "select count(*) from studies", "--format", "csv").split() == [
                "count_star()",
                f"{STUDIES}",
            ]
            assert "orthanc" in typed("status")
            refused = container.execute(process, ["touch", "/opt/pacslake/x", "/etc/pacslake/x"])
            assert refused.stderr.count("Read-only file system") == 2
    assert json.loads(log.read_text().splitlines()[-1])["event"] == "stopped"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_shut_in_and_published_to_this_machine_alone(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert all(port.startswith("127.0.0.1:") and port.count(":") == 2 for port in service.get("ports", ()))
    assert not set(service) & {"privileged", "network_mode", "pid", "cap_add", "devices"}
    assert service.get("user", read(ROOT / "Dockerfile")[-1].user).split(":")[0] != "0"
    assert "healthcheck" in service or ("build" in service and read(ROOT / "Dockerfile")[-1].healthcheck)
    for volume in service["volumes"]:
        source = volume.partition(":")[0]
        assert source in COMPOSE["volumes"] or ((ROOT / source).exists() and volume.endswith(":ro"))


def test_compose_orthanc_and_pacslake_name_the_same_things() -> None:
    settings = load(ROOT / "config/compose/pacslake/pacslake.toml")
    [(name, pacs)] = settings.pacs.items()
    assert name == pacs.host == "orthanc"
    assert name in SERVICES
    assert (pacs.port, pacs.ae_title) == (ORTHANC["DicomPort"], ORTHANC["DicomAet"])
    published = {int(port.split(":")[2]) for port in SERVICES["orthanc"]["ports"]}
    assert published == {ORTHANC["DicomPort"], ORTHANC["HttpPort"]}
    [known] = ORTHANC["DicomModalities"].values()
    assert (known["AET"], known["Port"]) == (settings.local.ae_title, settings.local.port)
    [user] = ORTHANC["RegisteredUsers"].items()
    assert [f"--user={user[0]}", f"--pwd={user[1]}"] == SERVICES["orthanc"]["healthcheck"]["test"][-2:]
    lake = next(volume for volume in SERVICES["pacslake"]["volumes"] if volume.startswith("lake:"))
    assert str(settings.lake.path).startswith(lake.partition(":")[2])
    assert settings.serve.address == ("127.0.0.1", 8080), "which the image's HEALTHCHECK asks"
    grace = SERVICES["pacslake"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) > 10


def test_what_the_dockerfile_copies_is_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    for stage in read(ROOT / "Dockerfile"):
        copied = [rest.split()[:-1] for word, rest in stage.steps if word == "COPY" and "--from" not in rest]
        assert {f"!{source}" for sources in copied for source in sources} <= set(ignored)
