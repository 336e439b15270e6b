"""What holds for every page: any size of screen, light and dark, the keyboard alone, no scripts, bad eyes or ears."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from crawler.serve.web.rendering import PAGES
from tests.browser.conftest import Visits, settled
from tests.browser.test_sql import ask
from tests.browser.world import CAPPED, GAP, LAST, MAIN, ODD, World

PARTS = (
    f"/coverage/{MAIN}/{LAST}",
    f"/coverage/{ODD}/undated",
    f"/backfill?pacs={MAIN}",
    "/dictionary?table=windows",
    "/docs/find",
)
PATHS = (*(path for path, _ in PAGES), *PARTS)
REACHABLE = "a[href], button, input:not([type=hidden]), select, textarea, [tabindex='0']"
"""What the Tab key must come to, days of a calendar excepted: they are one stop."""

CONTRAST = {"runOnly": ["color-contrast"]}
WIDTHS = (375, 768, 1440)

HIDDEN_FOCUS = """() => {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2;
}"""


def test_no_page_is_wider_than_its_screen(page: Page) -> None:
    def examine(where: str) -> None:
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, where

    for path in PATHS:
        page.goto(path)
        examine(path)
    page.goto("/sql")
    ask(page, "select * from studies limit 3")
    expect(page.get_by_role("region", name="Answer")).to_be_visible()
    examine("an answer")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_people_who_see_or_hear_little_can_use_every_page(visits: Visits, scheme: str) -> None:
    page, axe = visits.new(color_scheme=scheme), Axe()
    rules = None if scheme == "light" else CONTRAST  # nothing else depends on it
    found: list[str] = []

    def examine(where: str) -> None:
        violations = axe.run(page, options=rules).response["violations"]
        found.extend(f"{where}: {one['id']}: {one['nodes'][0]['html']}" for one in violations)

    for path in PATHS:
        page.goto(path)
        examine(path)
    page.goto("/coverage")
    page.click(f'.calendar a[aria-label="{CAPPED}: capped"]')
    page.get_by_role("link", name="Plan a backfill of this day").click()
    expect(page.get_by_role("region", name="Plan")).to_be_visible()
    examine("windows and a plan")
    page.goto("/sql")
    ask(page, "select Modality, count(*) from series group by all")
    expect(page.get_by_role("region", name="Answer")).to_be_visible()
    examine("an answer")
    ask(page, "selec")
    expect(page.get_by_role("alert")).to_be_visible()
    examine("what is wrong")
    assert not found


def test_what_some_people_cannot_use_is_found(page: Page) -> None:
    page.set_content('<html lang="en"><title>x</title><main><h1>x</h1><input><p style="color: #ccc">pale')
    found = {one["id"] for rules in (None, CONTRAST) for one in Axe().run(page, options=rules).response["violations"]}
    assert {"label", "color-contrast"} <= found


def test_the_tab_key_comes_to_everything_and_shows_where_it_is(page: Page) -> None:
    for path in PATHS:
        page.goto(path)
        wanted = page.locator(REACHABLE).evaluate_all("all => all.filter((one) => one.tabIndex >= 0).length")
        dates = page.locator("input[type=date]").count()
        page.evaluate("window.seen = new Set()")
        for _ in range(wanted + 3 * dates):  # a field for a date has four stops: day, month, year, a button
            page.keyboard.press("Tab")
            assert not page.evaluate(HIDDEN_FOCUS), f"{path}: {page.evaluate('document.activeElement.outerHTML')}"
            page.evaluate("seen.add(document.activeElement)")
        assert page.evaluate("seen.size") == wanted, path


def test_the_first_tab_leads_past_the_menu(page: Page) -> None:
    page.goto("/explore")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="To the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("navigation", name="Rows").get_by_role("link").first).to_be_focused()


def test_every_page_is_whole_without_scripts(visits: Visits) -> None:
    page = visits.new(java_script_enabled=False)
    for path in PATHS:
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_role("navigation", name="Pages").get_by_role("link")).to_have_count(len(PAGES))


def test_a_day_is_planned_and_asked_for_without_scripts(world: World, visits: Visits) -> None:
    page = visits.new("/coverage", java_script_enabled=False)
    page.click(f'.calendar a[aria-label="{GAP[1]}: never asked"]')
    page.get_by_role("link", name="Plan a backfill of this day").click()
    page.get_by_role("button", name="Ask for these days again").click()
    expect(page.get_by_role("status")).to_contain_text("will be asked for")
    settled(world)
    page.goto("/coverage")
    expect(page.locator(f'.calendar a[aria-label="{GAP[1]}: complete"]')).to_be_visible()


def test_sql_is_asked_and_downloaded_without_scripts(visits: Visits) -> None:
    page = visits.new("/sql", java_script_enabled=False)
    ask(page, "select 41 + 1 as answer")
    expect(page.get_by_role("region", name="Answer")).to_contain_text("42")
    expect(page.locator("textarea")).to_have_value("select 41 + 1 as answer")
    ask(page, "selec")
    expect(page.get_by_role("alert")).to_be_visible()
    page.locator("textarea").fill("select 1 as n")
    with page.expect_download() as coming:
        page.get_by_role("button", name="Download all rows").click()
    assert coming.value.path().read_text() == "n\n1\n"


def test_charts_change_their_colours_with_the_scheme(page: Page) -> None:
    page.goto("/explore")
    look = "[...document.querySelectorAll('.chart canvas')].map((one) => one.toDataURL())"
    light = page.evaluate(look)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"before => JSON.stringify({look}) !== before", arg=str(light).replace("'", '"'))
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 24, 30)"


@pytest.mark.parametrize(
    "path", ["/nowhere", "/coverage/main/2024-13-01", "/coverage/nobody/2024-01-01", "/dictionary?table=x"]
)
def test_a_wrong_address_says_so_and_leads_on(visits: Visits, path: str) -> None:
    visits.expected.append("status of 40[04]")
    page = visits.new(path)
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_role("link", name="Dictionary").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Dictionary: studies")


def test_the_dictionary_describes_every_table(page: Page) -> None:
    page.goto("/dictionary")
    for table in ("windows", "series_history"):
        page.get_by_role("navigation", name="Tables").get_by_role("link", name=table, exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Dictionary: {table}")
        expect(page.get_by_role("region", name="Columns").get_by_role("rowheader", name="pacs")).to_be_visible()


def test_the_settings_are_as_the_file_has_them(page: Page) -> None:
    page.goto("/settings")
    section = page.get_by_role("region", name=f"pacs.{ODD}", exact=True)
    expect(section.get_by_role("row").filter(has_text="ae_title")).to_contain_text('"SIMPACS"')
    expect(page.get_by_role("heading", name="[]", exact=True)).to_have_count(0)
