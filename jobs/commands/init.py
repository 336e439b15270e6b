"""`pacslake init`: write the commented example settings. Touches: disk."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from crawler.errors import UserError
from jobs.options import talk_options
from jobs.wiring import EXAMPLE, shipped


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=Path("pacslake.toml"))
@click.option("--force", is_flag=True, help="Replace the file if there is one.")
@talk_options
def command(path: Path, force: bool) -> None:
    """Write a commented pacslake.toml to start from.

    \b
    pacslake init
    pacslake init /etc/pacslake/pacslake.toml
    """
    text = shipped(EXAMPLE)
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
        path.chmod(0o644)  # for whoever runs the service; secrets stand in files of their own
    except FileExistsError:
        raise UserError(f"{path}: is there already; --force replaces it") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
    print(
        f"Wrote {path}. Set host, port and ae_title of [pacs.main] in it, then type: pacslake check main",
        file=sys.stderr,
    )
