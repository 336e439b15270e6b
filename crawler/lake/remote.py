"""A lake on object storage: which folder is a working copy of it, and requests to the store. Touches: network, disk.

The log there is the truth. Its files never change, but for `_last_checkpoint`, so that a copy of one is exact or none.
Nothing of a name or an answer can be a patient's; nothing of who asks is ever written or told.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from crawler.apart import apart
from crawler.errors import LakeError, NoLakeError, UserError
from crawler.lake.commits import log_folder, newest_version
from crawler.lake.files import replace_with, sync
from crawler.place import Place

if TYPE_CHECKING:
    from obstore.store import ObjectStore

FOLDER = "remote"
"""In a working copy: of what it is a copy, and what was seen there."""
LOG, COMMITS = "log/", "log/_delta_log/"
"""What names of objects begin with, below the prefix."""
AT_ONCE = 8
"""Requests under way together."""
_DRAFT = "fetched-"
_PLACE = [part.name for part in fields(Place)]
_TRIES = 3
"""How often a commit is offered whose answers are lost."""
_LONGEST = timedelta(hours=12)
"""A request may take that long as long as bytes come."""

_TROUBLES = (
    ("169.254.169.254", "nothing says who asks: AWS_ACCESS_KEY_ID and the like are not set"),
    ("ConnectionRefused", "nobody listens there"),
    ("dns error", "its name is not known"),
    ("ertificate", "its certificate is not trusted: [lake] ca_file names who signed it"),
    ("Timeout", "it did not answer in time"),
    ("IncompleteMessage", "the connection was cut"),
    ("ConnectionReset", "the connection was cut"),
)
"""What the library's words for a trouble mean, the first that fits."""

T = TypeVar("T")
U = TypeVar("U")


class StoreError(LakeError):
    """The object store could not be asked, or would not do it: nothing is torn, the same may work later."""


class GoneError(StoreError):
    """The store has no object of this name."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One object of a lake."""

    name: str
    """As the path in a lake's folder."""
    size: int
    tag: str
    """Another one where the object is another."""
    at: datetime
    """When it came there."""


