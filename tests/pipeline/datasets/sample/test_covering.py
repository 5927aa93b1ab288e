import numpy as np
import pytest

from pipeline.datasets.sample.covering import Placement, cover
from pipeline.datasets.sample.materials import Material
from pipeline.datasets.sample.shapes import Ellipsoid, Tube
from pipeline.datasets.sample.skeleton import rot_x, rot_y, rot_z
from pipeline.datasets.sample.torso import body_frame

SKIN = (Material("face", (200.0, 160.0, 140.0)),)
PLACE = Placement(scale=1.0, offset_x=40.0, offset_y=40.0)


def empty(size=80):
    return np.full((size, size), np.inf, dtype=np.float32)


def turned_ellipsoid():
    frame = rot_x(0.4) @ rot_y(0.7) @ rot_z(0.3)
    return Ellipsoid(np.array([1.0, -2.0, 5.0]), frame, (10.0, 20.0, 15.0), SKIN, "head")


def test_ellipsoid_hits_lie_on_its_surface():
    solid = turned_ellipsoid()
    hit = cover(solid, PLACE, empty())
    points = np.stack([hit.pixels % 80 - 40.0, hit.pixels // 80 - 40.0, hit.depth], axis=1) - solid.centre
    unit = points @ solid.frame / np.array(solid.radii)
    assert np.allclose((unit**2).sum(axis=1), 1, atol=1e-3)
    assert np.allclose(unit, np.stack([hit.left, -hit.along, -hit.front], axis=1), atol=1e-3)


def test_ellipsoid_normals_stand_on_its_surface_towards_the_camera():
    solid = turned_ellipsoid()
    hit = cover(solid, PLACE, empty())
    gradient = np.stack([hit.left, -hit.along, -hit.front], axis=1) / np.array(solid.radii) @ solid.frame.T
    normals = np.stack([hit.nx, hit.ny, hit.nz], axis=1)
    cosine = (gradient * normals).sum(axis=1) / np.linalg.norm(gradient, axis=1) / np.linalg.norm(normals, axis=1)
    assert np.allclose(cosine, 1, atol=1e-4)
    assert (hit.nz < 1e-3).all()


def test_round_tube_covers_a_capsule():
    start, end, radii = np.array([-20.0, -10.0, 0.0]), np.array([20.0, 10.0, 0.0]), (6.0, 6.0)
    frame = body_frame(np.array([1.0, 0.0, 0.0]), end - start)
    tube = Tube(start, end, frame, (0, 1), radii, radii, SKIN, ((1.0, "upper-arm"),), (6.0, 6.0))
    hit = cover(tube, PLACE, empty())
    x, y = np.meshgrid(np.arange(80) - 40.0, np.arange(80) - 40.0)
    t = np.clip((x + 20) * 40 / 2000 + (y + 10) * 20 / 2000, 0, 1)
    inside = np.hypot(x - (-20 + 40 * t), y - (-10 + 20 * t)) < 6
    found = np.zeros((80, 80), dtype=bool)
    found.ravel()[hit.pixels] = True
    assert (found != inside).sum() < 5


def test_only_pixels_nearer_than_what_stands_there_are_covered():
    solid = turned_ellipsoid()
    everything = cover(solid, PLACE, empty())
    before = empty()
    before.ravel()[everything.pixels] = np.where(np.arange(len(everything.pixels)) % 2 == 0, -100.0, 100.0)
    assert np.array_equal(cover(solid, PLACE, before).pixels, everything.pixels[1::2])


@pytest.mark.parametrize("offset", [-500.0, 500.0])
def test_solid_beyond_the_border_covers_nothing(offset):
    assert cover(turned_ellipsoid(), Placement(1.0, offset, 40.0), empty()) is None
