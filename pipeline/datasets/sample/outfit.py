"""Draws what a person wears."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.datasets.sample.materials import (
    Material,
    draw_cloth,
    draw_cloth_colour,
    draw_hair_colour,
    draw_skin,
    vary,
)

HAIR_STYLES = ("bald", "short", "bob", "long", "bun", "ponytail", "afro")
HAT_STYLES = ("cap", "beanie", "brim")


@dataclass(frozen=True)
class Outfit:
    """Clothes, hair and skin of one person. Lengths along a limb are shares of it: 1 hip to knee, 2 hip to ankle;
    sleeves 1 shoulder to elbow, 2 shoulder to wrist. None: not worn."""

    skin: tuple[float, float, float]
    hair: Material
    hair_style: str
    top: Material | None
    sleeve: float
    neckline: float
    waistline: float
    crop: float
    bottom: Material | None
    trouser_length: float
    trouser_width: float
    skirt: Material | None
    skirt_length: float
    skirt_flare: float
    coat: Material | None
    coat_length: float
    coat_open: bool
    bib: bool
    shirt: tuple[float, float, float]
    shoes: Material | None
    boot: float
    socks: Material | None
    sock_length: float
    gloves: Material | None
    scarf: Material | None
    hat: Material | None
    hat_style: str
    glasses: Material | None
    belt: Material | None
    bag: Material | None
    bag_in_hand: bool
    beard: bool


def _maybe(rng: np.random.Generator, chance: float, part: str, allowed: frozenset[str]) -> Material | None:
    """Cloth for that part with that chance, if the data set knows the part."""
    drawn = rng.random() < chance
    cloth = draw_cloth(rng, part)
    return cloth if drawn and part in allowed else None


def _draw_kind(rng: np.random.Generator, allowed: frozenset[str]) -> str:
    """How the body is covered: top and trousers, top and skirt, one dress, one jumpsuit, or trousers alone."""
    kinds = {"trousers": 0.56, "skirt": 0.15, "dress": 0.16}
    kinds["jumpsuits"] = 0.08 if "jumpsuits" in allowed else 0.0
    kinds["bare"] = 0.05 if "torso-skin" in allowed else 0.0
    weights = np.array(list(kinds.values()))
    return str(rng.choice(list(kinds), p=weights / weights.sum()))


def draw_outfit(rng: np.random.Generator, allowed: frozenset[str]) -> Outfit:
    """Clothes made of the parts in `allowed` only; neck and bare torso are always "torso-skin"."""
    kind = _draw_kind(rng, allowed)
    whole = {"dress": "dress", "jumpsuits": "jumpsuits"}.get(kind)
    top = draw_cloth(rng, whole or "upper-clothes")
    bottom = draw_cloth(rng, "pants", top)
    skirt = draw_cloth(rng, "skirt", top)
    shorts = rng.random() < 0.28
    coat = draw_cloth(rng, "coat", top) if rng.random() < 0.24 and "coat" in allowed else None
    dark = (40.0, 36.0, 34.0)
    shoes = draw_cloth(rng, "left-shoe") if rng.random() < 0.5 else Material("left-shoe", vary(rng, dark, 14))
    glasses = Material("sunglasses", vary(rng, (24.0, 22.0, 24.0), 10))
    socks = _maybe(rng, 0.5, "socks", allowed)
    hair = draw_hair_colour(rng)
    return Outfit(
        skin=draw_skin(rng),
        hair=Material("hair", hair, "noise", vary(rng, hair, 22), 0.02, folds=0.25),
        hair_style=str(rng.choice(HAIR_STYLES, p=[0.06, 0.34, 0.15, 0.2, 0.08, 0.11, 0.06])),
        top=None if kind == "bare" else top,
        sleeve=float(rng.choice([0.0, rng.uniform(0.35, 0.9), rng.uniform(1.2, 1.6), 2.0], p=[0.16, 0.42, 0.08, 0.34])),
        neckline=float(rng.choice([0.0, rng.uniform(0.3, 1.0)])),
        waistline=float(rng.choice([0.36, rng.uniform(0.1, 0.26)])),
        crop=float(rng.uniform(0.3, 1.0)) if "torso-skin" in allowed and rng.random() < 0.1 else 0.0,
        bottom={"trousers": bottom, "bare": bottom, "jumpsuits": top}.get(kind),
        trouser_length=float(rng.uniform(0.45, 1.15)) if shorts else float(rng.choice([1.55, 1.93], p=[0.15, 0.85])),
        trouser_width=float(rng.uniform(1.06, 1.5)),
        skirt={"skirt": skirt, "dress": top}.get(kind),
        skirt_length=float(rng.uniform(0.45, 1.75)),
        skirt_flare=float(rng.uniform(0.0, 0.11)),
        coat=coat,
        coat_length=float(rng.choice([rng.uniform(0.05, 0.3), rng.uniform(0.5, 1.4)])),
        coat_open=bool(rng.random() < 0.55),
        bib=bool(kind == "jumpsuits" and rng.random() < 0.4),
        shirt=draw_cloth_colour(rng),
        shoes=shoes if rng.random() < 0.93 else None,
        boot=float(rng.uniform(0.3, 0.7)) if rng.random() < 0.16 else 0.0,
        socks=socks,
        sock_length=float(rng.choice([rng.uniform(0.12, 0.35), rng.uniform(0.5, 0.85), 1.4], p=[0.55, 0.35, 0.1])),
        gloves=_maybe(rng, 0.09, "glove", allowed),
        scarf=_maybe(rng, 0.11, "scarf", allowed),
        hat=_maybe(rng, 0.24, "hat", allowed),
        hat_style=str(rng.choice(HAT_STYLES)),
        glasses=glasses if rng.random() < 0.14 and "sunglasses" in allowed else None,
        belt=_maybe(rng, 0.3, "belt", allowed) if kind in ("trousers", "skirt", "dress") else None,
        bag=_maybe(rng, 0.35, "bag", allowed),
        bag_in_hand=bool(rng.random() < 0.5),
        beard=bool(rng.random() < 0.12),
    )
