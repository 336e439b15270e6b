"""The interface under whatever its own description allows and forbids: no crash, and answers as they are described.

PACSLAKE_FUZZ says how many examples each operation gets; many more than here are `make fuzz`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from crawler.testing.archive import Archive
from crawler.testing.simulator import Simulator, running
from tests.acceptance.serving import configure_jobs, serving
from tests.acceptance.sweeping import sweep

EXAMPLES = int(os.environ.get("PACSLAKE_FUZZ", "4"))
DESCRIBED = [status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Run a service over a small lake."""
    first, last = date(2024, 1, 1), date(2024, 1, 10)
    with running(Simulator(Archive(30, first, last, series_per_study=1))) as simulator:
        configure_jobs(tmp_path, {"main": simulator.port}, "")
        assert sweep(tmp_path, "--from", str(first), "--to", str(last)).returncode == 0
        with serving(tmp_path) as service:
            yield f"http://127.0.0.1:{service.wait_for('listening')['port']}"


def attack(operation: Any) -> None:
    """Send what may be sent and what may not."""

    @settings(
        max_examples=EXAMPLES,
        derandomize=EXAMPLES < 100,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def send(case: Any) -> None:
        response = case.call()
        checks = DESCRIBED if response.status_code == 503 else [not_a_server_error, *DESCRIBED]
        case.validate_response(response, checks=checks)

    send()


def test_nothing_that_is_sent_makes_the_interface_fail(address: str) -> None:
    schema = schemathesis.openapi.from_url(f"{address}/api/v1/openapi.json")
    operations: list[Any] = [found.ok() for found in schema.get_all_operations()]  # type: ignore[union-attr]  # Err has none
    assert len(operations) > 15
    for operation in operations:
        attack(operation)
