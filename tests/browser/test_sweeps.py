"""What was swept, and what is being done at this moment."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from crawler.testing.quirks import Quirks
from tests.acceptance.serving import PATIENCE
from tests.browser.conftest import idle
from tests.browser.world import FIRST, LAST, MAIN, SLOW, World

PAINTED = """one => {
  const canvas = one.querySelector("canvas");
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return new Set(new Uint32Array(pixels.buffer)).size;
}"""
"""How many colours a chart has."""


def drawn(chart: Locator) -> None:
    """Check that a chart was drawn, in more than two colours and as wide as it may be."""
    expect(chart.locator("canvas")).to_be_visible()
    assert chart.evaluate(PAINTED) > 2
    assert chart.evaluate("one => one.querySelector('canvas').clientWidth === one.clientWidth")


def test_every_sweep_has_a_bar_and_a_row(page: Page) -> None:
    page.goto("/sweeps")
    drawn(page.locator(".chart"))
    rows = page.get_by_role("region", name="Sweeps").get_by_role("row").filter(has_text=MAIN)
    expect(rows.filter(has_text=f"{FIRST} to")).to_contain_text("complete")


def test_the_next_night_is_planned(page: Page) -> None:
    page.goto("/sweeps")
    nights = page.get_by_role("region", name="Next nights").get_by_role("row")
    expect(nights.filter(has_text=MAIN)).to_contain_text(re.compile(r"rarely ?20\d\d-02-29 00:00:00 UTC"))
    expect(nights.filter(has_text=SLOW)).to_contain_text("not known")


def test_a_sweep_under_way_is_followed_without_a_reload(world: World, page: Page) -> None:
    page.goto(f"/backfill?pacs={SLOW}&date_from={FIRST}&date_to={LAST}")
    page.get_by_role("button", name="Ask for these days again").click()
    page.goto("/sweeps")
    page.evaluate("window.stayed = true")
    now = page.locator("#now")
    expect(now).to_contain_text(f"backfill of {SLOW}, {FIRST} to {LAST}, asked for by ")
    expect(now).to_contain_text(re.compile(r"[1-9]\d* windows settled"), timeout=PATIENCE * 1000)
    world.simulators[SLOW].quirks = Quirks()
    idle(page)
    assert page.evaluate("window.stayed")
    page.goto(f"/coverage?pacs={SLOW}")
    expect(page.get_by_role("main")).to_contain_text("Everything is proven complete")
