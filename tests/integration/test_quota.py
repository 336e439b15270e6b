"""How much one sender may send in a day, and what becomes of more."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from crawler.model import Quota
from crawler.retrieve.expectation import Sender
from crawler.retrieve.instance import OUT_OF_RESOURCES
from crawler.retrieve.quota import FILE, taken_today
from crawler.serve.metrics import registry_of
from crawler.settings import load
from jobs.metrics import condition_of
from tests.acceptance.retrieving import HELD, Attempt, losses, retrieve, sited
from tests.faults.small import ONE_BY_ONE
from tests.integration.sending import encoded, in_layout, left_over, receiver, scu

BOTH = (Sender("SCU"), Sender("OTHER"))


def sent(port: int, *objects: tuple[str, bytes], calling: str = "SCU") -> list[int | None]:
    with scu(port, calling) as sender:
        return [sender.store(uid, data) for uid, data in objects]


def test_what_is_too_much_is_refused_until_tomorrow_and_told_once(tmp_path: Path) -> None:
    store = tmp_path / "store"
    objects = [(f"1.2.{number}", encoded(f"1.2.{number}")) for number in range(5)]

    async def scenario(*expected: int, of: int = 0) -> None:
        async with receiver(store, senders=BOTH, quota=Quota(objects=3)) as (server, _):
            assert await asyncio.to_thread(sent, server.port, *objects[of:]) == list(expected)
            async with asyncio.timeout(20):
                while not (spent := server.spent("SCU")):  # noqa: ASYNC110  # another process tells it
                    await asyncio.sleep(0.01)
            assert spent.startswith("SCU has sent as much today as [local] max_gb_per_day or")
            assert server.spent("OTHER") is None
            assert server.trouble is None

    with capture_logs() as log:
        asyncio.run(scenario(0, 0, 0, OUT_OF_RESOURCES, OUT_OF_RESOURCES))
    told = [one for one in log if one["event"] == "what a sender may send in a day is used up"]
    assert [(one["ae_title"], one["objects"]) for one in told] == [("SCU", 3)]
    assert len(in_layout(store)) == taken_today(store)["SCU"][0] == 3
    asyncio.run(scenario(OUT_OF_RESOURCES, OUT_OF_RESOURCES, of=3))
    known = json.loads((store / FILE).read_bytes())
    (store / FILE).write_text(json.dumps({**known, "day": "2024-03-01"}))
    asyncio.run(scenario(0, 0, 0, OUT_OF_RESOURCES, OUT_OF_RESOURCES))
    (store / FILE).write_text("[" * 100_000)
    assert taken_today(store) == {}


def test_an_object_that_grows_beyond_it_leaves_nothing_and_others_go_on(tmp_path: Path) -> None:
    store = tmp_path / "store"
    large, small = encoded("1.2.1", 900_000), encoded("1.2.2")

    async def scenario() -> None:
        async with receiver(store, senders=BOTH, quota=Quota(size=1_000_000)) as (server, rows):
            assert await asyncio.to_thread(sent, server.port, ("1.2.1", large)) == [0]
            refused = [OUT_OF_RESOURCES, 0]
            assert (
                await asyncio.to_thread(sent, server.port, ("1.2.3", encoded("1.2.3", 900_000)), ("1.2.2", small))
                == refused
            )
            assert await asyncio.to_thread(sent, server.port, ("1.2.1", large), calling="OTHER") == [0]
            await server.settled()
            assert [row["outcome"] for row in rows] == ["stored", "stored", "again"]
            assert rows[0]["size"] + rows[1]["size"] == taken_today(store)["SCU"][1]

    asyncio.run(scenario())
    assert [path.name for path in left_over(store)] == [FILE]


@pytest.mark.parametrize("way", ["move", "get"])
def test_a_retrieval_ends_with_what_has_come_and_goes_on_when_it_may(
    tmp_path: Path, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with sited(tmp_path, Attempt(ONE_BY_ONE, HELD, way, associations=1)) as (settings, _):
        local = settings.local.model_copy(update={"max_objects_per_day": 4})
        assert retrieve(settings.model_copy(update={"local": local})) == 3
        said = capsys.readouterr().err
        assert (
            "  It was left because SIMPACS has sent as much today as [local] max_gb_per_day or max_objects_per_day"
            in said
        )
        assert len(in_layout(settings.local.store_path)) == 4
        assert retrieve(settings) == 0
        assert losses(settings, HELD) == ([], frozenset())


def test_the_metric_says_how_much_of_it_is_used(tmp_path: Path) -> None:
    file = tmp_path / "pacslake.toml"
    keys = "max_gb_per_day = 0.5\nmax_objects_per_day = 10"
    pacs = "host = 'h'\nport = 1\nae_title = 'SCU'"
    file.write_text(f"[lake]\npath = 'lake'\n[local]\n{keys}\n[pacs.main]\n{pacs}\n")
    settings = load(file)
    assert settings.local.quota == Quota(10, 500_000_000)

    async def scenario() -> None:
        async with receiver(settings.local.store_path, quota=settings.local.quota) as (server, _):
            await asyncio.to_thread(sent, server.port, ("1.2.1", encoded("1.2.1")))

    asyncio.run(scenario())
    metrics = generate_latest(registry_of(settings.lake.path, lambda: condition_of(settings, []))).decode()
    assert 'pacslake_quota_used_ratio{kind="objects",pacs="main"} 0.1' in metrics
