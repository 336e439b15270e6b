"""The calendar: what is known of a day, and having it mended."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import idle
from tests.browser.world import CAPPED, DOWN, FIRST, GAP, LAST, MAIN, ODD


def day(page: Page, known: str) -> str:
    """Name a day of the calendar as screen readers do."""
    return f'.calendar a[aria-label="{known}"]'


def test_the_address_alone_leads_to_the_calendar(page: Page) -> None:
    page.goto("/")
    expect(page).to_have_url(re.compile("/coverage$"))
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Coverage of {MAIN}")
    expect(page).to_have_title(f"Coverage of {MAIN} · pacslake")
    expect(page.get_by_role("navigation", name="Pages").locator("[aria-current]")).to_have_text("Coverage")


def test_a_day_shows_what_was_asked_about_it_beside_the_calendar(page: Page) -> None:
    page.goto("/coverage")
    page.click(day(page, f"{LAST}: complete"))
    detail = page.locator("#detail")
    expect(detail.get_by_role("heading")).to_have_text(f"{MAIN}, {LAST}: what was asked, newest first")
    expect(detail.get_by_role("cell", name="study", exact=True).first).to_be_visible()
    expect(page).to_have_url(re.compile("/coverage$"))


def test_a_capped_day_says_so_by_letter_and_in_words(page: Page) -> None:
    page.goto("/coverage")
    capped = page.locator(day(page, f"{CAPPED}: capped"))
    expect(capped).to_have_text("C")
    assert capped.evaluate("one => getComputedStyle(one).color") == "rgb(255, 255, 255)"
    capped.click()
    expect(page.locator("#detail")).to_contain_text("studies without a time may be missing")
    expect(page.locator("#detail .s-capped").first).to_have_text("C")
    expect(page.locator("#detail")).to_contain_text(re.compile(r"\d\d:\d\d:\d\d–\d\d:\d\d:\d\d"))


def test_arrow_keys_go_from_day_to_day_and_enter_opens_one(page: Page) -> None:
    page.goto("/coverage")
    page.focus(day(page, f"{LAST}: complete"))
    page.keyboard.press("ArrowLeft")
    expect(page.locator(day(page, "2024-01-30: complete"))).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.locator(day(page, "2024-01-30: complete"))).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#detail").get_by_role("heading")).to_contain_text(str(LAST))


def test_the_calendar_is_one_stop_of_the_tab_key(page: Page) -> None:
    page.goto("/coverage")
    expect(page.locator('.calendar a[tabindex="0"]')).to_have_count(1)
    expect(page.locator('.calendar a[tabindex="-1"]')).to_have_count(30)


def test_another_year_is_a_click_away(page: Page) -> None:
    page.goto("/coverage")
    years = page.get_by_role("navigation", name="Years")
    expect(years.get_by_role("link", name="2024")).to_contain_text("not proven")
    years.get_by_role("link", name="2023").click()
    expect(years.locator("[aria-current]")).to_contain_text("2023")
    expect(page.locator(day(page, f"{FIRST}: complete"))).to_be_visible()
    expect(page.locator(".calendar a")).to_have_count(31)


def test_another_pacs_is_a_click_away(page: Page) -> None:
    page.goto("/coverage")
    page.get_by_role("navigation", name="PACS").get_by_role("link", name=DOWN).click()
    expect(page.get_by_role("main")).to_contain_text("Nothing was asked of it yet")
    expect(page.get_by_role("main")).to_contain_text(f"pacslake sweep {DOWN}")


def test_what_was_swept_as_a_whole_is_drawn_from_its_first_studies(page: Page) -> None:
    page.goto(f"/coverage?pacs={ODD}&year=2024")
    expect(page.get_by_role("main")).to_contain_text("Everything is proven complete")
    expect(page.locator(day(page, "2024-01-02: complete"))).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("No day.")


def test_studies_without_a_date_have_their_own_windows(page: Page) -> None:
    page.goto(f"/coverage?pacs={ODD}")
    page.get_by_role("link", name="complete").first.click()
    expect(page.locator("#detail").get_by_role("heading")).to_contain_text("studies without a date")
    expect(page.locator("#detail").get_by_role("row")).not_to_have_count(0)


def test_the_plan_for_all_gaps_counts_queries_and_time(page: Page) -> None:
    page.goto("/coverage")
    page.get_by_role("link", name="Plan a backfill of all of them").click()
    plan = page.get_by_role("region", name="Plan")
    expect(plan.get_by_role("row").filter(has_text=str(GAP[1]))).to_have_count(1)
    expect(plan).to_contain_text(re.compile(r"All 2.*\d:\d\d:\d\d"))


def test_a_day_that_was_never_asked_for_is_asked_for_by_a_button_and_turns_green(page: Page) -> None:
    page.goto("/coverage")
    page.click(day(page, f"{GAP[0]}: never asked"))
    page.get_by_role("link", name="Plan a backfill of this day").click()
    page.get_by_role("button", name="Ask for these days again").click()
    expect(page.get_by_role("status")).to_contain_text("will be asked for")
    page.get_by_role("link", name="Go on").click()
    idle(page)
    page.goto("/coverage")
    page.click(day(page, f"{GAP[0]}: complete"))
    page.get_by_role("link", name="Plan a backfill of this day").click()
    expect(page.locator("#day-plan")).to_contain_text("No day is due")
