"""The text of params.yaml with other values: comments, blank lines and all that need not change stay as they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from pipeline.errors import NOT_YAML, ParamsError

_Edit = tuple[int, int, str]
"""Characters from .. to are replaced by a text."""


def parsed(text: str, file: str) -> dict[str, Any]:
    """The content of a YAML file of sections.

    Args:
        text: of the file.
        file: how it is called, for errors.

    Raises:
        ParamsError: it is no YAML, or no mapping.
    """
    try:
        content = yaml.safe_load(text)
    except NOT_YAML as error:
        raise ParamsError(f"{file}: not readable as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ParamsError(f"{file}: holds {type(content).__name__}, expected sections such as `seed:` and `datasets:`")
    return content


def rewritten(text: str, target: Mapping[str, Any], file: str) -> str:
    """The text of params.yaml, changed only where its content differs from `target`.

    New keys come last in their section, on a line each; comments of keys that stay, stay.

    Args:
        text: of the file.
        target: what it is to hold.
        file: how it is called, for errors.

    Raises:
        ParamsError: it is no YAML of sections, or is written in a way that cannot be changed so (anchors, for instance).
    """
    content = parsed(text, file)
    root = yaml.compose(text, yaml.SafeLoader)
    if content == target:
        return text
    edits: list[_Edit] = []
    if isinstance(root, yaml.MappingNode) and not root.flow_style:
        _bring(text, root, content, target, edits)
    changed = text
    for start, end, new in sorted(edits, reverse=True):
        changed = changed[:start] + new + changed[end:]
    try:
        reached = yaml.safe_load(changed)
    except yaml.YAMLError:
        reached = None
    if reached != target:
        keys = ", ".join(key for key in target if content.get(key) != target[key])
        raise ParamsError(
            f"{file}: {keys} cannot be changed by a program as it is written. Write a key a line, without anchors"
        )
    return changed


def flow(value: Any) -> str:
    """A value on one line of YAML."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=float("inf"), sort_keys=False)
    return str(text).removesuffix("...\n").strip()


def _bring(
    text: str, node: yaml.MappingNode, content: Mapping[str, Any], target: Mapping[str, Any], edits: list[_Edit]
) -> None:
    """Collect what makes the node of a mapping, a key a line, hold the target's keys and values."""
    for key_node, value_node in node.value:
        key = key_node.value
        if key not in target:
            edits.append((_line_start(text, key_node.start_mark.index), _next_line(text, _end(text, value_node)), ""))
        elif content[key] != target[key]:
            if _in_block(value_node) and isinstance(target[key], dict) and target[key]:
                _bring(text, value_node, content[key], target[key], edits)
            else:
                edits += _replace(text, key_node, value_node, flow(target[key]))
    new = [key for key in target if key not in content]
    if new:
        end = "\r\n" if "\r\n" in text else "\n"
        place = _next_line(text, _end(text, node.value[-1][1]))
        as_blocks = any(_in_block(value) for _, value in node.value)
        indent = " " * node.value[0][0].start_mark.column
        lines = [line for key in new for line in _entry(key, target[key], as_blocks)]
        missing_end = "" if text[:place].endswith("\n") else end
        edits.append((place, place, missing_end + "".join(f"{indent}{line}{end}" for line in lines)))


def _entry(key: str, value: Any, as_block: bool) -> list[str]:
    """The lines of a new key: sections beside sections with a key a line, all else on one."""
    if as_block and isinstance(value, dict) and value:
        return [f"{flow(key)}:", *(f"  {flow(inner)}: {flow(inner_value)}" for inner, inner_value in value.items())]
    return [f"{flow(key)}: {flow(value)}"]


def _replace(text: str, key: yaml.Node, value: yaml.Node, new: str) -> list[_Edit]:
    """Another value behind a key; a comment on the line keeps its column where there is room."""
    start, end = value.start_mark.index, _end(text, value)
    colon = text.index(":", key.end_mark.index) + 1
    if isinstance(value, yaml.CollectionNode) and not value.flow_style:
        return [(colon, colon, f" {new}"), (_next_line(text, colon), _next_line(text, end), "")]
    if start >= end:  # no value at all is null
        start, end, new = colon, colon, f" {new}"
    comment = re.compile(r"( +)#").match(text, end)
    if comment is not None:
        room = len(comment[1]) + (end - start) - len(new)
        return [(start, comment.end(1), new + " " * max(room, 2))]
    return [(start, end, new)]


def _in_block(node: yaml.Node) -> bool:
    return isinstance(node, yaml.MappingNode) and not node.flow_style and bool(node.value)


def _end(text: str, node: yaml.Node) -> int:
    """Index behind the last character of a node's text, comments and blank lines behind it not counted."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(text, last[1] if isinstance(last, tuple) else last)
    return len(text[: node.end_mark.index].rstrip())


def _line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def _next_line(text: str, index: int) -> int:
    """Where the line after that of `index` begins; the text's end behind the last one."""
    return text.find("\n", index) + 1 or len(text)
