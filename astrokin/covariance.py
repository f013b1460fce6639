"""The 6 x 6 covariance of each source: stored as it came, as errors and correlations or as a matrix.

Catalogues give errors and correlations; an estimator needs a few elements; only covariance propagation needs
whole matrices. `Covariance` answers each without building what nobody asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin.errors import InputError, some_rows
from astrokin.units import PARAMETER_UNITS, PARAMETERS, is_quantity, plain_values, private, raw_values

Array = NDArray[np.float64]
_PLACE = {name: i for i, name in enumerate(PARAMETERS)}
#: A correlation of 1 that was written in single precision.
_LARGEST = 1.0 + 1e-6


def pair(one: str, other: str) -> tuple[str, str]:
    """The two parameter names in their fixed order: the key of their correlation."""
    return (one, other) if _PLACE[one] < _PLACE[other] else (other, one)


class Covariance:
    """Covariance of (alpha*, dec, parallax, pmra*, pmdec, radial velocity) for n sources.

    Units are (mas, mas, mas, mas/yr, mas/yr, km/s), axes the local tangent ones (east, north). A parameter
    without a known error has NaN in its row and column.

    Parameters
    ----------
    matrix : ndarray, shape (n, 6, 6), optional
        Whole matrices, or
    errors : mapping of str to ndarray, shape (n,), optional
        Standard errors by parameter name (`ra` is the error of alpha*); those left out are unknown.
        Plain arrays are in the units above, Quantities are converted.
    correlations : mapping of (str, str) to ndarray, shape (n,), optional
        Correlation coefficients by pair of names; those left out are zero.

    Raises
    ------
    InputError
        A negative or infinite error, a correlation outside -1 to 1, a matrix that is not symmetric, unknown
        names, unequal lengths or a wrong unit.

    Examples
    --------
    >>> import numpy as np
    >>> from astrokin.covariance import Covariance
    >>> c = Covariance(errors={"parallax": np.array([0.1]), "pmra": np.array([0.2])},
    ...                correlations={("parallax", "pmra"): np.array([0.5])})
    >>> c.element("parallax", "pmra")
    array([0.01])
    """

    __slots__ = ("_correlations", "_errors", "_matrix", "_n")

    def __init__(
        self,
        matrix: Array | None = None,
        *,
        errors: Mapping[str, Array] | None = None,
        correlations: Mapping[tuple[str, str], Array] | None = None,
    ) -> None:
        if (matrix is None) == (not errors) or (matrix is not None and correlations):
            raise InputError("A covariance needs a matrix or at least one error (with correlations or not), not both.")
        self._matrix = None if matrix is None else _checked_matrix(matrix)
        self._errors = {k: _checked_error(k, v) for k, v in (errors or {}).items()}
        self._correlations = {_checked_pair(k): _checked_correlation(k, v) for k, v in (correlations or {}).items()}
        self._n = len(next(iter(self._errors.values())) if self._matrix is None else self._matrix)
        for name, values in (*self._errors.items(), *self._correlations.items()):
            if len(values) != self._n:
                raise InputError(f"covariance: {name} has {len(values)} values, {next(iter(self._errors))} {self._n}.")

    @classmethod
    def trusted(
        cls,
        matrix: Array | None = None,
        errors: Mapping[str, Array] | None = None,
        correlations: Mapping[tuple[str, str], Array] | None = None,
    ) -> Self:
        """As ``Covariance(…)``, of what is known to be good and nobody else's: neither checked nor copied."""
        new = object.__new__(cls)
        new._matrix = None if matrix is None else _frozen(matrix)
        new._errors = {k: _frozen(v) for k, v in (errors or {}).items()}
        new._correlations = {k: _frozen(v) for k, v in (correlations or {}).items()}
        new._n = len(next(iter(new._errors.values())) if matrix is None else matrix)
        return new

    def __len__(self) -> int:
        return self._n

    def __repr__(self) -> str:
        return f"<Covariance of {self._n} sources>"

    def __getitem__(self, index: Any) -> Covariance:
        if self._matrix is not None:
            return Covariance.trusted(self._matrix[index])
        return Covariance.trusted(
            errors={k: v[index] for k, v in self._errors.items()},
            correlations={k: v[index] for k, v in self._correlations.items()},
        )

    def knows(self, name: str) -> bool:
        """Whether any error of the parameter is stored."""
        return self._matrix is not None or name in self._errors

    def error(self, name: str) -> Array:
        """Standard error of one parameter, shape (n,); NaN where unknown."""
        if self._matrix is not None:
            return np.sqrt(self._matrix[:, _PLACE[name], _PLACE[name]])
        known = self._errors.get(name)
        return np.full(self._n, np.nan) if known is None else known

    def element(self, one: str, other: str) -> Array:
        """One element of every matrix, shape (n,), by parameter names; zero for a correlation not given."""
        if self._matrix is not None:
            return self._matrix[:, _PLACE[one], _PLACE[other]]
        if one == other:
            return self.error(one) ** 2
        correlation = self._correlations.get(pair(one, other))
        if correlation is None:
            return np.zeros(self._n)
        return correlation * self.error(one) * self.error(other)

    def elements(self, names: Sequence[str], kind: Any = np.float64) -> dict[tuple[str, str], NDArray[Any]]:
        """The elements of the parameters whose errors are known, by pairs of names, those that are zero left out."""
        known = [name for name in names if self.knows(name)]
        pairs = [
            (one, other)
            for k, one in enumerate(known)
            for other in known[k:]
            if one == other or self.correlated(one, other)
        ]
        if self._matrix is not None:
            return {key: self.element(*key).astype(kind) for key in pairs}
        sigma = {name: self._errors[name].astype(kind, copy=False) for name in known}
        out = {key: sigma[key[0]] * sigma[key[1]] for key in pairs}
        for key in pairs:
            if key[0] != key[1]:
                out[key] *= self._correlations[pair(*key)].astype(kind, copy=False)
        return out

    def correlated(self, one: str, other: str) -> bool:
        """Whether a correlation of the two is stored (a matrix always counts as yes)."""
        return self._matrix is not None or pair(one, other) in self._correlations

    def with_error(self, name: str, values: Array) -> Covariance:
        """The covariance with another error, shape (n,), of one parameter, which then correlates with no other."""
        if self._matrix is None:
            kept = {k: v for k, v in self._correlations.items() if name not in k}
            return Covariance.trusted(errors={**self._errors, name: values}, correlations=kept)
        matrix, place = self._matrix.copy(), _PLACE[name]
        matrix[:, place] = matrix[:, :, place] = np.where(np.isnan(values), np.nan, 0.0)[:, None]
        matrix[:, place, place] = values**2
        return Covariance.trusted(matrix)

    @property
    def matrix(self) -> Array:
        """The whole matrices, shape (n, 6, 6), with NaN where unknown."""
        if self._matrix is None:
            self._matrix = _frozen(self._built())
        return self._matrix

    def _built(self) -> Array:
        out = np.zeros((self._n, 6, 6))
        sigma = np.stack([self.error(name) for name in PARAMETERS], axis=1)
        for (one, other), value in self._correlations.items():
            i, j = _PLACE[one], _PLACE[other]
            out[:, i, j] = out[:, j, i] = np.where(np.isnan(value), 0.0, value)
        out[:, range(6), range(6)] = 1.0
        out *= sigma[:, :, None] * sigma[:, None, :]
        return out

    @staticmethod
    def joined(parts: Sequence[Covariance]) -> Covariance:
        """One covariance from those of consecutive blocks."""
        first = parts[0]
        if any(p._matrix is not None for p in parts):
            return Covariance.trusted(np.concatenate([p.matrix for p in parts]))
        return Covariance.trusted(
            errors={k: np.concatenate([p._errors[k] for p in parts]) for k in first._errors},
            correlations={k: np.concatenate([p._correlations[k] for p in parts]) for k in first._correlations},
        )


