from functools import cache

import numpy as np
import pytest

from pipeline.labels import edge_map, people_edge_map


def edge_map_by_definition(mask: np.ndarray, width: int = 3, ignore: int = 255) -> np.ndarray:
    """Pixel by pixel, as the documentation says it."""
    height, wide = mask.shape
    marks = np.zeros_like(mask)
    for y in range(height):
        for x in range(wide):
            # From the marked pixel to its neighbour: up, right, lower right, lower left.
            for dy, dx in ((-1, 0), (0, 1), (1, 1), (1, -1)):
                if 0 <= y + dy < height and 0 <= x + dx < wide:
                    ours, other = int(mask[y, x]), int(mask[y + dy, x + dx])
                    if ours != other and ignore not in (ours, other):
                        marks[y, x] = 1
    reach = width // 2
    wide_marks = np.zeros_like(mask)
    for y, x in zip(*np.nonzero(marks), strict=True):
        wide_marks[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1] = 1
    return wide_marks


def edge_map_by_shifts(mask: np.ndarray, width: int, ignore: int = 255) -> np.ndarray:
    """The same for large masks: every pixel beside each of its four partners, the marks beside all of their square."""
    height, wide = mask.shape
    outside = np.full((height + 2, wide + 2), -1, np.int16)
    outside[1:-1, 1:-1] = mask
    marks = np.zeros(mask.shape, bool)
    for dy, dx in ((-1, 0), (0, 1), (1, 1), (1, -1)):
        other = outside[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + wide]
        marks |= (other != mask) & (other != -1) & (other != ignore) & (mask != ignore)
    reach = width // 2
    padded = np.pad(marks, reach)
    spread = np.zeros(mask.shape, bool)
    for dy in range(width):
        for dx in range(width):
            spread |= padded[dy : dy + height, dx : dx + wide]
    return spread.astype(np.uint8)


def drawn(*rows: str) -> np.ndarray:
    """'.' is 0, '#' is 1, 'x' is 255."""
    return np.array([[{".": 0, "#": 1, "x": 255}[sign] for sign in row] for row in rows], np.uint8)


def random_masks() -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    shapes = [(1, 1), (1, 7), (7, 1), (2, 2), (1, 2), (2, 1)] * 5
    shapes += [tuple(rng.integers(1, 12, 2)) for _ in range(250)]
    return [rng.choice(np.array([0, 0, 3, 19, 255], np.uint8), shape) for shape in shapes]


