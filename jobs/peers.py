"""Whom a command calls: PACS of pacslake.toml by their names, and others by `AE@host:port`. Touches: disk, clock.

What is configured is asked through its gate, as everybody does; an address that is that of a configured PACS is that
PACS. For others nothing is known, and nothing limited.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from crawler.errors import LakeError, NotNowError, UserError
from crawler.model import AETitle, Finding, Limits, Peer
from crawler.pacs.profile import Profile, profile_from
from jobs.gate import Gate
from jobs.permission import admitted, gate_of, is_switched_off, regardless_of_hours, watching
from jobs.wiring import settings_from

if TYPE_CHECKING:
    from crawler.settings import PacsSettings, Settings

SETTINGS_FILE = Path("pacslake.toml")
"""Read where it is; without it, PACS are called by their addresses."""


@dataclass(frozen=True, slots=True)
class Calling:
    """What a person said of how to call: the settings file, and what shall hold instead of what it says."""

    config: Path = SETTINGS_FILE
    ae_title: str | None = None
    timeout: float | None = None
    """Seconds to wait for the connection, and for each byte that is awaited."""
    now: bool = False


@dataclass(frozen=True, slots=True)
class Called:
    """One who is called. `pacs` holds what is set of it, or the defaults where it was named by its address."""

    peer: Peer
    pacs: PacsSettings
    gate: Gate


def profile_of(settings: Settings | None, called: Called) -> Profile:
    """Give what is known of a PACS: what is set of it, and what the lake, if there is one, has learned."""
    learned: Sequence[Finding] = ()
    if settings is not None and called.peer.is_configured:
        from crawler.lake.resume import findings_of  # DuckDB: half a second, of which an address need know nothing

        with suppress(LakeError):
            learned = findings_of(settings.lake.path, called.peer.name)
    return profile_from(learned, called.pacs.overrides)


class Peers:
    """Those that a command calls. UserError for a wrong name or address, NotNowError when none may be asked now."""

    def __init__(self, texts: Sequence[str], calling: Calling) -> None:
        self._calling = calling
        settings = _settings(calling.config, texts)
        names = tuple(dict.fromkeys(_configured(settings, text) or text for text in texts))
        known = [name for name in names if settings and name in settings.pacs]
        if settings is not None and is_switched_off(settings):
            raise NotNowError(f"the kill switch {settings.local.kill_switch} is there; delete it to go on")
        if settings is not None and calling.now:
            settings = regardless_of_hours(settings, known)
        self.settings = settings
        """None where there is no settings file."""
        closed = set(known) - set(admitted(settings, known)) if settings and known else ()
        self.called = tuple(self._found(name) for name in names if name not in closed)

    @asynccontextmanager
    async def permitted(self) -> AsyncIterator[None]:
        """Keep looking, while the block runs, whether those that are configured may still be asked."""
        if self.settings is None:
            yield
            return
        gates = {one.peer.name: one.gate for one in self.called if one.peer.name in self.settings.pacs}
        async with watching(self.settings, gates):
            yield

    def _found(self, name: str) -> Called:
        if self.settings is not None and name in self.settings.pacs:
            pacs, gate = self.settings.pacs[name], gate_of(self.settings, name)
            if pacs.web:
                raise UserError(f"{name} is asked by DICOMweb, which this command does not speak; sweep it instead")
            gate.insists = True
            return Called(self._heeding(self.settings.peer(name)), pacs, gate)
        from crawler.settings.address import pacs_at

        pacs, ours = pacs_at(name), self.settings.local.ae_title if self.settings else AETitle("PACSLAKE")
        peer = Peer(name, pacs.host, pacs.port, pacs.ae_title, ours, pacs.limits, is_configured=False)
        return Called(self._heeding(peer), pacs, Gate(name))

    def _heeding(self, peer: Peer) -> Peer:
        """Give a peer as the person wants it called."""
        from crawler.settings.address import ae_title

        ours, seconds = self._calling.ae_title, self._calling.timeout
        if ours is not None:
            peer = replace(peer, calling_ae=ae_title(ours))
        return peer if seconds is None else replace(peer, limits=_waiting(peer.limits, seconds))


def known_names(config: Path) -> frozenset[str]:
    """Give the names of the PACS that are configured; none where there is no settings file."""
    settings = _settings(config, ())
    return frozenset(settings.pacs) if settings else frozenset()


def _settings(config: Path, texts: Sequence[str]) -> Settings | None:
    if config == SETTINGS_FILE and not config.exists():
        name = next((text for text in texts if "@" not in text), None)
        if name is None:
            return None
        raise UserError(
            f"there is no pacslake.toml here that says where {name!r} is: `pacslake init` writes one; "
            f"or name the PACS by its address, as ORTHANC@127.0.0.1:4242"
        )
    return settings_from(config)


def _configured(settings: Settings | None, text: str) -> str | None:
    """Give the name of the configured PACS that is meant; None where it is an address of another."""
    if settings is None:
        return None
    if "@" not in text:
        settings.require_pacs([text])
        return text
    from crawler.settings.address import pacs_at

    meant = pacs_at(text)
    same = (name for name, pacs in settings.pacs.items() if _place(pacs) == _place(meant))
    return next(same, None)


def _place(pacs: PacsSettings) -> tuple[str, int, str]:
    return pacs.host, pacs.port, pacs.ae_title


def _waiting(limits: Limits, seconds: float) -> Limits:
    return replace(limits, connect_timeout=seconds, idle_timeout=seconds)
