"""The card of a dataset: its numbers, and none that is about fewer than five people."""

from __future__ import annotations

import re
from base64 import b64decode
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.export.card import Card, write_card
from crawler.export.facts import FILES
from crawler.export.summary import FEWEST, NOT_GIVEN, OTHERS, Summary, summarize, untold

ABOUT = Card(
    "Heads <and> chests",
    "0.1.0",
    made_on="2026-11-21",
    text=("For work on segmentation.",),
    method=("Days were shifted.",),
    facts=(("recipe", "research"), ("edition of PS3.15", "2026c")),
    limits=("Contrast phases are not labelled.",),
)


def files_of(patients: int, start: int = 0, **known: Any) -> list[dict[str, Any]]:
    """Make a study of one series of two files for each of so many patients."""
    usual = {"PatientSex": "F", "age": 61.0, "StudyDate": date(2019, 4, 30), "Modality": "CT", "KVP": 120.0}
    return [
        {
            **usual,
            **known,
            "path": f"{at}/{file}",
            "PatientID": f"P7K3Q-{at}",
            "StudyInstanceUID": f"2.{at}",
            "SeriesInstanceUID": f"2.{at}.1",
            "SOPInstanceUID": f"2.{at}.1.{file}",
        }
        for at in range(start, start + patients)
        for file in range(2)
    ]


def table_of(*rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist([row for some in rows for row in some], FILES)


def told(summary: Summary, key: str) -> dict[str, int | None]:
    [table] = [table for table in summary.tables if table.key == key]
    return {row.label: row.patients for row in table.rows}


def test_what_there_is_is_counted() -> None:
    mr = {"Modality": "MR", "PatientSex": "M", "age": 38.0, "MagneticFieldStrength": 2.99, "KVP": None}
    summary = summarize(table_of(files_of(12), files_of(7, 20, **mr, StudyDate=date(2021, 1, 1))))
    assert (summary.patients, summary.studies, summary.series, summary.files) == (19, 19, 19, 38)
    assert told(summary, "modalities") == {"CT": 12, "MR": 7}
    assert told(summary, "sexes") == {"female": 12, "male": 7}
    assert told(summary, "ages") == {"30 to 39": 7, "40 to 49": 0, "50 to 59": 0, "60 to 69": 12}
    assert told(summary, "years") == {"2019": 12, "2020": 0, "2021": 7}
    assert told(summary, "kvp") == {"120 kV": 12}
    assert told(summary, "field") == {"3 T": 7}
    assert told(summary, "thickness_ct") == {NOT_GIVEN: 12}


def test_a_patients_age_and_sex_are_those_of_the_first_study() -> None:
    earlier = files_of(6, age=59.0, StudyDate=date(2017, 1, 1))
    later = [
        {**row, "StudyInstanceUID": row["StudyInstanceUID"] + "9", "SeriesInstanceUID": "x"} for row in files_of(6)
    ]
    assert told(summarize(table_of(later, earlier)), "ages") == {"50 to 59": 6}


def test_few_patients_are_not_told_nor_what_would_tell_them() -> None:
    summary = summarize(table_of(files_of(3, PatientSex="M"), files_of(8, 10, PatientSex="O"), files_of(30, 20)))
    assert told(summary, "sexes") == {"female": 30, "male": None, "other": None}


def test_what_is_rare_is_put_together_and_not_named() -> None:
    rare = [files_of(2, 100 + 10 * at, ManufacturerModelName=f"Rare {at}") for at in range(3)]
    summary = summarize(table_of(files_of(20, ManufacturerModelName="Usual"), *rare))
    assert told(summary, "scanners") == {"Usual": 20, OTHERS: 6}


def test_details_of_a_modality_that_is_not_told_are_not_told() -> None:
    mr = {"Modality": "MR", "MagneticFieldStrength": 3.0}
    summary = summarize(table_of(files_of(20), files_of(2, 50, **mr), files_of(6, 60, Modality="PT")))
    assert told(summary, "modalities") == {"CT": 20, OTHERS: 8}
    assert not {table.key for table in summary.tables} & {"field", "thickness_mr", "thickness_pt"}


def test_a_dataset_of_few_patients_has_no_tables(tmp_path: Path) -> None:
    summary = summarize(table_of(files_of(4)))
    assert (summary.patients, summary.tables) == (None, ())
    write_card(table_of(files_of(4)), tmp_path, ABOUT)
    text = (tmp_path / "card.md").read_text()
    assert "| fewer than 5 | 4 | 4 | 8 |" in text
    assert "There are too few patients for tables." in text


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), st.sets(st.text("defg", max_size=3), max_size=20)))
def test_no_row_of_few_follows_from_the_others(patients: dict[str, set[str]]) -> None:
    hidden = untold(patients)
    assert {label for label, of in patients.items() if 0 < len(of) < FEWEST} <= hidden
    everybody = {label for label, of in patients.items() if of}
    together: set[str] = set().union(*(patients[label] for label in hidden))
    assert not hidden or hidden == everybody or (len(hidden) >= 2 and len(together) >= FEWEST)


