"""Authors' checkpoints to model files: names, norms, joints, wrappers, and what is no such file.

That the converted networks give the authors' outputs is what benchmarks/parity.py shows against their code.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import DataError, ParamsError
from pipeline.taxonomy import keypoint_set
from trainer.checkpoints import read_model
from trainer.convert import convert_weights
from trainer.convert.corrpm import corrpm_weights
from trainer.models import build_model, load_model

MULA_JOINTS = (
    "head-top", "neck", "right-shoulder", "right-elbow", "right-wrist", "left-shoulder", "left-elbow", "left-wrist",
    "right-hip", "right-knee", "right-ankle", "left-hip", "left-knee", "left-ankle", "thorax", "pelvis",
)  # fmt: skip


def mula_checkpoint(file: Path, wrapper: str = "module.front_end_net.") -> torch.nn.Module:
    """A file as MuLA's main.py saves it, of a narrow VGG network; returns ours with the same weights."""
    torch.manual_seed(0)
    model = build_model("vgg16-fcn-mula", 20, 16, channels=16).eval()
    theirs = {}
    for task in ("pose", "parsing"):
        network, tailoring = getattr(model, task), model.exchanges[0].tailoring[task]
        for place, layer in enumerate(layer for stage in network.encoders[0].stages for layer in stage):
            theirs[f"{task}_encoder.model.{place}"] = layer
        theirs[f"{task}_classifier"] = network.classifiers[0]
        theirs[f"{task}_param_adapter"] = tailoring.kernels
        theirs[f"{task}_conv1x1_U"], theirs[f"{task}_conv1x1_V"] = tailoring.before, tailoring.after
        theirs[f"{task}_bn"] = torch.nn.BatchNorm2d(16)
    weights = {
        f"{wrapper}{name}.{key}": tensor for name, layer in theirs.items() for key, tensor in layer.state_dict().items()
    }
    torch.save({"epoch": 3, "state_dict": weights, "best_pck": np.float64(87.5), "pck_avg_list": [np.float32(1)]}, file)
    return model


@pytest.mark.parametrize("wrapper", ["module.front_end_net.", "front_end_net.", ""])
def test_mulas_checkpoint_becomes_a_model_file(tmp_path, wrapper):
    theirs = mula_checkpoint(tmp_path / "a.pth.tar", wrapper)
    assert convert_weights("mula", tmp_path / "a.pth.tar", tmp_path / "a.pt") == "vgg16-fcn-mula"
    ours = load_model(tmp_path / "a.pt")
    images = torch.randn(1, 3, 72, 72)
    with torch.no_grad():
        expected, found = theirs(images), ours(images)
    assert torch.equal(found.parsing[0], expected.parsing[0])
    names = keypoint_set("lip16").keypoint_names
    for channel, joint in enumerate(MULA_JOINTS):
        assert torch.allclose(found.pose[0][:, names.index(joint)], expected.pose[0][:, channel], atol=1e-5)
    assert torch.allclose(found.pose[0][:, 16], expected.pose[0][:, 16], atol=1e-5)


def test_card_says_how_mulas_network_is_fed_and_read(tmp_path):
    mula_checkpoint(tmp_path / "a.pth.tar")
    convert_weights("mula", tmp_path / "a.pth.tar", tmp_path / "a.pt")
    card, _ = read_model(tmp_path / "a.pt")
    spec = card.input_spec
    assert (spec.order, spec.mean, spec.std, spec.size) == ("bgr", (0.5,) * 3, (1.0,) * 3, (256, 256))
    assert card.heatmaps == {"stride": 8, "sigma": 7.0, "sigma_space": None, "convention": "mula"}
    assert card.options == {"channels": 16}


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("conv2.weight", "backbone.stem.3.weight"),
        ("layer3.22.conv2.weight", "backbone.layer3.22.conv2.weight"),
        ("layer5.conv1.1.weight", "context.pooled.1.0.weight"),
        ("layer5.conv5.1.bias", "context.branches.3.1.bias"),
        ("layer6.conv3.0.weight", "decoder.fuse.0.weight"),
        ("edge_layer.conv3.0.weight", "edge_encoder.reduce.2.0.weight"),
        ("pose_layer.deconv_layers.3.weight", "pose_encoder.upsample.3.weight"),
        ("nl_SEP.phi.0.bias", "nonlocal_block.key.bias"),
        ("nl_SEP.g.0.bias", "nonlocal_block.value.bias"),
        ("nl_SEP.W.1.bias", "nonlocal_block.restore.1.bias"),
        ("conv_fuse.1.bias", "nonlocal_block.hybrid.1.bias"),
    ],
)
def test_corrpms_weights_find_their_places(theirs, ours):
    last = {"module.out_layer.weight": torch.zeros(20, 512, 1, 1)}
    found = corrpm_weights({f"module.{theirs}": torch.ones(1), "module.layer6.conv1.0.weight": torch.ones(1), **last})
    assert set(found.weights) == {ours, "refined.weight"}
    assert ours in small_corrpm_keys()


def small_corrpm_keys() -> set[str]:
    with torch.device("meta"):
        return set(build_model("corrpm", 20, 16).state_dict())


def test_corrpms_own_norms_scale_by_the_absolute_value_and_pytorchs_do_not():
    gamma, rest = torch.tensor([-0.5, 0.0, 2.0]), torch.zeros(3)
    checkpoint = {"out_layer.weight": torch.zeros(20, 512, 1, 1)}
    for norm in ("layer1.0.bn1", "pose_layer.deconv_layers.1"):
        checkpoint |= {f"{norm}.weight": gamma, f"{norm}.bias": rest, f"{norm}.running_mean": rest}
    weights = corrpm_weights(checkpoint).weights
    assert torch.allclose(weights["backbone.layer1.0.bn1.weight"], torch.tensor([0.50001, 0.00001, 2.00001]))
    assert torch.equal(weights["pose_encoder.upsample.1.weight"], gamma)


def test_what_is_no_such_checkpoint_is_told(tmp_path):
    file, out = tmp_path / "a.pth", tmp_path / "a.pt"
    torch.save([1, 2], file)
    with pytest.raises(DataError, match=r"a\.pth: holds no weights by name"):
        convert_weights("corrpm", file, out)
    torch.save({"features.0.weight": torch.zeros(1)}, file)
    with pytest.raises(DataError, match=r"a\.pth: key 'features.0.weight' is none of the authors' network"):
        convert_weights("corrpm", file, out)
    torch.save({"conv1.weight": torch.zeros(1)}, file)
    with pytest.raises(DataError, match=r"a\.pth: weight 'refined.weight' is missing"):
        convert_weights("corrpm", file, out)
    mula_checkpoint(file)
    with pytest.raises(ParamsError, match=r"--label-set atr: has 18 names, the checkpoint's network 20"):
        convert_weights("mula", file, out, label_set="atr")
    with pytest.raises(ParamsError, match=r"--keypoint-set coco17: has 17 names, the checkpoint's network 16"):
        convert_weights("mula", file, out, keypoint_set="coco17")
    with pytest.raises(ParamsError, match=r"--label-set hair"):
        convert_weights("mula", file, out, label_set="hair")
    content = torch.load(file, weights_only=False)
    del content["state_dict"]["module.front_end_net.pose_encoder.model.0.bias"]
    torch.save(content, file)
    with pytest.raises(DataError, match=r"weight 'pose.encoders.0.stages.0.0.bias' is missing for the network"):
        convert_weights("mula", file, out)
    assert not out.exists()
