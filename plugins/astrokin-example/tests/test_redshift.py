"""What any plugin should test: that it is found, that it conforms, and its own number."""

import astropy.units as u
import numpy as np
from astrokin_redshift import GravitationalRedshift
from astropy.table import QTable

import astrokin as ak


def test_it_is_found_by_its_entry_point():
    assert isinstance(ak.effect("gravitational-redshift"), GravitationalRedshift)
    row = next(row for row in ak.plugins() if row["distribution"] == "astrokin-example")
    assert tuple(row[["entry_point", "effects", "error"]]) == ("redshift", "gravitational-redshift", "")


def test_it_conforms():
    ak.testing.check_effect(GravitationalRedshift)


def test_the_light_of_a_white_dwarf_is_redder():
    zero = np.zeros(2)
    stars = QTable(
        {
            "ra": zero * u.deg,
            "dec": zero * u.deg,
            "parallax": (zero + 10) * u.mas,
            "pmra": zero * u.mas / u.yr,
            "pmdec": zero * u.mas / u.yr,
            "radial_velocity": [-7.0, 20.0] * u.km / u.s,
        }
    )
    redder = ak.effect("gravitational-redshift", shift=30 * u.km / u.s).apply(stars)
    np.testing.assert_allclose(redder["radial_velocity"].to_value("km/s"), [23.0, 50.0])
