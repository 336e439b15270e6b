"""`pacslake conformance`: what is proposed and accepted, as a document. Touches: standard output."""

from __future__ import annotations

import click

from jobs.options import talk_options


@click.command()
@talk_options
def command() -> None:
    """Print the DICOM Conformance Statement (PS3.2) as Markdown.

    It names SOP classes, presentation contexts, attributes and statuses, as the program proposes and accepts them. It
    needs no settings: defaults stand there, with the keys that change them.

    \b
    pacslake conformance
    pacslake conformance > conformance.md
    """
    from jobs.conformance import statement

    click.echo(statement())
