"""What every test may ask for: the real servers that stand in for a PACS."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import hypothesis
import pytest

from jobs.wiring import Hidden

if TYPE_CHECKING:
    from tests.acceptance.queues import Cluster

IN_CI = bool(os.environ.get("CI"))
SEARCHED = os.pathsep.join(["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", os.environ.get("PATH", "")])
"""The system's folders first: pynetdicom puts a findscu of its own into the virtual environment."""

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False  # else each command that a test starts compiles all modules anew: half a second of CPU

UMASK = os.umask(0o022)
"""Of whoever runs the tests; it can be read by setting it alone."""
os.umask(UMASK)

hypothesis.settings.register_profile("pacslake", deadline=None, derandomize=IN_CI)
hypothesis.settings.load_profile("pacslake")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As in a background job of a shell: the commands that tests start would inherit it, and not heed Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _process() -> Iterator[None]:
    """Let what a command does to its process end with the test that runs it in this one."""
    yield
    os.umask(UMASK)
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Hidden)]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each worker whole files, and one of them all files of the browser: they look at the same service."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):  # type: ignore[misc]  # it has no types
        def _split_scope(self, nodeid: str) -> str:
            return "tests/browser" if nodeid.startswith("tests/browser/") else super()._split_scope(nodeid)

    return Scheduling(config, log)


def find_peer(program: str, package: str) -> Path:
    """Find a server's program. Without it the test fails in continuous integration and is skipped, aloud, elsewhere."""
    found = shutil.which(program, path=SEARCHED)
    if found is None:
        _cannot(f"{program} is not installed. On Debian or Ubuntu type: sudo apt-get install {package}")
    return Path(found)


def _cannot(sentence: str) -> NoReturn:
    if IN_CI:
        pytest.fail(sentence)
    pytest.skip(sentence)


@pytest.fixture(scope="session")
def daft_python() -> Callable[[], Path]:
    """Give the function that finds the Python of Daft's own environment, which tests/install_peers makes."""

    def find() -> Path:
        found = Path(sys.prefix) / "daft" / "bin" / "python"
        if not found.exists():
            _cannot("Daft is not installed. Type: make peers")
        return found

    return find


@pytest.fixture(scope="session")
def orthanc_binary() -> Path:
    """Give the path of Orthanc."""
    return find_peer("Orthanc", "orthanc")


@pytest.fixture(scope="session")
def dicomweb_plugin(orthanc_binary: Path) -> Path:
    """Give the path of Orthanc's DICOMweb plugin."""
    found = orthanc_binary.parents[1] / "share/orthanc/plugins/libOrthancDicomWeb.so"
    if not found.exists():
        _cannot("Orthanc's DICOMweb plugin is not installed. Type: sudo apt-get install orthanc-dicomweb")
    return found


@pytest.fixture(scope="session")
def chromium_binary() -> Path:
    """Give the path of Chromium."""
    return find_peer("chromium", "chromium")


@pytest.fixture(scope="session")
def dcmtk_tool() -> Callable[[str], Path]:
    """Give the function that finds a DCMTK program, `dcmqrscp` say."""
    return lambda program: find_peer(program, "dcmtk")


@pytest.fixture(scope="session")
def postgres_programs() -> Path:
    """Give the folder of PostgreSQL's own programs, which Debian keeps off the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else find_peer("initdb", "postgresql").parent


@pytest.fixture(scope="module")
def postgres(postgres_programs: Path) -> Iterator[Cluster]:
    """Run a PostgreSQL of the tests' own."""
    from tests.acceptance.queues import cluster

    with cluster(postgres_programs) as found:
        yield found


@pytest.fixture(scope="session")
def man() -> Path:
    """Find what shows manuals."""
    return find_peer("man", "man-db")


@pytest.fixture(scope="session")
def debootstrap() -> Path:
    """Give the path of debootstrap, which only root can use, as the namespaces that go with it."""
    if os.geteuid():
        _cannot("Building and running the image without a container engine takes root")
    return find_peer("debootstrap", "debootstrap")


@pytest.fixture(scope="session")
def dciodvfy() -> Path:
    """Give the path of dicom3tools' checker of datasets."""
    return find_peer("dciodvfy", "dicom3tools")


@pytest.fixture(scope="session")
def libnss_wrapper() -> Path:
    """Give the library that gives a process a hosts file of its own."""
    found = next(Path("/usr/lib").glob("*/libnss_wrapper.so"), None)
    if found is None:
        _cannot("libnss_wrapper is not installed. On Debian or Ubuntu type: sudo apt-get install libnss-wrapper")
    return found


@pytest.fixture(scope="session")
def faketime() -> Path:
    """Give the library that gives a process a clock of its own."""
    program = find_peer("faketime", "faketime")
    return next((program.parents[1] / "lib").glob("*/faketime/libfaketime.so.1"))
