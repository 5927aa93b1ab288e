from pathlib import Path

import pytest
import yaml

from pipeline.errors import ParamsError
from pipeline.params import load_params

FILE = Path(__file__).parents[2] / "params.yaml"


def problem(*overrides: str, path: Path = FILE) -> str:
    """The error's text; it is one line."""
    with pytest.raises(ParamsError) as caught:
        load_params(path, overrides)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_the_projects_own_file_is_valid():
    params = load_params(FILE)
    grid = tuple(side // params.heatmaps.stride for side in params.train.input_size)
    assert params.heatmaps.size == grid and params.datasets["lip"].splits == ("train", "val")
    assert params.dataset("coco").label_set == "person"


@pytest.mark.parametrize(
    "override, read",
    [
        ("edges.width=5", lambda params: params.edges.width == 5),
        ("train.lr=1e-4", lambda params: params.train.lr == 1e-4),
        ("train.lr=1", lambda params: params.train.lr == 1.0),
        ("datasets.lip.keypoint_set=null", lambda params: params.datasets["lip"].keypoint_set is None),
        ("datasets.lip.limits.max_rejects=3", lambda params: params.datasets["lip"].limits.max_rejects == 3),
        ("heatmaps.size=[96, 64]", lambda params: params.heatmaps.size == (96, 64)),
        ("datasets.my.set={layout: lip, label_set: lip}", None),
        ("datasets.lip.source=/data/with=sign", lambda params: params.datasets["lip"].source == "/data/with=sign"),
    ],
)
def test_overrides_are_read_as_yaml(override, read):
    if read is None:
        assert "datasets.my" in problem(override)
    else:
        assert read(load_params(FILE, (override,)))


def test_later_overrides_win():
    assert load_params(FILE, ("seed=1", "seed=7")).seed == 7


@pytest.mark.parametrize(
    "override, message",
    [
        ("colour=1", "params.yaml: colour is not a known key; known here are archives, crop, datasets, detector"),
        ("edges.colour=1", "edges.colour is not a known key; known here are between_people, width"),
        ("pose.fit.colour=1", "pose.fit.colour is not a known key; known here are architecture, batch_size"),
        ("datasets.lip.colour=1", "datasets.lip.colour is not a known key; known here are annotations, images"),
        (
            "datasets.lip.limits.colour=1",
            "datasets.lip.limits.colour is not a known key; known here are keypoint_tolerance, max_",
        ),
        ("edges.width=4", "edges.width: expected an odd number of pixels; found 4"),
        ("edges.width=0", "edges.width: Input should be greater than or equal to 1; found 0"),
        ("edges.width=3.0", "edges.width: Input should be a valid integer; found 3.0"),
        ("edges.width=wide", "edges.width: Input should be a valid integer; found 'wide'"),
        ("edges.between_people=1", "edges.between_people: Input should be a valid boolean; found 1"),
        ("seed=true", "seed: Input should be a valid integer; found True"),
        ("seed='1'", "seed: Input should be a valid integer; found '1'"),
        ("seed=null", "seed: Input should be a valid integer; found None"),
        ("crop.expand=true", "crop.expand: Input should be a valid number; found True"),
        ("train.lr=.inf", "train.lr: Input should be a finite number; found inf"),
        ("train.lr=fast", "train.lr: Input should be a valid number; found 'fast'"),
        ("pose.min_confidence=1.5", "pose.min_confidence: Input should be less than or equal to 1; found 1.5"),
        ("train.lr=1e300", "train.lr: Input should be less than or equal to 10000000000"),
        ("train.threads=1000000", "train.threads: Input should be less than or equal to 256; found 1000000"),
        ("seed=99999999999999999999", "seed: Input should be less than 4294967296; found 99999999999999999999"),
        ("executor.loader_workers=100000", "executor.loader_workers: Input should be less than or equal to 256; found"),
        ("evaluate.scales=[]", "evaluate.scales: List should have at least 1 item"),
        ("evaluate.scales=[1, 100]", "evaluate.scales.1: Input should be less than or equal to 10; found 100"),
        ("heatmaps.sigma=0", "heatmaps.sigma: Input should be greater than or equal to 0.01; found 0"),
        ("heatmaps.sigma=1e30", "heatmaps.sigma: Input should be less than or equal to 10000; found"),
        ("heatmaps.size=[48]", "heatmaps.size.1 is missing"),
        ("heatmaps.size=48", "heatmaps.size: Input should be a valid list; found 48"),
        ("heatmaps.convention=CorrPM", "heatmaps.convention: Input should be 'corrpm', 'mula' or 'exact'; found"),
        ("datasets.lip.splits=[train, train]", "datasets.lip.splits: a name stands there twice"),
        ("datasets.lip.splits=[]", "datasets.lip.splits: List should have at least 1 item"),
        ("datasets.lip.layout=yolo", "datasets.lip.layout: Input should be 'lip', 'cihp'"),
        ("datasets.lip.label_set=LIP", "datasets.lip.label_set: label set 'LIP' is unknown; known are lip, cihp"),
        ("datasets.lip.keypoint_set=mpii", "datasets.lip.keypoint_set: keypoint set 'mpii' is unknown; known are"),
        ("datasets.lip.images={training: 3}", "datasets.lip.images.training"),
        ("datasets.lip={}", "datasets.lip.layout is missing (1 more after this one)"),
        ("edges=3", "edges: Input should be a section of keys; found 3"),
        ("datasets.coco={layout: coco, label_set: person}", "'coco' stands in datasets and in teacher_datasets"),
    ],
)
def test_errors_name_the_key_the_value_and_what_is_right(override, message):
    assert message in problem(override)


@pytest.mark.parametrize(
    "override, message",
    [
        ("seed", "--set seed: expected key.path=value, for instance train.lr=0.01"),
        ("=3", "--set =3: expected key.path=value"),
        ("seed=[", "--set seed=[: the value is no YAML"),
        ("seed.x=1", "--set seed.x=1: seed is no section of params.yaml"),
        ("seed.x.y=1", "--set seed.x.y=1: seed.x is no section of params.yaml"),
    ],
)
def test_malformed_overrides_are_told(override, message):
    assert message in problem(override)


def test_unknown_data_sets_are_told_with_the_known_ones():
    with pytest.raises(ParamsError, match=r"DATASET: 'imagenet' is not in params\.yaml; it has cihp, coco, lip"):
        load_params(FILE).dataset("imagenet")


def test_a_missing_file_or_a_folder_is_told(tmp_path):
    assert problem(path=tmp_path / "x.yaml").endswith(
        "x.yaml: not found. Run hpp in the project's folder or give --params FILE"
    )
    assert "cannot be read (Is a directory)" in problem(path=tmp_path)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"seed: [1\nx: 2", "not readable as YAML"),
        (b"\xff\xfe\x00", "not readable as YAML"),
        (b"", "holds NoneType, expected sections"),
        (b"- seed", "holds list, expected sections"),
        (b"seed: 1", "datasets is missing ("),
        (b"1: x", "p.yaml: "),
    ],
)
def test_a_file_that_is_no_parameters_is_told(tmp_path, content, message):
    path = tmp_path / "p.yaml"
    path.write_bytes(content)
    text = problem(path=path)
    assert "p.yaml: " in text and message in text


