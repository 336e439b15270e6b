"""Who is told that a certificate expires, and when."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from crawler.serve.alarms import Board
from crawler.serve.metrics import registry_of
from crawler.settings import load
from jobs.certificates import expiring, told
from jobs.metrics import condition_of
from jobs.troubles import Known, look_around
from tests.integration.authority import Authority


@pytest.mark.parametrize(("days", "said"), [(31, None), (29, "expires on"), (-1, "has expired on")])
def test_a_certificate_that_expires_is_told_of(tmp_path: Path, days: int, said: str | None) -> None:
    issued = Authority(tmp_path, "hospital").issue("ours", lasts=timedelta(days=days, minutes=1))
    file = tmp_path / "pacslake.toml"
    file.write_text(
        f"[lake]\npath = 'lake'\n[find_scp]\ntls_certificate = '{issued.certificate}'\ntls_key = '{issued.key}'\n"
    )
    settings = load(file)
    found = [told(*one) for one in expiring(settings)]
    assert [f"the certificate of find_scp.tls_certificate {said}" in one for one in found] == [True] * bool(said)
    troubles = {one.setting for one in look_around(Known(settings, []), Board()).found if one.setting}
    assert troubles == ({"find_scp.tls_certificate"} if said else set())
    metrics = generate_latest(registry_of(tmp_path / "lake", lambda: condition_of(settings, []))).decode()
    assert 'pacslake_certificate_expiry_timestamp_seconds{setting="find_scp.tls_certificate"}' in metrics
