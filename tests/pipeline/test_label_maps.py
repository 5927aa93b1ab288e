import numpy as np
import pytest

from pipeline.taxonomy import LABEL_MAPS, LABEL_SETS, LabelSet, label_lut

GOLDEN = {
    ("atr", "lip"): [0, 1, 2, 4, 5, 12, 9, 6, 255, 18, 19, 13, 16, 17, 14, 15, 255, 11],
    ("cihp", "lip"): [*range(10), 255, *range(11, 20)],
    ("lip", "cihp"): [*range(10), 255, *range(11, 20)],
    ("lip", "pascal"): [0, 1, 1, 4, 1, 2, 2, 255, 6, 255, 255, 2, 2, 1, 255, 255, 255, 255, 6, 6],
    ("cihp", "pascal"): [0, 1, 1, 4, 1, 2, 2, 255, 6, 255, 2, 2, 2, 1, 255, 255, 255, 255, 6, 6],
}


def test_every_map_has_a_golden_table():
    assert set(GOLDEN) == set(LABEL_MAPS)


@pytest.mark.parametrize("pair", GOLDEN, ids="-".join)
def test_maps_give_every_class_its_place(pair):
    source, target = (LABEL_SETS[name] for name in pair)
    lut = label_lut(source, target)
    assert lut[: len(source)].tolist() == GOLDEN[pair] and (lut[len(source) :] == 255).all()


@pytest.mark.parametrize("pair", GOLDEN, ids="-".join)
def test_maps_commute_with_mirroring(pair):
    source, target = (LABEL_SETS[name] for name in pair)
    lut = label_lut(source, target)
    assert np.array_equal(lut[source.hflip_lut], target.hflip_lut[lut])


def test_torso_skin_and_jumpsuits_share_an_id_and_nothing_else():
    cihp, lip = LABEL_SETS["cihp"], LABEL_SETS["lip"]
    assert cihp.id("torso-skin") == lip.id("jumpsuits") == 10
    assert label_lut(cihp, lip)[10] == label_lut(lip, cihp)[10] == 255


def test_ones_own_map_goes_before_the_built_in_one():
    cihp, lip = LABEL_SETS["cihp"], LABEL_SETS["lip"]
    assert label_lut(cihp, lip, {"torso-skin": "upper-clothes"})[10] == 5
    mine = LabelSet("mine", ("background", "trousers", "hat"))
    with pytest.raises(ValueError, match="class 'trousers' has no place in 'lip'"):
        label_lut(mine, lip)
    assert label_lut(mine, lip, {"trousers": "pants"})[:3].tolist() == [0, 9, 1]