@pytest.mark.parametrize("section", ["seed", "datasets", "detector", "heatmaps", "train"])
def test_missing_sections_are_named(tmp_path, section):
    content = yaml.safe_load(FILE.read_text())
    del content[section]
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(content))
    assert problem(path=tmp_path / "p.yaml") == f"{tmp_path / 'p.yaml'}: {section} is missing"


ZOO = "detector.network=COCO-InstanceSegmentation/mask_rcnn_R_50_FPN_3x.yaml"
V2 = "detector.network=maskrcnn_resnet50_fpn_v2"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["detector.network=resnet50"],
            "detector.network: expected mask_rcnn_basic, maskrcnn_resnet50_fpn or maskrcnn_resnet50_fpn_v2 with backend",
        ),
        ([ZOO, "detector.weights=coco"], "detector.network: expected mask_rcnn_basic, maskrcnn_resnet50_fpn or"),
        (["detector.backend=detectron2"], "detector.network: expected a Mask R-CNN config with backend: detectron2"),
        (
            [V2],
            "detector.weights: expected coco, a file or an address: the sample weights are of network mask_rcnn_basic",
        ),
        (
            ["detector.weights=coco"],
            "detector.weights: expected sample, fit or a file: COCO weights are of network mask",
        ),
        (
            ["detector.backend=detectron2", ZOO, "detector.weights=fit"],
            "detector.weights: expected coco, a file or an address: detectron2's networks are fitted by its own tools",
        ),
    ],
)
def test_a_detector_s_parameters_fit_together(overrides, message):
    assert message in problem(*overrides)


