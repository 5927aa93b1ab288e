"""Write docs/performance.md from what the benchmarks left in benchmarks/results.

    python benchmarks/performance_page.py

Every figure of the page comes out of a JSON file; nothing is typed by hand. Targets that a figure misses are marked.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from measuring import RESULTS, ROOT, Line

PAGE = ROOT / "docs" / "performance.md"

HEAD = """# Performance

Written by `benchmarks/performance_page.py` from `benchmarks/results/*.json`; `make bench` (half an hour on two cores) and `make soak`
(the long ones) measure anew and write this page again. Figures with a target say what the project holds itself to; **missed** marks
those that fall short. Ratios are of functions that ran in turns in one process, and carry over to other machines better than
times. How a figure comes about stands at the head of its script.
"""


def figure(line: Line) -> str:
    """A figure with its unit, to three digits."""
    digits = (
        f"{line.figure:,.0f}" if abs(line.figure) >= 100 or line.figure == int(line.figure) else f"{line.figure:.3g}"
    )
    return f"{digits}×" if line.unit == "times" else f"{digits} {line.unit}"


def row(line: Line) -> str:
    """A line of the table."""
    target = ""
    if line.target is not None:
        target = f"{'≤' if line.at_most else '≥'} {line.target:g}{'×' if line.unit == 'times' else ''}"
    told = f"{line.what} ({line.note})" if line.note else line.what
    return f"| {told} | {figure(line)} | {target} | {'**missed**' if line.missed else ''} |"


def section(name: str, result: Mapping[str, Any]) -> str:
    """One script's table, under the question that its first line asks."""
    script = ROOT / "benchmarks" / f"{name}.py"
    question = (ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or name).splitlines()[0]
    rows = [row(Line(**line)) for line in result["lines"]]
    facts = ", ".join(f"{key} {value}" for key, value in result["machine"].items())
    return "\n".join(
        [f"\n## {question}", "", "| | figure | target | |", "|---|---|---|---|", *rows, "",
         f"`benchmarks/{name}.py` on {facts}."]
    )  # fmt: skip


def page(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The page of all results that have lines."""
    missed = sum(Line(**line).missed for result in results.values() for line in result["lines"])
    with_target = sum(line["target"] is not None for result in results.values() for line in result["lines"])
    gpus = [name for name, result in results.items() if "gpu" in result["machine"]]
    told = f"\n{with_target - missed} of {with_target} targets are reached, {missed} missed.\n"
    if not gpus:
        told += "\nNo GPU was at hand: nothing on this page says anything about one.\n"
    return HEAD + told + "\n".join(section(name, result) for name, result in results.items()) + "\n"


LEAST = {"project, share of the floor": 0.8, "project over plain, two workers": 3.0}
"""Of benchmarks/loader.py, whose result has figures by name."""


def with_lines(content: dict[str, Any]) -> dict[str, Any]:
    """A result whose figures stand by name as one with lines."""
    if "lines" in content or not isinstance(content.get("figures"), dict):
        return content
    lines = [vars(Line(name, value, "", LEAST.get(name))) for name, value in content["figures"].items()]
    facts = {key: content[key] for key in ("machine", "cores", "load", "python", "torch") if key in content}
    return {"machine": facts, "lines": lines}


def read_results(folder: Path) -> dict[str, dict[str, Any]]:
    """Name -> content of every result with figures, by name."""
    contents = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
    return {
        name: content
        for name, content in ((name, with_lines(one)) for name, one in contents.items())
        if "lines" in content
    }


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(read_results(RESULTS)), encoding="utf-8")


if __name__ == "__main__":
    main()
