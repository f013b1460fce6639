"""An independent check: stars of a three-dimensional distribution function in a realistic potential, by galpy."""

import contextlib
import io
import warnings

import astropy.units as u
import numpy as np
import pytest

from astrokin import galaxy, vertical
from astrokin.estimators import JeansKz
from astrokin.estimators.vertical_sample import listed

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # galpy's own
VO = 220.0  # km/s, galpy's unit of velocity


@pytest.fixture(scope="module")
def model():
    """Return the potential and the distribution function of tracers of some 33 km/s."""
    pytest.importorskip("galpy", reason="galpy is not installed: pip install astrokin[test-galaxy]")
    from galpy.actionAngle import actionAngleStaeckel
    from galpy.df import quasiisothermaldf
    from galpy.potential import MWPotential2014

    actions = actionAngleStaeckel(pot=MWPotential2014, delta=0.45, c=True)
    tracers = quasiisothermaldf(1 / 3, 0.25, 0.15, 1.0, 1.0, pot=MWPotential2014, aA=actions, cutcounter=True)
    return MWPotential2014, tracers


def heights(tracers, n, rng):
    """Return heights in units of R0, drawn from the density of the distribution function at R0."""
    nodes = np.linspace(0.0, 0.3, 13)
    logs = np.log([tracers.density(1.0, z) for z in nodes])
    fine = np.linspace(0.0, 0.3, 4001)
    total = np.cumsum(np.exp(np.interp(fine, nodes, logs)))
    return np.interp(rng.uniform(size=n), total / total[-1], fine) * rng.choice([-1, 1], n)


def gradients(tracers, z):
    """Return inverse scale lengths of density and sigma_Rz at R0 and a height, in units of 1/R0."""
    inner, outer = (
        (tracers.density(r, z), 0.5 * (tracers.sigmaR2(r, z) - tracers.sigmaz2(r, z)) * np.tan(2 * tracers.tilt(r, z)))
        for r in (0.95, 1.05)
    )
    return [-np.log(b / a) / 0.1 for a, b in zip(inner, outer, strict=True)]


def drawn(tracers, n, rng):
    z, radius = heights(tracers, n, rng), rng.uniform(0.98, 1.02, n)
    with contextlib.redirect_stdout(io.StringIO()):
        v = tracers.sampleV_interpolate(radius, np.abs(z), 0.01, 0.04)
    r0, up = galaxy.distance_to_centre().value, np.sign(z)
    v_R, v_phi, v_z = VO * v.T
    flip = rng.choice([-1, 1], n)  # v_R v_z is odd in z; both together have either sign
    place = radius * r0, rng.uniform(-0.06, 0.06, n), z * r0
    return listed(place, (v_R * flip, v_phi, v_z * flip * up), rng)


def test_the_force_of_a_realistic_galaxy_is_recovered(model):
    from galpy.potential import evaluatezforces

    potential, tracers = model
    np.random.seed(1)  # noqa: NPY002 - galpy draws from the global generator
    rng = np.random.default_rng(1)
    r0 = galaxy.distance_to_centre().value
    k_density, k_tilt = gradients(tracers, 0.1)
    stars = drawn(tracers, 20_000, rng)
    lengths = {"tracer_scale_length": r0 / k_density * u.kpc, "tilt_scale_length": r0 / k_tilt * u.kpc}
    fits = {
        name: JeansKz(grid=[0.5, 1.1] * u.kpc, z_max=1.4 * u.kpc, **lengths, **options).fit(stars)
        for name, options in {
            "splines": {"solver": "splines"},
            "isothermal": {"density": "isothermal"},
            "spheroidal": {"solver": "splines", "tilt": "spheroidal"},
            "without tilt": {"solver": "splines", "tilt": "none"},
        }.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        true = [1e-3 * evaluatezforces(potential, 1.0, z / r0) * VO**2 / r0 for z in (0.5, 1.1)] * vertical.FORCE
    for name, fit in fits.items():
        pull = ((fit["Kz"] - true) / fit.error["Kz"]).value
        print(name, fit["Kz"].value, fit.error["Kz"].value, true.value, "pulls", pull)
        if name != "without tilt":
            assert np.abs(pull).max() < 3.0
    assert abs(fits["splines"]["tilt"][1] / true[1]) > 0.03  # there is a tilt to be seen
