"""MAT-files: what SciPy writes is read as SciPy reads it; what is damaged is told."""

import io

import numpy as np
import pytest
import scipy.io

from pipeline.datasets.mat_files import read_mat
from pipeline.errors import DataError


def cells(*values):
    array = np.empty((1, len(values)), object)
    for place, value in enumerate(values):
        array[0, place] = value
    return array


RANDOM = np.random.default_rng(4)
VARIABLES = {
    "doubles": RANDOM.normal(size=(14, 3)),
    "one": np.array([[7]], np.uint8),
    "bytes": RANDOM.integers(0, 255, (3, 5), dtype=np.uint8),
    "negative": np.array([[-3, 70000]], np.int32),
    "singles": RANDOM.normal(size=(2, 3, 4)).astype(np.float32),
    "long_name_of_a_variable": np.array([[1, 2], [3, 4]], np.int64),
    "nothing": np.zeros((0, 3)),
    "boxes": cells(np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([[5, 6, 7, 8]], np.uint16)),
    "nested": cells(cells(np.ones((2, 2))), np.zeros((1, 1))),
}


def written(variables, **options):
    stream = io.BytesIO()
    scipy.io.savemat(stream, variables, **options)
    return stream.getvalue()


def same(found, expected):
    if expected.dtype == object:
        assert found.dtype == object and found.shape == expected.shape
        for one, other in zip(found.ravel(), expected.ravel(), strict=True):
            same(one, other)
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("packed", [True, False])
def test_what_scipy_writes_is_read_as_scipy_reads_it(packed):
    data = written(VARIABLES, do_compression=packed)
    found, expected = read_mat(data, "a.mat"), scipy.io.loadmat(io.BytesIO(data))
    assert list(found) == list(VARIABLES)
    for name in VARIABLES:
        same(found[name], expected[name])


def test_structures_and_text_are_passed_over():
    data = written({"text": "abc", "structure": {"a": 1}, "complex": np.array([[1 + 2j]]), "numbers": np.eye(2)})
    assert list(read_mat(data, "a.mat")) == ["numbers"]


def test_damage_is_told_by_name():
    whole = written(VARIABLES, do_compression=True)
    for data, reason in ((whole[:-20], "left"), (b"", "no header"), (whole[:126] + b"??" + whole[128:], "no header")):
        with pytest.raises(DataError, match=rf"a\.mat: not a readable \.mat file \(.*{reason}"):
            read_mat(data, "a.mat")


def test_a_variable_that_unpacks_to_more_than_joints_need_is_refused():
    data = written({"bomb": np.zeros((3000, 3000))}, do_compression=True)
    assert len(data) < 200_000
    with pytest.raises(DataError, match="unpacks to more than"):
        read_mat(data, "a.mat")
