"""Heatmaps to joints, by hand."""

import numpy as np

from pipeline.pose.decoding import cells_to_input, decode_heatmaps, input_to_cells, merge_flipped


def test_a_peak_moves_a_quarter_cell_towards_its_higher_neighbour():
    maps = np.zeros((1, 1, 5, 6), np.float32)
    maps[0, 0, 2, 3] = 0.9
    maps[0, 0, 2, 4] = 0.4  # right
    maps[0, 0, 1, 3] = 0.2  # above
    np.testing.assert_allclose(decode_heatmaps(maps)[0, 0], [3.25, 1.75, 0.9], rtol=1e-6)


def test_equal_neighbours_and_the_border_leave_the_peak_on_its_cell():
    maps = np.zeros((1, 2, 5, 6), np.float32)
    maps[0, 0, 2, 3] = 1
    maps[0, 1, 0, 5] = 1
    maps[0, 1, 1, 5] = 0.5
    np.testing.assert_allclose(decode_heatmaps(maps)[0], [[3, 2, 1], [5, 0, 1]])


def test_every_person_and_joint_has_its_own_peak():
    maps = np.zeros((2, 3, 4, 4), np.float32)
    for number, (person, joint) in enumerate(np.ndindex(2, 3)):
        maps[person, joint, number // 4 + 1, number % 4] = 1
    decoded = decode_heatmaps(maps)
    assert decoded[1, 2, :2].tolist() == [1, 2]
    assert decoded[0, 1, :2].tolist() == [1, 1]


def test_cells_lie_in_the_middle_of_their_pixels():
    # Stride 4: cell 0 covers the input pixels 0, 1, 2, 3, whose middle is 1.5.
    np.testing.assert_allclose(cells_to_input(np.array([0, 1, 31]), 4), [1.5, 5.5, 125.5])
    np.testing.assert_allclose(input_to_cells(cells_to_input(np.array([0.3, 7]), 4), 4), [0.3, 7])


def test_flip_merging_is_the_mean_of_both_views():
    plain = np.random.default_rng(0).random((2, 3, 4, 5), dtype=np.float32)
    swap = np.array([0, 2, 1])
    mirrored = plain[:, swap, :, ::-1]  # a network that sees the mirror image exactly mirrored
    np.testing.assert_allclose(merge_flipped(plain, mirrored, swap), plain)
    other = np.random.default_rng(1).random((2, 3, 4, 5), dtype=np.float32)
    merged = merge_flipped(plain, other, swap)
    np.testing.assert_allclose(merged[1, 1, 2, 0], (plain[1, 1, 2, 0] + other[1, 2, 2, 4]) / 2)


def test_the_authors_cells_lie_at_their_first_pixel():
    np.testing.assert_allclose(cells_to_input(np.array([0, 1, 31]), 4, "first"), [0, 4, 124])
    np.testing.assert_allclose(input_to_cells(np.array([0.0, 6.0]), 4, "first"), [0, 1.5])


def test_the_authors_flipped_maps_move_one_cell_to_the_right():
    plain, other = np.random.default_rng(2).random((2, 1, 2, 3, 5), dtype=np.float32)
    merged = merge_flipped(plain, other, np.array([1, 0]), "first")
    for joint, row, column in np.ndindex(2, 3, 5):
        # Turned back, column c of the mirror is 4 - c; then the whole map moves on by one, its first column staying.
        turned = other[0, 1 - joint, row, 4 - max(column - 1, 0)]
        np.testing.assert_allclose(merged[0, joint, row, column], (plain[0, joint, row, column] + turned) / 2)
