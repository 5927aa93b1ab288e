"""`hpp report`: the page is where the layout says, and what is missing is told in one line."""

from __future__ import annotations

import yaml
from click.testing import CliRunner

from stages.cli import main
from tests.trainer.report.conftest import write_inputs


def run(root, *more):
    """`hpp report` on a project below `root`."""
    params = write_inputs(root).params.model_dump(mode="json")
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    for path in more:
        (root / path).unlink()
    return CliRunner().invoke(main, ["--params", str(root / "params.yaml"), "--root", str(root), "report"])


def test_the_page_is_written_and_its_place_told(tmp_path):
    result = run(tmp_path)
    assert result.exit_code == 0, result.output
    assert result.output == f"report: {tmp_path / 'report' / 'index.html'}\n"
    assert (tmp_path / "report" / "index.html").is_file()


def test_a_missing_input_is_one_line_and_exit_code_2(tmp_path):
    result = run(tmp_path, "metrics/evaluate.json")
    assert result.exit_code == 2
    assert "metrics/evaluate.json: not found. Run `hpp evaluate`" in result.output
    assert len(result.output.splitlines()) == 1
    assert not (tmp_path / "report").exists()
