"""SQL typed by people."""

from __future__ import annotations

import io

import pyarrow.parquet as pq
from playwright.sync_api import Download, Page, expect

from tests.browser.test_sweeps import drawn

NEVER_DONE = "select count(*) from range(100000000) a, range(100000000) b where a.range % 7 = b.range % 11"


def ask(page: Page, statement: str) -> None:
    """Type a question and press the button."""
    page.get_by_label("Question", exact=False).first.fill(statement)
    page.get_by_role("button", name="Ask", exact=True).click()


def downloaded(page: Page, statement: str, kind: str) -> Download:
    """Type a question and have its answer as a file."""
    page.get_by_label("Question", exact=False).first.fill(statement)
    page.locator("select[name=format]").select_option(kind)
    with page.expect_download() as coming:
        page.get_by_role("button", name="Download all rows").click()
    return coming.value


def test_the_question_that_stands_there_is_answered_with_a_chart(page: Page) -> None:
    page.goto("/sql")
    page.get_by_role("button", name="Ask", exact=True).click()
    answer = page.get_by_role("region", name="Answer")
    expect(answer.get_by_role("columnheader")).to_have_text(["Modality", "series"])
    drawn(page.locator("#answer .chart"))


def test_control_and_enter_ask_too(page: Page) -> None:
    page.goto("/sql")
    page.locator("textarea").fill("select 41 + 1 as answer, '<b>x</b>' as markup")
    page.locator("textarea").press("Control+Enter")
    expect(page.get_by_role("region", name="Answer")).to_contain_text("42")
    expect(page.get_by_role("region", name="Answer")).to_contain_text("<b>x</b>")
    expect(page.locator("#answer .chart")).to_have_count(0)


def test_what_is_wrong_is_told_beside_the_question(page: Page) -> None:
    page.goto("/sql")
    ask(page, "select StudyDat from studies")
    expect(page.get_by_role("alert")).to_contain_text("StudyDat")
    ask(page, "drop table studies")
    expect(page.get_by_role("alert")).to_contain_text("SELECT")
    expect(page.locator("textarea")).to_have_value("drop table studies")


def test_earlier_questions_come_back_in_the_same_tab_alone(page: Page) -> None:
    page.goto("/sql")
    for statement in ("select 1 as one", "select 2 as two"):
        ask(page, statement)
        expect(page.get_by_role("region", name="Answer")).to_contain_text(statement.split()[-1])
    page.reload()
    earlier = page.get_by_label("Earlier questions")
    expect(earlier.locator("option")).to_have_text(["in this tab", "select 2 as two", "select 1 as one"])
    earlier.select_option("select 1 as one")
    expect(page.locator("textarea")).to_have_value("select 1 as one")
    expect(page.locator("textarea")).to_be_focused()
    another = page.context.new_page()
    another.goto("/sql")
    expect(another.get_by_label("Earlier questions").locator("option")).to_have_count(1)


def test_an_answer_is_downloaded_as_a_table_of_text(page: Page) -> None:
    page.goto("/sql")
    file = downloaded(page, "select range as n from range(3)", "csv")
    assert file.suggested_filename == "answer.csv"
    assert file.path().read_text() == "n\n0\n1\n2\n"


def test_an_answer_is_downloaded_whole_in_parquet_and_shown_in_part(page: Page) -> None:
    page.goto("/sql")
    ask(page, "select range as n from range(2000)")
    expect(page.locator("#answer")).to_contain_text("The first 500 rows; a download has all")
    expect(page.get_by_role("region", name="Answer").get_by_role("row")).to_have_count(501)
    file = downloaded(page, "select range as n from range(2000)", "parquet")
    assert pq.read_table(io.BytesIO(file.path().read_bytes())).num_rows == 2000


def test_a_wide_answer_scrolls_by_itself(page: Page) -> None:
    page.goto("/sql")
    ask(page, f"select {', '.join(f'repeat({n}::text, 30) as column_{n}' for n in range(20))}")
    answer = page.get_by_role("region", name="Answer")
    expect(answer).to_contain_text("column_19")
    assert answer.evaluate("one => one.scrollWidth > one.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_who_leaves_stops_the_question(page: Page) -> None:
    for _ in range(3):  # one more than are answered at once
        page.goto("/sql")
        ask(page, NEVER_DONE)
        expect(page.get_by_text("Asking …")).to_be_visible()
        page.goto("/settings")
    page.goto("/sql")
    ask(page, "select 'next' as question")
    expect(page.get_by_role("region", name="Answer")).to_contain_text("next")
