"""Pages of the service over a lake of many series, as Chromium shows them: first paint and total load.

Usage: python -m benchmarks.pages [lake]    (without one, a lake of 10,000,000 series is made; prints seconds)
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import sync_playwright

from benchmarks.queries import build
from crawler.lake.recent import pacs_names
from crawler.lake.upkeep import Wanted, maintain
from crawler.lake.writer import LakeWriter
from crawler.serve.web.rendering import PAGES
from tests.acceptance.serving import serving
from tests.browser.conftest import ARGUMENTS, settled
from tests.browser.world import World

ROUNDS = 3
PAINT, LOAD = 1.0, 2.0
"""Seconds that a page may take until something is seen, and until all is there."""

TIMES = """async () => {
  const paint = () => performance.getEntriesByName("first-contentful-paint")[0];
  while (!paint()) await new Promise(requestAnimationFrame);  // which may be after it was loaded
  return [paint().startTime, performance.getEntriesByType("navigation")[0].loadEventEnd];
}"""


def measure(lake: Path) -> Iterator[tuple[str, float, float]]:
    """Give each page with the seconds of its fastest first paint and its fastest load."""
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        folder = Path(name)
        nowhere = 'host = "127.0.0.1"\nport = 1\nae_title = "NOBODY"\n'  # nothing is due, so nobody is asked
        pacs = "".join(f"[pacs.{one}]\n{nowhere}" for one in pacs_names(lake))
        settings = f'[lake]\npath = "{lake.absolute()}"\n[serve]\nlisten = "127.0.0.1:0"\n{pacs}'
        (folder / "pacslake.toml").write_text(settings)
        with serving(folder) as service:
            world = World(service, {})
            settled(world)
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
            page = browser.new_page(base_url=world.address)
            for path, title in PAGES:
                found = []
                for _ in range(ROUNDS):
                    page.goto(path)
                    found.append(page.evaluate(TIMES))
                paint, load = (min(one) / 1000 for one in zip(*found, strict=True))
                yield title, paint, load
            browser.close()


def main(lake: Path) -> None:
    for title, paint, load in measure(lake):
        print(f"{title}: first paint {paint:.2f} s (aim: {PAINT} or less), all {load:.2f} s (aim: {LOAD} or less)")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as made:
            build(Path(made), 10_000_000)
            with LakeWriter.open(Path(made)) as writer:
                maintain(writer, Wanted())
            main(Path(made))
