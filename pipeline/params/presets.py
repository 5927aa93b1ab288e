"""Ready values for params.yaml.

presets/NAME.yaml holds, in the shape of params.yaml, what differs from its base, another preset; `about`, a line that says what it is
for; and `base`, where it has one. A preset without a base leaves all that it does not name as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import ParamsError
from pipeline.params.load import Params, check_params
from pipeline.params.rewrite import flow, parsed, rewritten
from pipeline.params.section import Section

ABOUT, BASE = "about", "base"


class Preset(NamedTuple):
    """A preset's file.

    Attributes:
        name: of the file.
        about: one line for people.
        values: sections of params.yaml, the base's among them.
    """

    name: str
    about: str
    values: dict[str, Any]


class Change(NamedTuple):
    """A key of params.yaml and its values before and after, as YAML on one line; None where it is not there."""

    key: str
    before: str | None
    after: str | None


def preset_names(folder: Path) -> list[str]:
    """Names of the presets in a folder."""
    return sorted(file.stem for file in folder.glob("*.yaml"))


def read_preset(folder: Path, name: str) -> Preset:
    """A preset of a folder.

    Raises:
        ParamsError: there is none of that name, or its file or its base's is damaged.
    """
    known = preset_names(folder)
    if name not in known:
        raise ParamsError(f"NAME: no preset {name!r}, expected one of {', '.join(known)}")
    about: str | None = None
    values: dict[str, Any] = {}
    seen = [name]
    while True:
        file = folder / f"{seen[-1]}.yaml"
        content = parsed(file.read_text(encoding="utf-8"), str(file))
        own_about, base = content.pop(ABOUT, None), content.pop(BASE, None)
        if not isinstance(own_about, str) or not own_about.strip() or "\n" in own_about:
            raise ParamsError(
                f"{file}: {ABOUT}: found {own_about!r}, expected one line that says what the preset is for"
            )
        about, values = about or own_about, laid_over(content, values)
        if base is None:
            return Preset(name, about, values)
        if base not in known or base in seen:
            raise ParamsError(f"{file}: {BASE}: found {base!r}, expected another preset, in no circle")
        seen.append(base)


def laid_over(content: Mapping[str, Any], values: Mapping[str, Any], kind: type[Section] = Params) -> dict[str, Any]:
    """params.yaml's content with a preset's values.

    Sections are merged key by key. All else is replaced whole, `datasets` and `teacher_datasets` too: what a preset lists
    there is all that is there afterwards.

    Args:
        content: of params.yaml or of one of its sections.
        values: of the preset, for that section.
        kind: of the section.
    """
    merged = dict(content)
    for key, value in values.items():
        inner = _section_of(kind, key)
        if inner is not None and isinstance(value, dict):
            before = content.get(key)
            merged[key] = laid_over(before if isinstance(before, dict) else {}, value, inner)
        else:
            merged[key] = value
    return merged


def with_preset(text: str, preset: Preset, file: str) -> tuple[str, list[Change]]:
    """The text of params.yaml with a preset's values, and what that changed.

    Args:
        text: of params.yaml.
        preset: to lay over it.
        file: how params.yaml is called, for errors.

    Raises:
        ParamsError: the text is no YAML, or the values do not go together.
    """
    content = parsed(text, file)
    target = laid_over(content, preset.values)
    check_params(target, f"{file} with preset {preset.name}")
    return rewritten(text, target, file), differences(content, target)


def differences(before: Mapping[str, Any], after: Mapping[str, Any], place: str = "") -> list[Change]:
    """The keys, as `--set` names them, whose values differ; a mapping that only one side has is one value."""
    found: list[Change] = []
    for key in [*before, *(key for key in after if key not in before)]:
        name, old, new = f"{place}{key}", before.get(key), after.get(key)
        if key in before and key in after and old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict) and old and new:
            found += differences(old, new, f"{name}.")
        else:
            found.append(Change(name, flow(old) if key in before else None, flow(new) if key in after else None))
    return found


def _section_of(kind: type[Section], key: str) -> type[Section] | None:
    field = kind.model_fields.get(key)
    annotation = None if field is None else field.annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, Section) else None
