"""There and back, of every registered effect and of the whole way of the light, for stars and parameters of any kind.

1e-9 arcsec in position; in proper motion 1e-9 mas/yr or 1e-13 of it, whichever is larger; the same of velocities.
"""

import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import EarthLocation
from hypothesis import given, settings
from hypothesis import strategies as st

import astrokin as ak
from astrokin.errors import RowsWarning
from astrokin.registry import effect_classes
from astrokin.testing import strategies
from astrokin.testing.compare import demand_same
from astrokin.testing.effect_case import EffectCase

EPOCH = 2016.0
MAS_YR = u.mas / u.yr
EXAMPLES = [
    pytest.param(effect, id=f"{name}-{i}")
    for name, cls in effect_classes().items()
    for i, effect in enumerate(cls.examples())
]
STARS = strategies.stars(min_size=1, missing=False, epoch=None)


def quietly(verb, *args):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RowsWarning)
        return verb(*args)


def there_and_back(effect, stars, but=False):
    """Rows that are neither refused nor told of come back."""
    after = quietly(effect.apply, stars)
    back = quietly(effect.remove, after.without_notes())
    rows = EffectCase.usable(after) & EffectCase.usable(back) & ~np.asarray(but)
    demand_same(back, stars, "remove(apply(x))", rows=rows)
    return rows


@pytest.mark.parametrize("effect", EXAMPLES)
@settings(max_examples=60, deadline=None)
@given(stars=STARS)
def test_every_example_of_every_registered_effect(effect, stars):
    start = getattr(effect, "reference_epoch", None)
    columns = EffectCase(effect).untried[np.zeros(len(stars), int)].columns
    there_and_back(effect, stars.replace(epoch=EPOCH if start is None else start, columns=columns))


# ---- parameters of any kind ------------------------------------------------------------------------------


def vectors(size, unit):
    return st.lists(st.floats(-size, size), min_size=3, max_size=3).map(lambda v: np.array(v) * unit)


YEARS = st.floats(1900.1, 2099.9)
SITES = st.builds(
    lambda lon, lat, height: EarthLocation.from_geodetic(lon * u.deg, lat * u.deg, height * u.m),
    st.floats(-180, 180), st.floats(-90, 90), st.floats(-400, 8000),
)  # fmt: skip
SPACECRAFT = st.builds(
    lambda t, r, v: ak.Observer(t, position=r, velocity=v), YEARS, vectors(40, u.au), vectors(300, u.km / u.s)
).filter(lambda observer: observer.seen().sun_distance[0] > 0.05)
OBSERVERS = st.one_of(
    st.builds(ak.Observer, YEARS, st.sampled_from(["geocenter", "gaia", "barycenter"])),
    st.builds(ak.Observer, st.floats(1973.1, 2026.0), SITES),
    SPACECRAFT,
)
NATURAL = st.builds(ak.Observer, YEARS, st.sampled_from(["geocenter", "gaia"]))
BINARIES = st.builds(
    lambda observer, rate, **orbit: ak.effects.BinaryPhotocentre(observer=observer, rate=rate, **orbit),
    observer=OBSERVERS,
    rate=st.booleans(),
    period=st.floats(0.1, 1000).map(lambda x: x * u.yr),
    semi_major_axis=st.floats(0, 20).map(lambda x: x * u.au),
    eccentricity=st.floats(0, 0.99),
    inclination=st.floats(0, 180).map(lambda x: x * u.deg),
    node=st.floats(0, 360).map(lambda x: x * u.deg),
    mass_ratio=st.floats(0, 10),
    flux_ratio=st.floats(0, 10),
)
ANY = {
    "reflex-motion": st.builds(ak.effects.ReflexMotion, solar_motion=vectors(500, u.km / u.s)),
    "frame-rotation": st.builds(
        ak.effects.FrameRotation, spin=vectors(1e4, MAS_YR), orientation=vectors(3, u.rad), reference_epoch=YEARS
    ),
    "secular-aberration": st.builds(
        ak.effects.SecularAberration, acceleration=vectors(100, u.km / u.s / u.yr), reference_epoch=YEARS
    ),
    "perspective-acceleration": st.builds(
        ak.effects.PerspectiveAcceleration, epoch=YEARS, reference_epoch=st.just(EPOCH)
    ),
    "binary-photocentre": BINARIES,
    "annual-parallax": st.builds(ak.effects.AnnualParallax, OBSERVERS, st.booleans(), st.booleans()),
    "light-deflection": st.builds(ak.effects.LightDeflection, OBSERVERS),
    "annual-aberration": st.one_of(
        st.builds(ak.effects.AnnualAberration, OBSERVERS),
        st.builds(ak.effects.AnnualAberration, NATURAL, st.just(True)),
    ),
}


@pytest.mark.parametrize("name", list(ANY))
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_parameters_of_any_kind(name, data):
    effect = data.draw(ANY[name])
    stars = data.draw(STARS).replace(epoch=EPOCH)
    there_and_back(effect, stars, but=turned_by_round_off(effect.steps, stars))


# ---- the whole way ---------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(stars=strategies.stars(min_size=1, missing=False, nonpositive_parallax=False), observer=OBSERVERS)
def test_apparent_places(stars, observer):
    there_and_back(ak.apparent_place(observer, reference_epoch=EPOCH), stars)


@st.composite
def whole_ways(draw):
    """Everything between a star and the telescope above the air, at one time, with any parameters."""
    observer = draw(OBSERVERS)
    binary = draw(BINARIES)
    chain = ak.apparent_place(observer, reference_epoch=EPOCH)
    steps = [draw(ANY[k]) for k in ("reflex-motion", "secular-aberration")]
    spin = ak.effects.FrameRotation(spin=draw(vectors(10, MAS_YR)), orientation=draw(vectors(1e3, u.mas)))
    return ak.Chain.physical(*chain, *steps, spin, binary)


@settings(max_examples=100, deadline=None)
@given(stars=strategies.stars(min_size=1, missing=False, nonpositive_parallax=False), chain=whole_ways())
def test_the_whole_way_of_the_light(stars, chain):
    there_and_back(chain, stars, but=turned_by_round_off(chain, stars))


def turned_by_round_off(chain, stars):
    """Rows so near a pole that the round-off of the other effects, 1e-15 rad, turns north there by too much.

    For the motion of a photocentre is added toward east and north: 1e-9 mas/yr of it is what is asked for.
    """
    orbit = next((step for step in chain if step.name == "binary-photocentre"), None)
    if orbit is None:
        return False
    for step in chain:
        if step.stage < ak.Stage.ORBIT:
            stars = quietly(step.apply, stars)
    speed = np.hypot(*orbit.motion(stars).value) if orbit.rate else np.zeros(len(stars))
    seen = quietly(orbit.apply, stars).direction
    return speed * 1e-15 > 1e-9 * np.minimum(*(np.hypot(*r[:2]) for r in (seen, stars.direction)))


def test_the_whole_way_brings_most_stars_back():
    """None of this would show anything if all rows were refused."""
    stars = ak.testing.samples.field_stars(500)
    binary = ak.effects.BinaryPhotocentre(
        3 * u.yr, 2 * u.au, mass_ratio=0.5, flux_ratio=0.1, observer=ak.Observer(2026)
    )
    chain = ak.Chain.physical(*ak.apparent_place(ak.Observer(2026), EPOCH), ak.effects.ReflexMotion(), binary)
    assert there_and_back(chain, stars).mean() > 0.99