class Remote:
    """The store of one working copy. Any thread may ask it."""

    def __init__(self, lake: Path, place: Place, copy: str) -> None:
        self.lake = lake
        self.place = place
        self.copy = copy
        """Tells this copy from all others; its commits bear it."""

    @property
    def url(self) -> str:
        """What people call the lake."""
        return self.place.url

    @cached_property
    def _store(self) -> ObjectStore:
        return _store_of(self.place)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes and threads from changing what is made from the log; wait for them."""
        with open(self.lake / FOLDER / "lock", "a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def listed(self, beginning: str, after: str | None = None) -> list[Listed]:
        """List objects by what their names begin with, and come after."""
        import obstore

        found = self._ask(beginning, lambda: obstore.list(self._store, beginning, offset=after).collect())
        objects = (Listed(one["path"], one["size"], one["e_tag"] or "", one["last_modified"]) for one in found)
        return sorted(objects, key=lambda one: one.name)

    def read(self, name: str) -> bytes:
        """Give a small object. GoneError where there is none."""
        import obstore

        return self._ask(name, lambda: bytes(obstore.get(self._store, name).bytes()))

    def fetch(self, name: str, fits: Callable[[str, int], bool], target: Path | None = None) -> None:
        """Bring an object to its place in the copy, if its digest and size fit what is known. GoneError, StoreError.

        It is on disk before it has its name.
        """
        import obstore

        def stream(file: BinaryIO) -> tuple[str, int]:
            known, size = sha256(), 0
            for piece in obstore.get(self._store, name).stream(1 << 20):
                known.update(piece)
                size += file.write(piece)
            return known.hexdigest(), size

        with self._placed(target or self.lake / name) as file:
            if not fits(*self._ask(name, lambda: stream(file))):
                raise StoreError(f"{self.url}/{name} is not what was written. A backup, or another copy, has it.")

    def place_file(self, target: Path, content: bytes) -> None:
        """Put a file in its place in the copy, or another's: whole and on disk before it has its name."""
        with self._placed(target) as file:
            file.write(content)

    @contextmanager
    def _placed(self, target: Path) -> Iterator[BinaryIO]:
        """Give a file that is put in its place when it was written; not where that failed."""
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = self.lake / FOLDER / f"{_DRAFT}{secrets.token_hex(8)}"
        try:
            with open(draft, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, target)
        finally:
            draft.unlink(missing_ok=True)
        sync(target.parent)

    def sweep_drafts(self) -> None:
        """Remove what was being fetched when somebody was killed. Only for who is alone."""
        for draft in (self.lake / FOLDER).glob(f"{_DRAFT}*"):
            draft.unlink()

    def push(self, paths: Iterable[Path]) -> None:
        """Bring files of the copy to the store, under the same names."""
        import obstore

        def one(path: Path) -> None:
            name = path.relative_to(self.lake).as_posix()
            self._ask(name, lambda: obstore.put(self._store, name, path))

        at_once(one, list(paths))

    def create(self, name: str, content: bytes) -> None:
        """Put an object where none is. FileExistsError where another one is there, StoreError where nobody knows.

        An answer may be lost after the store obeyed: what lies there then is ours.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

        failed: Exception | None = None
        for _ in range(_TRIES):
            try:
                interruptibly(lambda: obstore.put(self._store, name, content, mode="create"))
            except (AlreadyExistsError, PreconditionError):
                pass
            except (BaseError, ValueError, FileNotFoundError) as error:  # the last where there is no bucket
                failed = error
            else:
                return
            there = self._has(name)
            if there == content:
                return
            if there is not None:
                raise FileExistsError(f"{self.url}/{name}")
        raise self._error(name, failed or GoneError())

    def require_create_only(self, name: str) -> None:
        """Have the store refuse to put an object where it is already. StoreError where it does not."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

        content = (self.lake / name).read_bytes()
        for attempt in range(_TRIES):
            try:
                interruptibly(lambda: obstore.put(self._store, name, content, mode="create"))
            except (AlreadyExistsError, PreconditionError):
                return
            except (BaseError, ValueError) as error:
                if attempt + 1 == _TRIES:
                    raise self._error(name, error) from None
            else:
                break
        raise StoreError(
            f"{self.url} is a store that overwrites what it is told to create only (If-None-Match): "
            "two writers would destroy each other's rows there. Take a store that knows conditional writes."
        )

    def delete(self, names: Sequence[str]) -> None:
        """Delete objects; one that is gone already is right."""
        import obstore

        if names:
            with suppress(GoneError):
                self._ask(LOG, lambda: obstore.delete(self._store, list(names)))

    def seen(self) -> tuple[int, str]:
        """Give the newest commit that was seen whole in the store and shown here, and its tag; -1 for none."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            said = json.loads((self.lake / FOLDER / "seen.json").read_bytes())
            return int(said["version"]), str(said["tag"])
        return -1, ""

    def note_seen(self, version: int, tag: str) -> None:
        """Write that down."""
        text = json.dumps({"version": version, "tag": tag})
        replace_with(self.lake / FOLDER / "seen.json", text.encode())

    def _has(self, name: str) -> bytes | None:
        try:
            return self.read(name)
        except GoneError:
            return None

    def _ask(self, name: str, question: Callable[[], T]) -> T:
        """Have the library do something; what it raises is a StoreError."""
        from obstore.exceptions import BaseError

        try:
            return interruptibly(question)
        except FileNotFoundError as error:
            if error.filename:  # on this machine
                raise
            raise GoneError(f"{self.url} has no {name}.") from None
        except (BaseError, ValueError) as error:
            raise self._error(name, error) from None

    def _error(self, name: str, error: Exception) -> StoreError:
        """Say what was wrong, without the words of the store: they may tell of who asked."""
        said = f"{self.url} cannot be used now ({_reason(error)}, at {name}). Nothing is torn: type the same again."
        if (catalog := self.lake / "lake.duckdb").exists():
            said += f" What was fetched before can be read by: duckdb -readonly {catalog}"
        return StoreError(said)


def remote_of(lake: Path) -> Remote | None:
    """Give the store of which a folder is a working copy; None for a lake that is at home in its folder."""
    marker = lake / FOLDER / "where.json"
    try:
        said = json.loads(marker.read_bytes())
        return Remote(lake, Place(**{name: said[name] for name in _PLACE}), said["copy"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise LakeError(f"{marker} is not what was written: remove it, the settings make it anew") from error


def pull(lake: Path) -> None:
    """Fetch what is new where a folder is a working copy; of a lake that is at home there is nothing to do."""
    if remote := remote_of(lake):
        from crawler.lake.pulling import bring_up  # pyarrow, for which who opens a lake that is at home need not wait

        bring_up(remote)


def name_of(lake: Path) -> str:
    """Say what people call a lake: its folder, or the URL of which that is a copy."""
    remote = remote_of(lake)
    return str(lake) if remote is None else remote.url


def no_lake(lake: Path) -> NoLakeError:
    """Say that there is none, and how to come by one."""
    return NoLakeError(f"There is no lake at {name_of(lake)}. Run `pacslake sweep` to make one, or check [lake] path.")


def attach(lake: Path, place: Place | None, mode: int = 0o700) -> None:
    """Make a folder the working copy of a lake on object storage. UserError where it is something else."""
    before = remote_of(lake)
    if place is None or (before and before.place == place):
        return
    if before and before.url != place.url:
        raise UserError(f"{lake} is the working copy of {before.url}: choose another folder as [lake] cache")
    if not (lake / FOLDER).is_dir() and newest_version(log_folder(lake)) >= 0:
        raise UserError(f"{lake} is a lake of its own: choose another folder as [lake] cache")
    for folder in [one for one in (lake, *lake.parents) if not one.exists()][::-1]:
        folder.mkdir(mode=mode, exist_ok=True)
    (lake / FOLDER).mkdir(exist_ok=True)
    copy = before.copy if before else secrets.token_hex(8)
    replace_with(lake / FOLDER / "where.json", json.dumps(asdict(place) | {"copy": copy}, indent=2).encode())


def at_once(work: Callable[[T], U], those: Sequence[T]) -> list[U]:
    """Do the same with several things, some of them together."""
    if len(those) < 2:
        return [work(one) for one in those]
    results: dict[int, U] = {}
    places = iter(range(len(those)))

    def some() -> None:
        for place in places:
            results[place] = work(those[place])

    workers = [apart(some, "store") for _ in range(min(AT_ONCE, len(those)))]
    wait(workers)
    for worker in workers:
        worker.result()
    return [results[place] for place in range(len(those))]


def interruptibly(question: Callable[[], T]) -> T:
    """Ask where Ctrl-C ends the waiting: while the library works, and it tries for minutes, no signal has a turn."""
    if threading.current_thread() is not threading.main_thread():
        return question()
    return apart(question, "store").result()


def _store_of(place: Place) -> ObjectStore:
    """Open it as the environment says. UserError where the library for it is missing, or it does not say enough."""
    try:
        from obstore import store
        from obstore.exceptions import BaseError
    except ImportError:
        raise UserError(f"{place.url} needs obstore; type: pip install 'pacslake[object-storage]'") from None
    wait = timedelta(seconds=place.timeout)
    client: dict[str, Any] = {"connect_timeout": min(wait, timedelta(seconds=10)), "read_timeout": wait}
    client |= {"timeout": _LONGEST, "allow_http": True}  # which is what an endpoint says, whoever names it
    if place.ca_file:
        client["root_certificate"] = Path(place.ca_file).read_bytes()
    retry: Any = {
        "max_retries": 100,
        "retry_timeout": 3 * wait,
        "backoff": {"max_backoff": min(wait, timedelta(seconds=5))},
    }
    config: dict[str, Any] = {"endpoint": place.endpoint, "region": place.region}
    config = {key: value for key, value in config.items() if value is not None}
    made: dict[str, Any] = {"s3": store.S3Store, "gs": store.GCSStore, "az": store.AzureStore}
    if place.kind == "gs":
        config = {}
    elif place.kind == "az":
        config.pop("region", None)
    try:
        opened: ObjectStore = made[place.kind](
            place.bucket, prefix=place.prefix or None, config=config, client_options=client, retry_config=retry
        )
    except (BaseError, ValueError) as error:
        raise UserError(f"{place.url} cannot be opened: {type(error).__name__}; see docs/object-storage.md") from None
    return opened


def _reason(error: Exception) -> str:
    """Give a status, or the kind of the trouble."""
    said = str(error)
    if status := re.search(r"status(?: code)?:? (\d{3})", said):
        word = re.search(r"<Code>([A-Za-z]{2,40})</Code>", said)
        return f"status {status[1]}{f', {word[1]}' if word else ''}"
    return next((words for part, words in _TROUBLES if part in said), type(error).__name__.removesuffix("Error"))
