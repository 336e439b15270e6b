"""Pictures of every page for docs/pages.md, from simulated PACS: `make shots`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect, sync_playwright

from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from tests.acceptance.serving import configure_jobs, done_before, serving
from tests.acceptance.sweeping import sweep
from tests.browser.conftest import ARGUMENTS, Visits, settled
from tests.browser.world import World

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
SIZE = {"width": 1280, "height": 800}
YEAR = 2025
JOB = '[jobs.nightly]\nkind = "sweep"\ncron = "0 22 * * *"\nlookback_days = 7\nreconcile_days = 30\n'


@contextmanager
def hospital(folder: Path) -> Iterator[World]:
    """Run a service over two PACS: one of a hospital with a crowded day and days that nobody asked for, a small one."""
    crowded: dict[str, Any] = {"busy_day": date(YEAR, 3, 12), "busy": 300, "untimed": 0.1}
    main = Archive(2600, date(YEAR, 1, 1), date(YEAR, 9, 30), seed=3, series_per_study=3, **crowded)
    clinic = Archive(300, date(YEAR, 2, 1), date(YEAR, 9, 30), seed=9, series_per_study=2, undated=4)
    simulators = {
        "main": Simulator(main, quirks=Quirks(cap=120)),
        "clinic": Simulator(clinic, quirks=Quirks(misdeclares="ISO_IR 6")),
    }
    with running(simulators["main"]), running(simulators["clinic"]):
        configure_jobs(folder, {name: one.port for name, one in simulators.items()}, JOB, relational="false")
        for first, last in (((1, 1), (2, 9)), ((2, 14), (5, 20)), ((5, 24), (9, 30))):
            sweep(folder, "main", "--from", str(date(YEAR, *first)), "--to", str(date(YEAR, *last)))
        sweep(folder, "clinic")
        done_before(folder, "nightly", ago=timedelta(minutes=1))
        with serving(folder) as service:
            found = World(service, simulators)
            settled(found)
            yield found


def take(page: Page) -> Iterator[str]:
    """Open page after page, each in the state that tells most; give the names of their pictures."""
    page.goto("/coverage?pacs=main")
    page.click(f'.calendar a[aria-label="{YEAR}-03-12: capped"]')
    expect(page.locator("#detail")).to_contain_text("what was asked")
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    yield "coverage"
    for name in ("health", "sweeps", "explore", "quality", "dictionary", "settings"):
        page.goto("/dictionary?table=windows" if name == "dictionary" else f"/{name}")
        yield name
    page.goto("/sql")
    page.locator("textarea").fill(
        "-- CT studies by weekday\nSELECT dayname(StudyDate) AS weekday, count(*) AS studies\nFROM studies\n"
        "WHERE list_contains(ModalitiesInStudy, 'CT') AND StudyDate IS NOT NULL\n"
        "GROUP BY dayname(StudyDate), isodow(StudyDate) ORDER BY isodow(StudyDate)"
    )
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator("#answer canvas")).to_be_visible()
    yield "sql"


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, hospital(Path(folder)) as world, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        visits = Visits(browser, world.address)
        page = visits.new(viewport=SIZE, reduced_motion="reduce")
        for name in take(page):
            page.screenshot(path=PICTURES / f"{name}.png", animations="disabled")
            print(PICTURES / f"{name}.png")
        visits.end()


if __name__ == "__main__":
    main()