RAY = "executor.backend=ray"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["executor.address=10.0.0.1:6379"], "executor: address is that of a Ray cluster; set backend to ray"),
        (["executor.storage=s3://bucket/hpp"], "executor: storage is that of a Ray cluster; set backend to ray"),
        ([RAY, "executor.storage=/mnt/hpp"], "storage is '/mnt/hpp', expected an address that means the same on every"),
        (
            [RAY, "executor.storage=file://mnt/hpp"],
            "such as s3://bucket/folder, or file:///mnt/folder for a mounted one",
        ),
        ([RAY, "executor.storage=s3://"], "storage is 's3://', expected an address"),
    ],
)
def test_an_executor_s_parameters_fit_together(overrides, message):
    assert message in problem(*overrides)


def test_a_cluster_s_storage_is_an_address():
    for address in ("s3://bucket", "gs://bucket/a/b", "abfs://box@account.dfs.core.windows.net/a", "file:///mnt/a"):
        assert load_params(FILE, (RAY, f"executor.storage={address}")).executor.storage == address


def test_every_detector_has_a_name_in_params():
    from pipeline.detection.architectures import ARCHITECTURES

    for name in ARCHITECTURES:
        chosen = (f"detector.network={name}", "detector.weights=fit")
        assert load_params(FILE, chosen).detector.network == name
    assert load_params(FILE, ("detector.backend=detectron2", ZOO, "detector.weights=coco")).detector.weights == "coco"


def test_parameters_cannot_be_changed_afterwards():
    with pytest.raises(ValueError, match="frozen"):
        load_params(FILE).seed = 2


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["pose.backend=keypoint_rcnn"],
            "pose.weights: expected coco, a file or an address: the sample weights are of",
        ),
        (
            ["pose.backend=detectron2", "pose.weights=coco"],
            "pose.config: expected a Keypoint R-CNN config with backend",
        ),
        (
            ["pose.backend=detectron2", "pose.weights=fit", "pose.config=a.yaml"],
            "pose.weights: expected coco, a file or an address: detectron2's networks are fitted by its own tools",
        ),
        (["pose.config=a.yaml"], "pose.config: expected null: configs are of backend detectron2; found 'a.yaml'"),
        (
            ["pose.weights=fit", "pose.fit.architecture=keypoint_rcnn"],
            "pose.fit: architecture keypoint_rcnn is of backend keypoint_rcnn, not simple_baseline",
        ),
        (["pose.decoding=nearest"], "pose.decoding: Input should be 'quarter' or 'dark'; found 'nearest'"),
    ],
)
def test_a_pose_teacher_s_parameters_fit_together(overrides, message):
    assert message in problem(*overrides)


def test_every_network_to_fit_has_a_name_in_params():
    from pipeline.pose.architectures import POSE_CHOICES

    for name in POSE_CHOICES:
        backend = "keypoint_rcnn" if name == "keypoint_rcnn" else "simple_baseline"
        fitted = (f"pose.backend={backend}", "pose.weights=fit", f"pose.fit.architecture={name}")
        assert load_params(FILE, fitted).pose.fit.architecture == name
