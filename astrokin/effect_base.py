"""`Effect`: a map from stars to stars, of which the author writes one formula; the rest is written here, once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from astrokin import derivatives, inversion, verbs
from astrokin.parameters import Parametrised
from astrokin.stars import Stars

Array = NDArray[np.float64]


class Effect(Parametrised, ABC):
    """What nature, the Sun's motion, the observer's motion or the atmosphere does to the observables of stars.

    A concrete effect is a frozen dataclass whose fields are its parameters (`ak.parameter`). It must define
    `forward`; everything else has a default.

    Attributes
    ----------
    name : str
        The name in the registry, such as ``"annual-aberration"``.
    stage : int
        Where the effect stands on the way from the source to the detector (`Stage`).
    needs : frozenset of str
        What the formula cannot do without: of ``"parallax"``, ``"proper_motion"``, ``"radial_velocity"``,
        ``"epoch"``. It may depend on options.
    references : tuple of str
        Keys of the package's BibTeX file, or bibcodes.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import astropy.units as u
    >>> import astrokin as ak
    >>> @dataclass(frozen=True)
    ... class Redshift(ak.Effect):
    ...     '''Add a constant to radial velocities.'''
    ...     name = "constant-redshift"
    ...     stage = ak.Stage.SOURCE
    ...     needs = frozenset({"radial_velocity"})
    ...     shift: u.Quantity = ak.parameter(0.6 * u.km / u.s, doc="velocity equivalent of the redshift")
    ...     def forward(self, stars):
    ...         return stars.replace(radial_velocity=stars.radial_velocity + self.shift)
    >>> stars = ak.Stars(ra=[10] * u.deg, dec=[20] * u.deg, radial_velocity=[5] * u.km / u.s)
    >>> Redshift().apply(stars).radial_velocity
    <Quantity [5.6] km / s>
    >>> Redshift().remove(stars).radial_velocity
    <Quantity [4.4] km / s>
    """

    name: ClassVar[str] = ""
    stage: ClassVar[int]
    needs: frozenset[str] = frozenset()
    references: ClassVar[tuple[str, ...]] = ()

    # ---- what an author may write ------------------------------------------------------------------------

    @abstractmethod
    def forward(self, stars: Stars) -> Stars:
        """The formula, from the truth toward what is observed: pure, on a block, parameters already bound."""

    def backward(self, stars: Stars) -> Stars:
        """The way back, from what is observed. Default: `forward` solved numerically, row by row."""
        return inversion.inverse(self.forward, stars, self.name)

    def jacobian(self, stars: Stars) -> Array:
        """Derivatives of `forward` in local tangent axes, shape (n, 6, 6). Default: complex step."""
        return derivatives.jacobian(self.forward, stars)

    def noise(self, stars: Stars) -> Array | None:
        """Covariance that the effect itself adds at `stars`, shape (n, 6, 6), or None. Default: none."""
        return None

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Instances for the conformance kit, the documentation and the gallery. Default: the one without arguments."""
        yield cls()

    # ---- what a user calls -------------------------------------------------------------------------------

    def apply(self, data: Any, *, missing_rv: str = "zero", refused: str = "nan", progress: bool = False) -> Any:
        """From the truth to what is observed.

        Parameters
        ----------
        data : Stars, `~astropy.coordinates.SkyCoord`, table, DataFrame or pyarrow table
            The sources; they come back in the type they came in.
        missing_rv : {"zero", "nan", "error"}
            What a missing radial velocity means: zero for the calculation and missing again afterwards (with
            a covariance, a prior of 0 +- 50 km/s), missing throughout, or an error.
        refused : {"nan", "error"}
            What becomes of rows outside the effect's domain: NaN, counted and told in one warning; or an error.
        progress : bool
            Whether to show a progress bar where there is a terminal.

        Returns
        -------
        same type as `data`
            What the effect does not touch comes back bit-identical.

        Raises
        ------
        InputError
            Unusable data; `MissingValueError` and `RefusedRowsError` where asked for.

        Warns
        -----
        RowsWarning
            Rows were refused or flagged; the message counts them by reason.
        """
        return verbs.run(self, "apply", data, verbs.Rules(missing_rv, refused, progress))

    def remove(self, data: Any, *, missing_rv: str = "zero", refused: str = "nan", progress: bool = False) -> Any:
        """From what is observed back to the truth; the arguments are those of `apply`."""
        return verbs.run(self, "remove", data, verbs.Rules(missing_rv, refused, progress))

    def change(self, data: Any, *, missing_rv: str = "zero") -> Any:
        """What the effect does to each observable, as a `~astropy.table.QTable`.

        One row per effect and source: the displacement on the sky (``delta_ra_cosdec``, ``delta_dec``), and
        the differences of parallax, proper motion and radial velocity, observed minus true.
        """
        return verbs.change(self, data, verbs.Rules(missing_rv, "nan", False))

    def __or__(self, other: Effect) -> Effect:
        """``a | b``: first a, then b."""
        from astrokin.chain import Chain

        return Chain(self, other)

    # ---- what the drivers use ----------------------------------------------------------------------------

    @property
    def steps(self) -> tuple[Effect, ...]:
        """The effects one after the other; a single one is its own only step."""
        return (self,)