@cache
def thousand_masks() -> tuple[np.ndarray, ...]:
    """1,000 masks from 1x1 to 600x400: noise, blocks with ragged borders, stripes; 0 to 255 with 255 among them."""
    rng = np.random.default_rng(11)
    shapes = [(1, 1), (1, 1), (600, 400), (400, 600), (600, 1), (1, 400), (599, 399), (2, 400), (600, 2)]
    sides = np.exp(rng.uniform(0, np.log([600, 400]), (1000 - len(shapes), 2)))
    masks = []
    for number, (height, width) in enumerate([*shapes, *np.floor(sides).astype(int).tolist()]):
        labels = np.array([0, 0, *rng.integers(0, 256, int(rng.integers(1, 6))), 255], np.uint8)
        block = (1, 7, 40)[number % 3]
        coarse = rng.choice(labels, (-(-height // block), -(-width // block)))
        mask = coarse.repeat(block, 0).repeat(block, 1)[:height, :width].copy()
        ragged = rng.random(mask.shape) < 0.01
        mask[ragged] = rng.choice(labels, int(ragged.sum()))
        masks.append(mask)
    return tuple(masks)


def test_the_lower_pixel_of_a_vertical_pair_is_marked():
    # Two whole half planes: the diagonal pairs mark the upper row, the vertical ones the lower.
    mask = drawn(".....", ".....", "#####", "#####", "#####")
    assert np.array_equal(edge_map(mask, 1), drawn(".....", "#####", "#####", ".....", "....."))
    # One column has vertical pairs only.
    assert np.array_equal(edge_map(mask[:, :1], 1), drawn(".", ".", "#", ".", "."))


def test_the_left_pixel_of_a_horizontal_pair_is_marked():
    assert np.array_equal(edge_map(drawn("..##."), 1), drawn(".#.#."))


def test_the_upper_pixels_of_diagonal_pairs_are_marked():
    # A single pixel in the middle. Up-down: itself (1,2)-(2,2) and (2,2)-(3,2) -> rows 2 and 3 of column 2.
    # Left-right: (2,1) and (2,2). Diagonals: upper left (1,1), upper right (1,3), and itself for the two below.
    mask = drawn(".....", ".....", "..#..", ".....", ".....")
    assert np.array_equal(edge_map(mask, 1), drawn(".....", ".#.#.", ".##..", "..#..", "....."))


@pytest.mark.parametrize("corner, marked", [((0, 0), (0, 0)), ((0, 1), (0, 1))])
def test_a_diagonal_pair_alone_marks_its_upper_pixel(corner, marked):
    mask = np.full((2, 2), 255, np.uint8)
    mask[corner] = 1
    mask[1 - corner[0], 1 - corner[1]] = 2
    expected = np.zeros((2, 2), np.uint8)
    expected[marked] = 1
    assert np.array_equal(edge_map(mask, 1), expected)


def test_borders_of_ignored_pixels_are_none():
    assert not edge_map(drawn("..x..", "..x..", "xxxxx", "##x##", "##x##"), 3).any()
    assert not edge_map(np.full((4, 4), 255, np.uint8)).any()


def test_another_ignored_label_can_be_chosen():
    assert not edge_map(drawn("..##"), 1, ignore=1).any()
    assert edge_map(drawn("..xx"), 1, ignore=1).tolist() == [[0, 1, 0, 0]]


@pytest.mark.parametrize("width, expected", [(1, "...#......"), (3, "..###....."), (5, ".#####....")])
def test_a_mark_is_widened_to_a_square_of_the_width(width, expected):
    assert np.array_equal(edge_map(drawn("....######"), width), drawn(expected))


@pytest.mark.parametrize("width", [1, 3, 5])
def test_fast_edges_equal_the_definition(width):
    masks = random_masks()
    for mask in masks:
        assert np.array_equal(edge_map(mask, width), edge_map_by_definition(mask, width)), mask
    assert sum(edge_map(mask, width).any() for mask in masks) > 200


def test_a_thousand_masks_up_to_600x400_give_the_edges_of_the_definition():
    masks = thousand_masks()
    assert len(masks) == 1000 and {(1, 1), (600, 400)} <= {mask.shape for mask in masks}
    assert sum((mask == 255).any() for mask in masks) > 500
    bare = partial = 0
    for number, mask in enumerate(masks):
        width = (1, 3, 3, 5, 7)[number % 5]
        found = edge_map(mask, width)
        assert np.array_equal(found, edge_map_by_shifts(mask, width)), (number, mask.shape, width)
        bare, partial = bare + (not found.any()), partial + (0 < found.mean() < 1)
    # Neither all nor nothing is marked in most of them.
    assert partial > 600 and bare < 250


def test_the_two_references_agree():
    for mask in random_masks():
        for width in (1, 3, 5):
            assert np.array_equal(edge_map_by_shifts(mask, width), edge_map_by_definition(mask, width)), mask


@pytest.mark.parametrize("width", [1, 3])
def test_mirroring_moves_edges_by_at_most_one_column(width):
    moved = 0
    for mask in (*random_masks(), *thousand_masks()):
        there, back = edge_map(mask, width), edge_map(mask[:, ::-1].copy(), width)[:, ::-1]
        for one, other in ((there, back), (back, there)):
            reach = np.pad(other, ((0, 0), (1, 1)))
            near = reach[:, :-2] | reach[:, 1:-1] | reach[:, 2:]
            assert not (one & (1 - near)).any(), mask.shape
        moved += not np.array_equal(there, back)
    assert moved > 500


def test_edges_are_zero_and_one_and_leave_the_mask_alone():
    mask = random_masks()[-1]
    before = mask.copy()
    edge = edge_map(mask)
    assert edge.dtype == np.uint8 and edge.shape == mask.shape and set(np.unique(edge)) <= {0, 1}
    assert np.array_equal(mask, before)


def test_strided_masks_give_the_same_edges():
    mask = np.random.default_rng(1).integers(0, 3, (9, 14), dtype=np.uint8)
    for view in (mask.T, mask[:, ::2], mask[::-1], np.asfortranarray(mask)):
        assert np.array_equal(edge_map(view), edge_map(view.copy(order="C")))


@pytest.mark.parametrize("width", [0, 2, 4, -1, 3.0, True, "3", None])
def test_a_width_that_is_no_odd_number_is_refused(width):
    with pytest.raises(ValueError, match=r"width: .*expected an odd number"):
        edge_map(np.zeros((3, 3), np.uint8), width)


@pytest.mark.parametrize("ignore", [-1, 256, 1.5, "255", None, True])
def test_an_ignored_label_that_is_no_uint8_is_refused(ignore):
    with pytest.raises(ValueError, match=r"ignore: .*expected a label from 0 to 255"):
        edge_map(np.zeros((3, 3), np.uint8), 3, ignore)


@pytest.mark.parametrize(
    "mask", [np.zeros((3, 3), np.int64), np.zeros((3, 3, 1), np.uint8), np.zeros((0, 3), np.uint8), [[0, 1]]]
)
def test_a_mask_of_another_form_is_refused(mask):
    with pytest.raises(ValueError, match=r"mask: .*expected a non-empty uint8 array of shape \(H, W\)"):
        edge_map(mask)


def people_edges_by_definition(people: np.ndarray, mask: np.ndarray, width: int, ignore: int = 255) -> np.ndarray:
    """Pixel by pixel: as `edge_map_by_definition`, of two people at least one of whom has a label."""
    height, wide = mask.shape
    marks = np.zeros_like(mask)
    for y in range(height):
        for x in range(wide):
            for dy, dx in ((-1, 0), (0, 1), (1, 1), (1, -1)):
                if 0 <= y + dy < height and 0 <= x + dx < wide:
                    ours, other = int(people[y, x]), int(people[y + dy, x + dx])
                    both_ignored = mask[y, x] == ignore == mask[y + dy, x + dx]
                    if 0 not in (ours, other) and ours != other and not both_ignored:
                        marks[y, x] = 1
    reach = width // 2
    drawn_marks = np.zeros_like(mask)
    for y, x in zip(*np.nonzero(marks), strict=True):
        drawn_marks[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1] = 1
    return drawn_marks


def test_two_people_of_one_class_who_touch_have_a_border():
    # Columns 1 and 2 are one person, 3 and 4 another, all in the same shirt; nobody in columns 0 and 5.
    people = np.tile(np.array([0, 1, 1, 2, 2, 0], np.uint8), (3, 1))
    mask = np.where(people > 0, 5, 0).astype(np.uint8)
    # The left pixel of each pair; of the diagonals the upper left (column 2) and the upper right (column 3).
    expected = drawn("..##..", "..##..", "..#...")
    assert np.array_equal(people_edge_map(people, mask, 1), expected)
    # The part borders are those to the background alone: columns 0 and 4, and the diagonals' upper right.
    parts = drawn("##..##", "##..##", "#...#.")
    assert np.array_equal(edge_map(mask, 1), parts)


def test_a_border_to_nobody_is_none_of_two_people():
    people = np.array([[0, 1, 1, 0]], np.uint8)
    assert not people_edge_map(people, np.array([[0, 5, 0, 0]], np.uint8), 1).any()
    assert not people_edge_map(people, np.zeros((1, 4), np.uint8), 3).any()


def test_a_kept_neighbour_is_not_learned_but_the_border_to_them_is_known():
    people = np.array([[1, 1, 2, 2, 3]], np.uint8)
    kept = np.array([[5, 5, 255, 255, 255]], np.uint8)
    assert people_edge_map(people, kept, 1).tolist() == [[0, 1, 0, 0, 0]]  # 2 | 3: both ignored
    assert not edge_map(kept, 1).any()


def test_a_painted_over_neighbour_has_no_border_but_that_of_the_parts():
    people, mask = np.array([[1, 1, 0, 0]], np.uint8), np.array([[5, 5, 0, 0]], np.uint8)
    assert not people_edge_map(people, mask, 1).any() and edge_map(mask, 1).tolist() == [[0, 1, 0, 0]]


@pytest.mark.parametrize("width", [1, 3, 5])
def test_borders_between_people_equal_the_definition(width):
    rng = np.random.default_rng(8)
    marked = 0
    for mask in random_masks():
        people = rng.choice(np.array([0, 1, 1, 4], np.uint8), mask.shape)
        found = people_edge_map(people, mask, width)
        assert np.array_equal(found, people_edges_by_definition(people, mask, width)), (people, mask)
        marked += found.any()
    assert marked > 200


def test_people_of_another_size_or_kind_are_refused():
    mask = np.zeros((3, 3), np.uint8)
    with pytest.raises(ValueError, match=r"people: shape \(3, 2\), the mask has \(3, 3\)"):
        people_edge_map(np.zeros((3, 2), np.uint8), mask)
    with pytest.raises(ValueError, match=r"people: int64 of shape \(3, 3\), expected a non-empty uint8"):
        people_edge_map(np.zeros((3, 3), np.int64), mask)
    with pytest.raises(ValueError, match=r"mask: .*expected a non-empty uint8"):
        people_edge_map(mask, mask.astype(bool))
    with pytest.raises(ValueError, match=r"width: 2, expected an odd number"):
        people_edge_map(mask, mask, 2)
