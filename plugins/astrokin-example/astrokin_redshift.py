"""The gravitational redshift of a star's own light, as an astrokin plugin."""

from dataclasses import dataclass

import astropy.units as u

import astrokin as ak


@dataclass(frozen=True)
class GravitationalRedshift(ak.Effect):
    """Add a constant gravitational redshift to radial velocities."""

    name = "gravitational-redshift"
    stage = ak.Stage.SOURCE
    needs = frozenset({"radial_velocity"})
    references = ("2003A&A...401.1185L",)

    shift: u.Quantity = ak.parameter(0.6 * u.km / u.s, doc="velocity equivalent of the redshift")

    def forward(self, stars):
        return stars.replace(radial_velocity=stars.radial_velocity + self.shift)

    @classmethod
    def examples(cls):
        yield cls()


@ak.hookimpl
def astrokin_effects():
    return [GravitationalRedshift]
