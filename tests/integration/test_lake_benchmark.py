"""The benchmark of large lakes, with a small one: it writes a lake as sweeps do, and goes on with it."""

from __future__ import annotations

from pathlib import Path

from benchmarks import scale
from crawler.lake.verify import verify


def test_a_lake_of_the_benchmark_is_whole_and_grows_on(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    lake = tmp_path / "lake"
    assert scale.grown(lake) == 0
    for first, last in ((0, 100), (100, 200)):
        done = scale.grow(tmp_path, first, last, 200)
        assert (done["commits"], done["rows"]) == (1, 100 * (1 + scale.PER_STUDY) + 1)
        assert scale.grown(lake) == last
    assert not verify(lake).flaws
    assert "series rows" in scale.on_disk(lake)