def checked(matrix: Any, n: int) -> Covariance:
    """A `Covariance` from a caller's array (n, 6, 6) in the fixed units, or the reason why not."""
    if isinstance(matrix, Covariance):
        if len(matrix) != n:
            raise InputError(f"covariance has {len(matrix)} rows, the stars have {n}.")
        return matrix
    made = Covariance(matrix)
    if len(made) != n:
        raise InputError(f"covariance has shape {made.matrix.shape}; ({n}, 6, 6) is needed, in the order {PARAMETERS}.")
    return made


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _own(array: Array, given: Any) -> Array:
    """The array, read-only; a copy where the caller could still write to it."""
    return _frozen(private(array, given))


def _checked_matrix(matrix: Any) -> Array:
    if is_quantity(matrix):
        raise InputError(
            f"covariance is in {matrix.unit}; its elements have different units: give a plain array in mas, mas/yr and "
            "km/s."
        )
    array = plain_values(matrix, "covariance")
    if array.ndim != 3 or array.shape[1:] != (6, 6):
        raise InputError(f"covariance has shape {array.shape}; (n, 6, 6) is needed, in the order {PARAMETERS}.")
    uneven = ~np.isclose(array, array.swapaxes(1, 2), rtol=1e-9, equal_nan=True)
    _refuse_rows(np.asarray(uneven).any(axis=(1, 2)), "not symmetric")
    _refuse_rows((array[:, range(6), range(6)] < 0).any(axis=1), "negative on its diagonal")
    return _own(array, matrix)


def _checked_error(name: str, values: Any) -> Array:
    if name not in _PLACE:
        raise InputError(f"covariance: there is no error of {name!r}; it can be of {', '.join(PARAMETERS)}.")
    array = _one_dimensional(values, PARAMETER_UNITS[_PLACE[name]], f"the error of {name}")
    if len(array) and not array.min() >= 0.0 and (bad := array < 0.0).any():
        rows = some_rows(np.flatnonzero(bad))
        raise InputError(f"the error of {name} is negative in {rows}; NaN marks an unknown one.")
    return _own(array, values)


def _checked_pair(names: Any) -> tuple[str, str]:
    if not isinstance(names, tuple) or len(names) != 2 or names[0] == names[1] or not set(names) <= set(_PLACE):
        allowed = ", ".join(PARAMETERS)
        raise InputError(f"covariance: {names!r} is no pair; a correlation is one of two different ones of {allowed}.")
    return pair(*names)


def _checked_correlation(names: tuple[str, str], values: Any) -> Array:
    what = f"the correlation of {' and '.join(names)}"
    array = _one_dimensional(values, u.dimensionless_unscaled, what)
    if len(array) and not (array.min() >= -_LARGEST and array.max() <= _LARGEST):
        bad = np.abs(array) > _LARGEST
        if bad.any():
            raise InputError(f"{what} lies outside -1 to 1 in {some_rows(np.flatnonzero(bad))}.")
    return _own(array, values)


def _one_dimensional(values: Any, unit: u.UnitBase, what: str) -> Array:
    array = raw_values(values, unit, what) if is_quantity(values) else plain_values(values, what)
    if array.ndim != 1:
        raise InputError(f"{what} has shape {array.shape}; one value per row is needed.")
    return array


def _refuse_rows(bad: Any, what: str) -> None:
    if bad.any():
        raise InputError(f"covariance is {what} in {some_rows(np.flatnonzero(bad))}.")
