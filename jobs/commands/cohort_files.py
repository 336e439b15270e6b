"""`pacslake cohort status | receipt | verify`: which cohort, where to. Touches: disk."""

from __future__ import annotations

from pathlib import Path

import click

from jobs.completing import names_of
from jobs.options import config_option, talk_options
from jobs.wiring import settings_from

_format = click.option("--format", "kind", type=click.Choice(("table", "json")), default="table", show_default=True)
_version = click.option("--version", "number", type=int, metavar="N", help="Not the newest version but this one.")


@click.command()
@click.argument("name", shell_complete=names_of("cohorts"))
@_version
@click.option("--check-files", is_flag=True, help="Look for each file on disk too: is it there, and as long as it was?")
@_format
@config_option
@talk_options
def status(name: str, number: int | None, check_files: bool, kind: str, config: Path) -> int:
    """Show what of a cohort is here, and what is missing by name.

    A series is complete when every instance that its PACS lists is here, or as many as it counts where it lists none.
    What a PACS says of its own success does not count.

    \b
    pacslake cohort status chest_ct
    pacslake cohort status chest_ct --check-files
    pacslake cohort status chest_ct --format json | jq '.missing[].SeriesInstanceUID'

    Exit codes: 0 all of it is here, 3 something is missing, 2 no such cohort, 10 no lake.
    """
    settings = settings_from(config)

    from jobs.holdings import show_standing

    return show_standing(settings, name, number, check=check_files, as_json=kind == "json")


@click.command()
@click.argument("name", shell_complete=names_of("cohorts"))
@_version
@click.option("--to", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR", help="Where to.")
@click.option("--overwrite", is_flag=True, help="Replace the receipt that is there.")
@config_option
@talk_options
def receipt(name: str, number: int | None, to: Path, overwrite: bool, config: Path) -> int:
    """Account for a cohort: a manifest of its files in the store, and what could not be had and why.

    DIR gets manifest.parquet and manifest.csv (UIDs, path, size, SHA-256, transfer syntax, PACS, when it came) and
    receipt.json (definition, versions, counts, what is missing, checksums of the manifests). It names no patient beside
    what the definition of the cohort does.

    \b
    pacslake cohort receipt chest_ct --to chest_ct_receipt

    Exit codes: 0 all of the cohort is here, 3 the receipt is written and names what is missing, 2 no such cohort, 10 no
    lake.
    """
    settings = settings_from(config)

    from jobs.receipts import write_receipt_of

    return write_receipt_of(settings, name, number, to, overwrite=overwrite)


@click.command()
@click.argument("what", metavar="DIR|MANIFEST|NAME")
@click.option(
    "--root", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Where the files are now."
)
@_version
@_format
@config_option
@talk_options
def verify(what: str, root: Path | None, number: int | None, kind: str, config: Path) -> int:
    """Read files again and compare size, SHA-256 and SOP Instance UID with what was written down.

    With the folder of a receipt, or a manifest, it works anywhere, on any copy: neither lake nor settings are needed.
    Where the files lie beside the receipt, others among them are named too. With the NAME of a cohort the store is
    compared with the lake.

    \b
    pacslake cohort verify /data/chest_ct
    pacslake cohort verify manifest.csv --root /mnt/copy
    pacslake cohort verify chest_ct --format json | jq .wrong

    Exit codes: 0 every file is what it should be, 1 one is missing, changed or not in the manifest, 2 no such manifest
    or cohort.
    """
    if Path(what).exists():
        from jobs.verifying import verify_copy

        return verify_copy(Path(what), root, as_json=kind == "json")
    if "/" in what or what.endswith((".parquet", ".csv")):
        raise click.UsageError(f"there is no {what}")

    from jobs.verifying import verify_store

    return verify_store(settings_from(config), what, number, as_json=kind == "json")
