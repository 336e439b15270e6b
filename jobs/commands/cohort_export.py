"""`pacslake cohort export`: the list, the files, or a research dataset, and where to. Touches: disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from jobs.completing import names_of
from jobs.options import config_option, processes_option, talk_options
from jobs.wiring import settings_from

FORMATS = ("csv", "parquet", "jsonl")

_version = click.option("--version", "number", type=int, metavar="N", help="Not the newest version but this one.")


@click.command()
@click.argument("name", shell_complete=names_of("cohorts"))
@_version
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Where the list goes.")
@click.option(
    "--format",
    "kind",
    type=click.Choice((*FORMATS, "json")),
    help="[default: what the name of FILE ends in]; json for --recipe: what came of it.",
)
@click.option("--overwrite", is_flag=True, help="Replace FILE if there is one.")
@click.option("--files", is_flag=True, help="Not the list but the DICOM files that are here, with a receipt.")
@click.option("--recipe", metavar="NAME|FILE", help="De-identified files: research, basic or a file of yours.")
@click.option(
    "--to", "--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Where the files go."
)
@click.option("--link", is_flag=True, help="Do not copy files: another name for each, that shares its bytes.")
@click.option(
    "--form",
    type=click.Choice(("dicom", "nifti", "bids", "volumes")),
    default="dicom",
    show_default=True,
    help="What --recipe makes.",
)
@click.option("--template", metavar="TEXT", help="Where each DICOM file lies, by its attributes.")
@click.option("--dicomdir", is_flag=True, help="A DICOMDIR, with the names of files that it wants.")
@click.option("--previews", is_flag=True, help="A picture of each series too.")
@click.option(
    "--crosswalk", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write who is who, as CSV."
)
@processes_option
@config_option
@talk_options
def export(name: str, number: int | None, config: Path, **given: Any) -> int:
    """Write the series of a cohort into a file, or its images: as they are, or as a de-identified dataset.

    The list has the same bytes for the same definition and version of the lake.

    With --files its DICOM files go to a folder, as study/series/instance.dcm by their UIDs, each compared with its
    checksum, and the receipt beside them. They are as their PACS sent them: with the patients' names. Begun and broken
    off, the same command goes on. A file that --link made must not be written to: it is the one in the store.

    With --recipe patients are taken out of the files, which become DICOM files under new names, NIfTI or BIDS. Images
    that may show a name in their pixels are left out until somebody has looked at them (`pacslake cohort review`). Each
    file is read again, and kept back where anything that the lake knows of the patient is found. receipt.json accounts
    for all. Begun and broken off, the same command goes on; run again, it makes what is new. Codes follow from the key
    of the project, `key_file` of [deid], which must not get into other hands.

    \b
    pacslake cohort export chest_ct --output chest_ct.csv
    pacslake cohort export chest_ct --files --to /data/chest_ct

    \b
    pacslake cohort export chest_ct --recipe research --out chest_ct_dataset
    pacslake cohort export chest_ct --recipe research --form bids --out chest_ct_bids
    pacslake cohort export chest_ct --recipe site.toml --template '{PatientID}/{SOPInstanceUID}.dcm' --out ct

    Exit codes: 0 done, 3 the files that are here are there, but some are missing: receipt.json names them; 20 done,
    but some images wait for a look, or were kept back; 2 wrong usage, 10 no lake.
    """
    if given["recipe"]:
        return _export_dataset(name, number, config, given)
    if given["template"] or given["dicomdir"] or given["previews"] or given["crosswalk"] or given["kind"] == "json":
        raise click.UsageError("--template, --dicomdir, --previews, --crosswalk and --format json are for --recipe")
    if given["files"]:
        return _export_files(name, number, config, given)
    if given["to"] or given["link"]:
        raise click.UsageError("--to and --link are for --files")
    output = given["output"]
    if output is None:
        raise click.UsageError("say what to write: --output FILE, --files --to DIR, or --recipe NAME --out DIR")
    chosen = given["kind"] or output.suffix.removeprefix(".").lower()
    if chosen not in FORMATS:
        raise click.UsageError(f"--output needs a format: --format {'|'.join(FORMATS)}, or a file name that ends so")

    from jobs.cohort import export_cohort

    export_cohort(settings_from(config), name, number, (chosen, output, given["overwrite"]))
    return 0


def _export_files(name: str, number: int | None, config: Path, given: dict[str, Any]) -> int:
    if given["to"] is None or given["output"] or given["kind"]:
        raise click.UsageError("--files needs --to DIR, and neither --output nor --format")

    from jobs.receipts import export_files

    return export_files(settings_from(config), name, number, given["to"], link=given["link"])


def _export_dataset(name: str, number: int | None, config: Path, given: dict[str, Any]) -> int:
    if given["files"] or given["link"] or given["output"] or given["overwrite"]:
        raise click.UsageError("--recipe goes without --files, --link, --output and --overwrite")
    if given["to"] is None:
        raise click.UsageError("--recipe needs --out DIR, where the dataset goes")
    if given["form"] != "dicom" and (given["template"] or given["dicomdir"]):
        raise click.UsageError("--template and --dicomdir are for --form dicom")
    if given["template"] and given["dicomdir"]:
        raise click.UsageError("a DICOMDIR wants its own names of files: leave out --template")
    if given["kind"] not in (None, "json"):
        raise click.UsageError("--recipe knows --format json alone")
    settings = settings_from(config)

    from jobs.dataset import DatasetRequest, export_dataset
    from jobs.forms import Form

    template = given["template"] or Form("dicom").template
    form = Form(given["form"], template, given["dicomdir"], given["previews"], name)
    paths = (given["to"], given["processes"], given["crosswalk"])
    request = DatasetRequest(name, number, given["recipe"], form, *paths)
    return export_dataset(settings, request, as_json=given["kind"] == "json")
