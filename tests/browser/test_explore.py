"""Charts and facets of what is there, and what is odd in it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import settled
from tests.browser.test_sweeps import drawn
from tests.browser.world import MAIN, ODD, World


@pytest.fixture(autouse=True)
def counts_stay(world: World) -> None:
    """Begin when no count will change any more."""
    settled(world)


def facet(page: Page, name: str) -> Locator:
    """Find the values of one dimension."""
    return page.locator("section").filter(has=page.get_by_role("heading", name=name, exact=True))


def rows(page: Page) -> int:
    """Read how many rows there are."""
    return int(page.locator("main p strong").inner_text().replace(",", ""))


def test_a_facet_narrows_and_its_chip_widens_again(page: Page) -> None:
    page.goto("/explore")
    drawn(page.locator(".chart"))
    everything = rows(page)
    first = facet(page, "Modality").get_by_role("listitem").first
    kind, count = first.get_by_role("link").inner_text(), int(first.locator(".n").inner_text())
    first.get_by_role("link").click()
    expect(page.locator("main p strong")).to_have_text(str(count))
    facet(page, "PACS").get_by_role("link", name=MAIN).click()
    assert rows(page) <= count
    page.get_by_role("link", name=f"pacs: {MAIN}").click()
    page.get_by_role("link", name=f"modality: {kind}").click()
    expect(page.locator("main p strong")).to_have_text(f"{everything:,}")


def test_months_narrow_and_keep_the_facets_chosen(page: Page) -> None:
    page.goto(f"/explore?pacs={MAIN}")
    everything = rows(page)
    page.get_by_label("To", exact=True).fill("2023-12-31")
    page.get_by_role("button", name="Narrow").click()
    expect(page.get_by_role("link", name=f"pacs: {MAIN}")).to_be_visible()
    assert 0 < rows(page) < everything


def test_where_nothing_is_left_the_page_says_so(page: Page) -> None:
    page.goto(f"/explore?pacs={ODD}&month_from=2030-01-01")
    expect(page.get_by_role("main")).to_contain_text("0 series")
    expect(page.locator(".chart")).to_have_count(0)
    page.get_by_role("link", name=f"pacs: {ODD}").click()
    expect(page.get_by_label("From", exact=True)).to_have_value("2030-01-01")


def test_studies_are_counted_as_well_as_series(page: Page) -> None:
    page.goto("/explore")
    series = rows(page)
    page.get_by_role("link", name="Studies").click()
    expect(page.get_by_role("navigation", name="Rows").locator("[aria-current]")).to_have_text("Studies")
    assert 0 < rows(page) < series


def test_malformed_values_are_counted_by_attribute(page: Page) -> None:
    page.goto("/quality")
    faults = page.get_by_role("region", name="Malformed values")
    expect(faults.get_by_role("row").filter(has_text=ODD).first).to_contain_text("not in its character set")
    expect(page.get_by_role("main")).to_contain_text("None.")
