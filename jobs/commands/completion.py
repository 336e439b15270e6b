"""`pacslake completion`: what has a shell complete commands, options and names. Touches: standard output."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that has a shell complete commands, options, and names of PACS, jobs and cohorts.

    The names are those of pacslake.toml in the current folder, or of the --config that stands before them.

    \b
    eval "$(pacslake completion bash)"                  for this shell; zsh after: autoload -U compinit && compinit
    pacslake completion bash > ~/.local/share/bash-completion/completions/pacslake
    pacslake completion zsh > ~/.zfunc/_pacslake
    pacslake completion fish > ~/.config/fish/completions/pacslake.fish
    """
    found = get_completion_class(shell)
    assert found is not None
    source = found(ctx.find_root().command, {}, "pacslake", "_PACSLAKE_COMPLETE").source()
    click.echo(source.replace('string split ","', 'string split -m 1 ","'))  # fish: what a command does has commas
