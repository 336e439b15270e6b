"""What the settings need of this machine: folders and their room, ports, the clock's zone, secrets, certificates.

Touches: disk, clock, network (ports are taken and let go).
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import crawler
from crawler.certificates import valid_until
from crawler.errors import LakeError, NoLakeError, QueueError, UserError
from crawler.folders import require_private
from crawler.lake.remote import StoreError
from crawler.lake.status import status_of
from crawler.pacs.check.verdict import Verdict, note, ok, problem
from crawler.serve.neighbours import listener_of, name_of
from crawler.settings import Settings
from crawler.settings.reading import secrets_of
from jobs.certificates import SOON, expiries, told
from jobs.troubles import LOW

MADE_LATER = ("deid.key_file", "phi.key_file", "serve.password_file")
"""Files that pacslake writes itself, when they are wanted first."""


def of_folders(settings: Settings) -> Iterator[Verdict]:
    """Say of the lake and the store whether we can write there, who else can look, and how much room there is."""
    for check, folder, key in (
        ("lake", settings.lake.path, "[lake] path"),
        ("store", settings.local.store_path, "[local] store_path"),
    ):
        yield from _folder(check, folder, key)


def of_lake(settings: Settings) -> Iterator[Verdict]:
    """Say whether the lake can be read, by its log and by its DuckDB file."""
    path = settings.lake.path
    try:
        by_file = status_of(path).version
        with crawler.open_lake(path) as lake:
            by_log = lake.version
    except NoLakeError:
        yield note("tables", "there is no lake yet", remedy="pacslake sweep")
        return
    except (StoreError, UserError) as error:
        yield problem("tables", str(error), "docs/object-storage.md says what a lake in a bucket needs")
        return
    except LakeError as error:
        yield problem("tables", str(error), "pacslake verify says which file it is")
        return
    text = f"the log can be read, at version {by_log}"
    if by_file == by_log:
        yield ok("tables", f"{text}; so can lake.duckdb")
    else:
        yield note("tables", f"{text}; lake.duckdb is of version {by_file}", remedy="the next sweep writes it anew")


def of_ports(settings: Settings) -> Iterator[Verdict]:
    """Say whether the ports that the settings name can be had, or are ours already."""
    wanted = [("find_scp.listen", settings.find_scp.address), ("local.port", ("0.0.0.0", settings.local.port))]
    if settings.serve.address is not None:
        wanted.insert(0, ("serve.listen", settings.serve.address))
    for key, address in wanted:
        yield _port(key, address)


def of_the_clock(settings: Settings) -> Iterator[Verdict]:
    """Compare the site's clock with this machine's."""
    now, zone = datetime.now(UTC), settings.local.time_zone
    site, here = now.astimezone(ZoneInfo(zone)), now.astimezone()
    if site.utcoffset() == here.utcoffset():
        yield ok("time zone", f"{zone}, now {site:%Y-%m-%d %H:%M}")
    else:
        text = f"in {zone} it is {site:%H:%M}, on this machine {here:%H:%M}; jobs and allowed hours go by {zone}"
        yield note("time zone", text, remedy="set [local] time_zone to that of the site, if it is another")


def of_secrets(settings: Settings) -> Iterator[Verdict]:
    """Read each secret that is named, systemd's credentials too, and forget it."""
    for keys, secret in secrets_of(settings):
        name = ".".join(keys)
        if name in MADE_LATER and secret.file is not None and not secret.file.exists():
            continue
        try:
            secret.read()
        except UserError as error:
            yield problem(name, str(error), f"{name} says where it is looked for")
        else:
            yield ok(name, f"{secret} can be read, by us alone")


def of_certificates(settings: Settings) -> Iterator[Verdict]:
    """Say of each certificate that is named, or that a PACS showed, until when it is valid."""
    for file in settings.certificates:
        try:
            valid_until(file.path)
        except UserError as error:
            yield problem(file.setting, str(error), "put the certificate there, as PEM, or name another file")
    for setting, until in sorted(expiries(settings).items()):
        if until < datetime.now(UTC) + SOON:
            text, _, remedy = told(setting, until).partition(": ")
            expired = until < datetime.now(UTC)
            yield problem(setting, text, remedy) if expired else note(setting, text, remedy=remedy)
        else:
            yield ok(setting, f"the certificate is valid until {until:%Y-%m-%d}")


def _folder(check: str, folder: Path, key: str) -> Iterator[Verdict]:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        who = name_of(os.geteuid())
        yield problem(check, f"{there} is no folder that {who} can write in", f"chown {who} {there}; or change {key}")
        return
    free = shutil.disk_usage(there).free
    room = f"{free / 10**9:,.0f} GB free"
    if there != folder:
        yield ok(check, f"{folder} is not there yet, and can be made; {room}")
    else:
        try:
            require_private(folder)
        except UserError as error:
            text, _, remedy = str(error).partition(": type ")
            yield problem(check, text, remedy)
        else:
            yield ok(check, f"{folder} is open to nobody else than the settings say; {room}")
    if free < LOW:
        yield problem(f"room for {check}", f"{room} on the disk of {there}", f"make room, or move {key}")


def _port(key: str, address: tuple[str, int]) -> Verdict:
    host, port = address
    where = f"{host}:{port}"
    try:
        socket.create_server(address, family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except PermissionError:
        return problem(key, f"{where} is for root alone", "choose a port above 1023")
    except OSError as error:
        owner = listener_of(port)
        if owner == os.geteuid():
            return ok(key, f"{where} is taken by a process of {name_of(owner)}, as by a service that runs")
        whose = f"taken by a process of {name_of(owner)}" if owner is not None else f"not to be had ({error.strerror})"
        return problem(key, f"{where} is {whose}", f"choose another address or port in {key}")
    return ok(key, f"{where} is free")


def of_queue(settings: Settings) -> Iterator[Verdict]:
    """Ask the queue by which services share their jobs, where there is one."""
    if settings.serve.queue is None:
        return
    try:
        from jobs.shared_jobs import living, services_of

        told = living(services_of(settings))
    except ModuleNotFoundError as error:
        yield problem("queue", f"{error.name} is not installed", "pip install 'pacslake[queue]'")
    except (QueueError, UserError) as error:
        yield problem("queue", str(error), "docs/several-machines.md says how a queue is set up")
    else:
        yield ok("queue", f"it answers; {told}")
