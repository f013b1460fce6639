"""`apparent_place`: everything between a catalogue and what an observer sees, in one call."""

from __future__ import annotations

from typing import Any

from astrokin.chain import Chain
from astrokin.effects.aberration import AnnualAberration
from astrokin.effects.deflection import LightDeflection
from astrokin.effects.parallax import AnnualParallax
from astrokin.effects.perspective import PerspectiveAcceleration
from astrokin.effects.refraction import AtmosphericRefraction
from astrokin.errors import InputError
from astrokin.observer import Observer


def apparent_place(observer: Any, reference_epoch: Any = None) -> Chain:
    r"""The chain from catalogue places to those that an observer sees: space motion, parallax, deflection, aberration.

    Parameters
    ----------
    observer : Observer
        Where and when the light is received; times may come from a column. One with a pressure sees through the air,
        and then needs to know all of it.
    reference_epoch : `~astropy.time.Time`, float (Julian year TCB) or `ak.column`, optional
        The epoch of the catalogue, which `remove` goes back to, and for stars that do not know their epoch.

    Returns
    -------
    Chain
        ``perspective-acceleration | annual-parallax | light-deflection | annual-aberration``, and for an observer with
        a pressure ``| atmospheric-refraction``. ``ak.Chain.physical(*chain, …)`` puts further effects in their places.

    Raises
    ------
    InputError
        Something that is no observer; or one with a pressure that is not on the ground, or lacks the rest of the air.

    Notes
    -----
    Stars move in a straight line in the standard astrometric model (without the light's travel time along it), and
    are seen when their light passes the barycentre (Rømer's delay). Those are ERFA's conventions in ``atciq``, with
    which directions agree to 0.01 µas (ICRS axes; rotate them for equator and equinox of date) up to 1 arcsec/yr;
    faster stars differ, Barnard's by 0.1 µas after ten years, because ERFA takes the delay for the direction in the
    catalogue. Astropy's transformations from ICRS to GCRS and CIRS agree to 1 nas (2 nas near the Sun) for distant
    stars; of near ones they bend the light a little less, by :math:`(2GM_\odot/c^2)\,\varpi\cot(\theta/2)` at the
    angle θ from the Sun (0.02 µas for the nearest star at a right angle, 6.5 µas at the limb), since they reckon with
    the star's distance in the deflection, too, which ERFA and we do not. They move no star in time.

    Examples
    --------
    >>> import astropy.units as u
    >>> import astrokin as ak
    >>> barnard = ak.Stars(ra=[269.45208] * u.deg, dec=[4.69339] * u.deg, parallax=[546.98] * u.mas,
    ...                    pmra=[-801.55] * u.mas / u.yr, pmdec=[10362.39] * u.mas / u.yr,
    ...                    radial_velocity=[-110.5] * u.km / u.s, epoch=2016.0)
    >>> chain = ak.apparent_place(ak.Observer(2026.5), reference_epoch=2016.0)
    >>> seen = chain.apply(barnard)
    >>> (seen.dec - barnard.dec).to(u.arcsec).round(1)
    <Quantity [110.9] arcsec>
    >>> abs(chain.remove(seen).dec - barnard.dec) < 1e-9 * u.arcsec
    array([ True])
    """
    if not isinstance(observer, Observer):
        raise InputError(f"apparent_place: {observer!r} is no observer: give an ak.Observer(obstime, location).")
    through_air = [AtmosphericRefraction(observer)] if _has_air(observer) else []
    return Chain.physical(
        PerspectiveAcceleration(epoch=observer.obstime, reference_epoch=reference_epoch),
        AnnualParallax(observer, light_time=True),
        LightDeflection(observer),
        AnnualAberration(observer),
        *through_air,
    )


def _has_air(observer: Observer) -> bool:
    return not hasattr(observer.pressure, "value") or bool(observer.pressure > 0)
