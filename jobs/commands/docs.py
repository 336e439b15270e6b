"""`pacslake docs`: the documents on a terminal. Touches: disk, standard output."""

from __future__ import annotations

import sys

import click
from click.shell_completion import CompletionItem

from jobs.options import talk_options


def _names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from jobs.manual import parts

    return [CompletionItem(name) for _, names in parts() for name in names if name.startswith(incomplete)]


@click.command()
@click.argument("name", required=False, shell_complete=_names)
@click.option("--html", is_flag=True, help="Print where it lies as HTML, with all others, for a browser.")
@talk_options
def command(name: str | None, html: bool) -> None:
    """Show a document, or which there are. They come with the program, so that no internet is needed.

    Elsewhere than on a terminal it comes as Markdown. While `pacslake serve` runs, its pages have them too, at /docs.

    \b
    pacslake docs
    pacslake docs tutorial
    pacslake docs readme | grep -n reconcile
    xdg-open "$(pacslake docs --html)"
    """
    from jobs.manual import document, html_of, parts, title_of

    if html:
        click.echo(html_of(name or "index"))
        return
    if name is None:
        for caption, names in parts():
            click.echo(f"\n{caption}")
            for one in names:
                click.echo(f"  {one:<26}{title_of(one)}")
        return
    found = document(name)
    text = f"# {found.title}\n\n{found.text}"
    if not sys.stdout.isatty():
        click.echo(text, nl=False)
        return

    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    with console.pager(styles=True):
        console.print(Markdown(text, hyperlinks=False))
