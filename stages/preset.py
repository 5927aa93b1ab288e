"""`hpp preset`: list the ready parameter files, or write one into params.yaml."""

from __future__ import annotations

import click

from pipeline.errors import ParamsError
from pipeline.params.presets import Change, preset_names, read_preset, with_preset
from pipeline.shards.write import replace_file
from stages.context import Context, pass_context
from stages.paths import PRESETS


@click.command()
@click.argument("name", required=False)
@pass_context
def preset(context: Context, name: str | None) -> None:
    """List the ready parameter files, or write the values of NAME into params.yaml and say what changed."""
    if name is None:
        names = preset_names(PRESETS)
        for one in names:
            click.echo(f"{one:{max(map(len, names))}}  {read_preset(PRESETS, one).about}")
        return
    chosen, file = read_preset(PRESETS, name), context.params_file
    try:
        before = file.read_bytes()
        text, changes = with_preset(before.decode(), chosen, str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise ParamsError(
            f"{file}: cannot be read ({error}). Run hpp in the project's folder or give --params FILE"
        ) from error
    if changes:
        replace_file(file, text.encode())
    for change in changes:
        context.say(_told(change))
    context.say(f"preset {name}: {len(changes)} values changed in {file}; `git diff {file}` shows them")


def _told(change: Change) -> str:
    if change.after is None:
        return f"{change.key}: taken out, was {change.before}"
    return f"{change.key}: {'not set' if change.before is None else change.before} → {change.after}"
