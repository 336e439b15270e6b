"""What came of a dataset: the account beside it, and what is said on a terminal. Touches: clock, standard output."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import click
from rich.filesize import decimal

from crawler.cohort.frozen import Frozen
from crawler.deid.recipe import Recipe, described
from crawler.export.dataset import Released
from crawler.export.receipt import written_now
from crawler.retrieve.standing import Series
from crawler.words import many
from jobs.exits import Exit
from jobs.forms import Formed
from jobs.table import visible


@dataclass(frozen=True, slots=True)
class Account:
    """All that is told of a dataset, under pseudonyms."""

    frozen: Frozen
    recipe: Recipe
    key: str
    """Its fingerprint."""
    form: str
    released: list[Released]
    formed: Formed
    missing: list[Series]
    """Of the cohort, which are not all in the store."""

    @property
    def exit(self) -> Exit:
        """20 while somebody has to look at something, 3 where the dataset lacks something of the cohort."""
        if self.waits:
            return Exit.QUARANTINE
        return Exit.PARTIAL if self.missing or self.lost or self.formed.unmade else Exit.OK

    @property
    def waits(self) -> int:
        """Instances, or converted series, that somebody has to look at."""
        return sum(one.waits for one in self.released) + len(self.formed.kept_back)

    @property
    def lost(self) -> Counter[str]:
        """Files of the store that could not be used, by the reason."""
        return self.sum_of("lost")

    def sum_of(self, name: str) -> Counter[str]:
        """Add one of the counts of `Released` up over all series."""
        total: Counter[str] = Counter()
        for one in self.released:
            total.update(getattr(one, name))
        return total

    def values(self) -> dict[str, Any]:
        """Give it as what JSON can hold."""
        rows = self.formed.rows
        return {
            "dataset": self.frozen.cohort,
            "version": self.frozen.version,
            "form": self.form,
            "recipe": described(self.recipe),
            "key": self.key,
            "written_at": written_now(),
            "written_by": f"pacslake {version_of('pacslake')}",
            "root": ".",
            "counts": {
                "patients": len({row["PatientID"] for row in rows if row.get("PatientID")}),
                "studies": len({row["StudyInstanceUID"] for row in rows if row.get("StudyInstanceUID")}),
                "series": len({row["SeriesInstanceUID"] for row in rows if row.get("SeriesInstanceUID")}),
                "files": len(rows),
                "bytes": sum(row["size"] for row in rows),
                "instances": sum(one.instances for one in self.released),
                "released": sum(len(one.files) for one in self.released),
                "may_show_faces": sum(one.faces for one in self.released),
            },
            "actions": dict(sorted(self.sum_of("actions").items())),
            "excluded": dict(self.sum_of("excluded").most_common()),
            "quarantined": list(self._of_series("quarantined")),
            "kept_back": [
                *self._of_series("kept_back"),
                *({"SeriesInstanceUID": uid, "reasons": {found: 1}} for uid, found in self.formed.kept_back.items()),
            ],
            "not_made": [{"SeriesInstanceUID": uid, "reason": why} for uid, why in self.formed.unmade.items()],
            "not_usable": dict(self.lost),
            "missing": {"series": len(self.missing), "instances": sum(one.missing for one in self.missing)},
        }

    def _of_series(self, name: str) -> Iterator[dict[str, Any]]:
        for one in self.released:
            if counts := getattr(one, name):
                yield {"SeriesInstanceUID": one.series, "instances": counts.total(), "reasons": dict(counts)}


def show_account(folder: Path, account: Account, told: dict[str, Any], *, as_json: bool) -> Exit:
    """Say what came of a dataset, as its receipt has `told` it; give its exit code."""
    if as_json:
        click.echo(json.dumps({"folder": str(folder), **told}, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(_lines(folder, account, told)))
    return account.exit


def _lines(folder: Path, account: Account, told: dict[str, Any]) -> Iterator[str]:
    counts, name = told["counts"], visible(account.frozen.cohort)
    size, of = decimal(counts["bytes"]), f"of {many(counts['patients'], 'patient')}, {counts['series']:,} series"
    yield f"{folder}: {many(counts['files'], 'file')}, {size}, {of}"
    for reason, count in told["excluded"].items():
        yield f"  left out: {many(count, 'instance')}. {reason}"
    waiting = account.sum_of("quarantined")
    for reason, count in waiting.most_common():
        yield f"  quarantined: {many(count, 'instance')}. {reason}"
    found = account.sum_of("kept_back") + Counter(account.formed.kept_back.values())
    for what, count in found.most_common():
        yield f"  kept back: {many(count, 'file')}: {what} was found"
    for reason, count in told["not_usable"].items():
        yield f"  not usable: {many(count, 'file')} of the store: {reason}; `pacslake cohort verify {name}` names them"
    for reason, count in Counter(account.formed.unmade.values()).most_common():
        yield f"  not made, or not whole: {count:,} series: {reason}"
    if missing := told["missing"]["series"]:
        yield f"  missing: {missing:,} series are not all here; `pacslake cohort status {name}` names them"
    if waiting:
        yield f"Look at what is quarantined: pacslake cohort review {name} --recipe {account.recipe.name} --sheets DIR"
    yield f"{folder}/receipt.json accounts for all of it; `pacslake cohort verify {folder}` checks it."
