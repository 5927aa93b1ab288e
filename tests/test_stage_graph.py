"""dvc.yaml against the code: every stage depends on what it imports, and names parameters that exist."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
NEVER_IN_RESULTS = {
    *(
        f"pipeline/params/{path.name}" for path in (ROOT / "pipeline/params").glob("*.py")
    ),  # values are tracked as params
    *(f"pipeline/execution/{path.name}" for path in (ROOT / "pipeline/execution").glob("*.py")),  # how fast, never what
    "pipeline/errors.py",
    "pipeline/stores.py",
    "stages/context.py",
    "stages/exclusive.py",
    "stages/paths.py",
    "stages/training_line.py",
}


def module_file(name: str) -> str | None:
    """The file of one of the project's modules, relative to the root; None for others."""
    path = ROOT / Path(*name.split("."))
    if path.with_suffix(".py").is_file():
        return path.with_suffix(".py").relative_to(ROOT).as_posix()
    return (path / "__init__.py").relative_to(ROOT).as_posix() if (path / "__init__.py").is_file() else None


def imported(file: str) -> set[str]:
    """The project's files that a file imports anywhere in it, packages' own files included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.split(".")[0] in ("pipeline", "stages", "trainer"):
                found |= {path for path in [module_file(name)] if path}
    return found


def closure(file: str) -> set[str]:
    seen, todo = set(), {file}
    while todo:
        file = todo.pop()
        seen.add(file)
        todo |= imported(file) - seen
    return seen


def stage_of(name: str) -> tuple[dict, str]:
    stage = STAGES[name].get("do", STAGES[name])
    return stage, "stages/" + stage["cmd"].split()[1].replace("-", "_") + ".py"


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_all_that_it_imports(name: str) -> None:
    stage, file = stage_of(name)
    deps = [dep for dep in stage["deps"] if "$" not in dep]
    missing = [
        path
        for path in sorted(closure(file))
        if path not in NEVER_IN_RESULTS
        and not path.endswith("__init__.py")
        and not any(path == dep or path.startswith(dep + "/") for dep in deps)
    ]
    assert not missing


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_names_only_what_exists(name: str) -> None:
    stage, file = stage_of(name)
    assert (ROOT / file).is_file()
    for dep in stage["deps"]:
        if "$" not in dep and dep.split("/")[0] in ("pipeline", "stages", "trainer", "presets"):
            assert (ROOT / dep).exists(), dep
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for key in stage.get("params", []):
        place = params
        for step in key.replace("${key}", "lip" if "teacher" not in name else "coco").split("."):
            assert step in place, key
            place = place[step]
