"""Settings of a lake in a bucket: what is right, and one sentence for each mistake, without a password in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.errors import UserError
from crawler.place import Place
from crawler.settings import load


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pacslake.toml"


def test_a_lake_may_be_in_a_bucket(file: Path) -> None:
    file.write_text(
        "[lake]\npath = 's3://hospital/lake'\ncache = 'copy'\nendpoint = 'https://minio.example.org:9000'\n"
    )
    lake = load(file).lake
    assert lake.path == file.parent / "copy"
    assert lake.place == Place("s3://hospital/lake", "https://minio.example.org:9000")
    assert lake.model_dump()["path"] == "s3://hospital/lake"
    file.write_text("[lake]\npath = 'gs://hospital/lake'\n")
    assert load(file).lake.path.parent == Path.home() / ".local" / "state" / "pacslake"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path = 's3://me:hunter2@hospital/lake'", "lake.path must have no user or password in it: the environment"),
        ("path = 's3://hospital/../lake'", "lake.path must be s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://"),
        ("path = 'ftp://hospital/lake'", "lake.path must be s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://"),
        (
            "path = 's3://b1/lake'\nendpoint = 'https://me:hunter2@host'",
            "lake.endpoint must be an address without",
        ),
        ("path = 'lake'\ncache = 'copy'\nregion = 'x'", "lake path is a folder: leave cache and region out"),
    ],
)
def test_what_is_wrong_with_a_bucket(file: Path, text: str, said: str) -> None:
    file.write_text(f"[lake]\n{text}\n")
    with pytest.raises(UserError) as caught:
        load(file)
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)
