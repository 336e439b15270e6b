"""A browser, the service that it looks at, and an eye on all that pages complain about or fetch."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.acceptance.serving import PATIENCE, wait_until
from tests.browser.world import World, living

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
ARGUMENTS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]


class Visits:
    """Opens pages, each as a person's of its own, and takes down what they complain about or fetch from elsewhere."""

    def __init__(self, browser: Browser, address: str) -> None:
        self._browser = browser
        self._address = address
        self.complaints: list[str] = []
        self.expected: list[str] = []
        """Patterns of complaints that are right."""

    def new(self, path: str = "", **options: Any) -> Page:
        """Open a page, with options of a Playwright context."""
        wanted = {"viewport": {"width": 1280, "height": 800}, **options}
        page = self._browser.new_context(base_url=self._address, **wanted).new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._fetched)
        if path:
            page.goto(path)
        return page

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _fetched(self, request: Request) -> None:
        if not request.url.startswith((f"{self._address}/", "data:")):
            self.complaints.append(f"fetched {request.url}")

    def end(self) -> None:
        """Close all, and fail where anything was wrong."""
        for context in self._browser.contexts:
            context.close()
        left = [one for one in self.complaints if not any(re.search(pattern, one) for pattern in self.expected)]
        assert not left


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with living(tmp_path_factory.mktemp("browser")) as found:
        settled(found)
        yield found


def settled(world: World) -> None:
    """Wait until the service has done all it was asked to do, and counted what came of it."""

    def is_settled() -> bool:
        sweeps, counts = told(world, "/sweeps"), told(world, "/explore")
        return not (sweeps["doing"] or sweeps["waiting"] or counts["version"] is None or counts["behind"])

    wait_until(is_settled, every=0.5)


def told(world: World, path: str) -> Any:
    """Ask the interface."""
    with urllib.request.urlopen(f"{world.address}/api/v1{path}", timeout=60) as answer:
        return json.load(answer)


def idle(page: Page) -> None:
    """On the page of the sweeps, wait until the service has done what it was asked to do."""
    now = page.locator("#now")
    expect(now).to_contain_text("The service waits for the next job", timeout=PATIENCE * 1000)
    expect(now).not_to_contain_text("Waiting:", timeout=PATIENCE * 1000)


@pytest.fixture(scope="package")
def chromium(chromium_binary: Path) -> Iterator[Browser]:
    expect.set_options(timeout=20_000)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium_binary, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visits(world: World, chromium: Browser) -> Iterator[Visits]:
    found = Visits(chromium, world.address)
    yield found
    found.end()


@pytest.fixture
def page(visits: Visits) -> Page:
    """Give one page that nothing was opened in."""
    return visits.new()
