"""How it stands with each PACS, and leaving one alone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visits
from tests.browser.world import DOWN, MAIN


def card(page: Page, pacs: str = DOWN) -> Locator:
    """Find what is shown of one PACS."""
    return page.locator(".card").filter(has=page.get_by_role("heading", name=re.compile(rf"^{re.escape(pacs)} ")))


@pytest.mark.parametrize(
    ("until", "why", "told"),
    [("23:59", "a new version", "23:59"), ("", "moving house & <b>home</b>", "ends that"), ("", "", "")],
    ids=["until a time", "until it is resumed", "without a reason"],
)
def test_a_pacs_is_paused_and_resumed(page: Page, until: str, why: str, told: str) -> None:
    page.goto("/health")
    expect(card(page)).to_contain_text("may be asked")
    card(page).get_by_label("Until").fill(until)
    card(page).get_by_label("Why").fill(why)
    card(page).get_by_role("button", name=f"Pause {DOWN}").click()
    expect(page.get_by_role("status")).to_contain_text(f"{DOWN} is paused")
    page.get_by_role("link", name="Go on").click()
    expect(card(page)).to_contain_text("paused")
    expect(card(page)).to_contain_text(told)
    expect(card(page)).to_contain_text(why)
    card(page).get_by_role("button", name=f"Resume {DOWN}").click()
    page.get_by_role("link", name="Go on").click()
    expect(card(page)).to_contain_text("may be asked")


def test_a_time_that_is_none_is_told_and_pauses_nothing(visits: Visits, page: Page) -> None:
    visits.expected.append("status of 400")
    page.goto("/health")
    card(page).get_by_label("Until").fill("soon")
    card(page).get_by_role("button", name=f"Pause {DOWN}").click()
    expect(page.get_by_role("alert")).to_contain_text("soon")
    page.go_back()
    page.reload()
    expect(card(page)).to_contain_text("may be asked")


def test_how_a_pacs_answered_and_what_was_learned_is_shown(page: Page) -> None:
    page.goto("/health")
    main = card(page, MAIN)
    expect(main.get_by_role("region", name=f"Answers of {MAIN}").get_by_role("row")).to_have_count(3)
    expect(main.get_by_role("region", name=f"Profile of {MAIN}").get_by_role("row").nth(1)).to_contain_text("cap")
    expect(card(page, DOWN)).to_contain_text("None.")
    expect(card(page, DOWN)).to_contain_text(f"pacslake check {DOWN}")
