"""``completion``: what a shell needs to complete our commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from .terminal import echo

SHELLS = ("bash", "zsh", "fish")
#: The variable by which a shell's script asks the command for completions.
VARIABLE = "_CRAWLER_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script that completes commands, options and names of crawls in SHELL.

    bash and zsh: put `eval "$(crawler completion bash)"` (or zsh) into ~/.bashrc (~/.zshrc). fish:
    `crawler completion fish > ~/.config/fish/completions/crawler.fish`.
    """
    made = get_completion_class(shell)
    context = click.get_current_context().find_root()
    if made is None:
        raise click.UsageError(f"click knows no shell {shell}")
    echo(made(context.command, {}, "crawler", VARIABLE).source())
