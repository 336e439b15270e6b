"""Every file keeps every rule, and every rule finds what breaks it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house import rules

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("crawler", "jobs", "tests", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)
PURE = '"""Adds. Pure."""\n'
NAMED = '"""Adds. Touches: disk."""\n'


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_every_file_keeps_the_rule(rule: rules.Rule) -> None:
    broken = [f"{path} {what}" for path in FILES for what in rule(path, (ROOT / path).read_text())]
    assert not broken, "\n".join(broken)


BREAKING = [
    (rules.rooms_do_not_mix, "crawler/lake/log.py", "import jobs.sweep"),
    (rules.rooms_do_not_mix, "crawler/model.py", "from jobs import sweep"),
    (rules.rooms_do_not_mix, "crawler/lake/log.py", "from crawler.pacs import find"),
    (rules.rooms_do_not_mix, "crawler/lake/log.py", "from crawler import decode"),
    (rules.rooms_do_not_mix, "crawler/columns.py", "import crawler.lake.log"),
    (rules.simulator_stays_outside, "jobs/sweep.py", "from crawler.testing.archive import Archive"),
    (rules.libraries_stay_in_their_rooms, "crawler/plan/sweep.py", "import pynetdicom.pdu"),
    (rules.libraries_stay_in_their_rooms, "jobs/sweep.py", "def run():\n    import duckdb"),
    (rules.libraries_stay_in_their_rooms, "jobs/sweep.py", "from apscheduler import schedulers"),
    (rules.environment_is_read_in_one_place, "crawler/log.py", "import os\nos.environ.get('NO_COLOR')"),
    (rules.files_are_short, "crawler/lake/log.py", "\n" * 401),
    (rules.files_are_short, "jobs/sweep.py", "\n" * 201),
    (rules.functions_are_short, "crawler/a.py", "def f():\n" + "    pass\n" * 50),
    (rules.functions_are_short, "crawler/a.py", "def f(a, b, c, d, e, *, g): ..."),
    (rules.names_say_something, "crawler/utils.py", ""),
    (rules.errors_are_named, "crawler/a.py", "try: f()\nexcept Exception: pass"),
    (rules.errors_are_named, "crawler/a.py", "try: f()\nexcept: pass"),
    (rules.no_hidden_state, "crawler/a.py", "def f():\n    global x\n    x = 1"),
    (rules.says_what_it_touches, "crawler/a.py", '"""Adds."""'),
    (rules.pure_is_pure, "crawler/a.py", PURE + "import socket"),
    (rules.pure_is_pure, "crawler/a.py", PURE + "date.today()"),
    (rules.ignores_have_reasons, "crawler/a.py", "x = 1  # type: ignore"),
    (rules.ignores_have_reasons, "crawler/a.py", "x = 1  # type: ignore[misc]"),
    (rules.ignores_have_reasons, "crawler/a.py", "x = 1  # noqa"),
    (rules.tests_are_real, "tests/unit/a.py", "from unittest import mock"),
    (rules.tests_are_real, "tests/unit/a.py", "import pytest\n@pytest.mark.xfail\ndef test(): ..."),
]


@pytest.mark.parametrize(("rule", "path", "source"), BREAKING)
def test_the_rule_finds_what_breaks_it(rule: rules.Rule, path: str, source: str) -> None:
    assert list(rule(path, source))


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        (
            rules.rooms_do_not_mix,
            "crawler/lake/log.py",
            "from crawler.lake import parts\nfrom crawler.model import Level",
        ),
        (rules.rooms_do_not_mix, "crawler/cohort/freeze.py", "from crawler.lake.query import Lake"),
        (rules.libraries_stay_in_their_rooms, "crawler/lake/query.py", "import duckdb"),
        (rules.errors_are_named, "crawler/a.py", "try: f()\nexcept BaseException:\n    g()\n    raise"),
        (rules.pure_is_pure, "crawler/a.py", NAMED + "import socket"),
        (rules.ignores_have_reasons, "crawler/a.py", "x = 1  # type: ignore[misc]  # pyarrow has no types"),
    ],
)
def test_the_rule_lets_what_is_right_pass(rule: rules.Rule, path: str, source: str) -> None:
    assert not list(rule(path, source))


def test_every_rule_has_a_sample_that_breaks_it() -> None:
    assert {rule for rule, _, _ in BREAKING} == set(rules.RULES)
