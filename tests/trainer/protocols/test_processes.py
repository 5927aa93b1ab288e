"""Two processes judge as one does: the same counts, and so the same scores to the last bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.trainer.builders import make_params
from tests.trainer.protocols.builders import make_record, write_set
from tests.trainer.protocols.judge_people import PROTOCOLS, main
from trainer.checkpoints import write_model
from trainer.engine.training import fresh_network, make_card

ROOT = Path(__file__).resolve().parents[3]


def test_two_processes_score_exactly_what_one_does(tmp_path):
    root = write_set(tmp_path, [make_record(index, people=2 + index % 2) for index in range(7)])
    card = make_card(make_params(datasets=["people"], label_set="pascal", keypoint_set="pascal14"))
    write_model(root / "parser.pt", card, fresh_network(card, 0).state_dict())
    alone, together = tmp_path / "alone", tmp_path / "together"
    for folder in (alone, together):
        folder.mkdir()
    main(root, alone)
    command = ["torch.distributed.run", "--standalone", "--nproc-per-node=2", "tests/trainer/protocols/judge_people.py"]
    done = subprocess.run(
        [sys.executable, "-m", *command, str(root), str(together)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        timeout=500,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for protocol in PROTOCOLS:
        one, two = (json.loads((folder / f"{protocol}.json").read_text()) for folder in (alone, together))
        assert (one.pop("processes"), two.pop("processes")) == (1, 2)
        assert one == two
        assert len({score for score in one["scores"].values() if score}) > 5
        names = [path.name for path in sorted((alone / protocol).iterdir())]
        assert names == [path.name for path in sorted((together / protocol).iterdir())]
        assert all((alone / protocol / n).read_bytes() == (together / protocol / n).read_bytes() for n in names)