class References(HTMLParser):
    """What a page has from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_card_as_markdown_and_as_one_page(tmp_path: Path) -> None:
    models: dict[str, Any] = {"Manufacturer": "Example", "ManufacturerModelName": "a|b"}
    files = table_of(files_of(30, **models), files_of(6, 50, PatientSex="M"))
    written = write_card(files, tmp_path, ABOUT)
    assert sorted(written) == sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*"))
    text, page = ((tmp_path / name).read_text() for name in ("card.md", "card.html"))
    assert "| female | 30 | 30 | 30 |\n| male | 6 | 6 | 6 |\n\n![Bars: Sex, patients. female: 30; male: 6]" in text
    assert "| Example a\\|b | 30 | 30 | 30 |" in text
    for shown in (text, page):
        for said in ("Days were shifted.", "Contrast phases are not labelled.", "2026c", "years may be off", "Licence"):
            assert said in shown
        assert "nonym" not in shown.lower()
        assert "P7K3Q-" not in shown
        assert "\n\n\n" not in shown
    assert "<title>Heads &lt;and&gt; chests</title>" in page
    references = References()
    references.feed(page)
    assert len(references.found) == page.count("<section") > 3
    shown_in_page = [b64decode(found.removeprefix("data:image/svg+xml;base64,")) for found in references.found]
    assert shown_in_page == [(tmp_path / name).read_bytes() for name in re.findall(r"\]\((card/[a-z_]+\.svg)\)", text)]


def test_a_figure_has_a_bar_for_each_row(tmp_path: Path) -> None:
    """Draw rows of 20, of 5 and of too few to be told, one with a name that needs escaping."""
    women = files_of(20, ManufacturerModelName="A & B <C>")
    write_card(table_of(women, files_of(5, 30, PatientSex="O"), files_of(3, 40, PatientSex="M")), tmp_path, ABOUT)
    figure = ElementTree.parse(tmp_path / "card" / "sexes.svg").getroot()
    texts = [text.text for text in figure.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0] == "Sex (patients)"
    assert dict(zip(texts[1::2], texts[2::2], strict=True)) == {"female": "20", "male": "not told", "other": "not told"}
    _, *bars = (float(bar.attrib["width"].rstrip("%")) for bar in figure.iter("{http://www.w3.org/2000/svg}rect"))
    assert max(bars) == bars[0]
    assert bars[1:] == [pytest.approx(bars[0] / 50, abs=0.1)] * 2
    assert float(figure.attrib["width"]) > max(bars)
    assert "A &amp; B &lt;C&gt;" in (tmp_path / "card" / "scanners.svg").read_text()


def test_days_that_were_kept_are_not_said_to_be_shifted(tmp_path: Path) -> None:
    write_card(table_of(files_of(6)), tmp_path, Card("x", "1", dates_shifted=False, licence="CC0 1.0"))
    text = (tmp_path / "card.md").read_text()
    assert "years may be off" not in text
    assert text.endswith("## Licence\n\nCC0 1.0\n")
