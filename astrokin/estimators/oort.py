"""Oort's constants A, B, C, K jointly with the solar motion and the velocity dispersion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin import galaxy, simulation, velocity_model
from astrokin.summaries import group_of, grouped_product

Array = NDArray[np.float64]

SHEAR = u.km / u.s / u.kpc
VELOCITY = u.km / u.s
_NAMES = ("A", "B", "C", "K", "U", "V", "W")
#: Elements of (T | v_sun) in the order of their sums, by the parameters: T = [[K + C, A - B], [A + B, K - C]].
_COMBINATIONS = {
    "A": ((0, 1, 1.0), (1, 0, 1.0)),
    "B": ((0, 1, -1.0), (1, 0, 1.0)),
    "C": ((0, 0, 1.0), (1, 1, -1.0)),
    "K": ((0, 0, 1.0), (1, 1, 1.0)),
    "U": ((0, 2, 1.0),),
    "V": ((1, 2, 1.0),),
    "W": ((2, 2, 1.0),),
}
_TENSOR = ("sigma_UU", "sigma_UV", "sigma_UW", "sigma_VV", "sigma_VW", "sigma_WW")
#: The six elements of the dispersion tensor by the parameters fitted: (6, q).
_SHAPES = {
    "isotropic": (("sigma2",), np.array([[1.0, 0, 0, 1.0, 0, 1.0]]).T),
    "diagonal": (("sigma_UU", "sigma_VV", "sigma_WW"), np.eye(6)[:, [0, 3, 5]]),
    "full": (_TENSOR, np.eye(6)),
}
_START = 30.0**2  # (km/s)^2, a disc star's dispersion: only where the iteration begins
_TOLERANCE = 1e-3  # of a standard error


@dataclass(frozen=True)
class OortConstants(ak.Estimator):
    r"""Oort's constants A, B, C, K from proper motions and/or radial velocities, with the solar motion.

    In Galactic axes the velocity field near the Sun is linear,
    :math:`\mathbf v = \mathbf T\mathbf x - \mathbf v_\odot` plus a random velocity, with

    .. math::

        \mathbf T = \begin{pmatrix} K + C & A - B\\ A + B & K - C\end{pmatrix}

    in the plane, so that :math:`v_r = d\cos^2 b\,(K + A\sin 2l + C\cos 2l)` and
    :math:`v_l = d\cos b\,(B + A\cos 2l - C\sin 2l)` besides the reflex of the solar motion. Multiplied by
    the parallax the model needs no distance, so that zero and negative parallaxes are data where errors are
    known. The dispersion (isotropic, or a tensor) is fitted along by maximum likelihood with the measurement
    covariance taken off; errors are those of the sandwich, which hold whatever the distribution.

    Parameters
    ----------
    use : ("pm", "rv"), ("pm",) or ("rv",)
        Which motions to use; a star without radial velocity enters with its proper motion. From radial velocities
        alone B is not determined, and is said to be so.
    dispersion : {"isotropic", "diagonal", "full"}
        Shape of the velocity ellipsoid that is fitted along: sigma2; sigma_UU, sigma_VV, sigma_WW; or all six
        second moments.

    Returns
    -------
    Fit
        ``A B C K`` (km/s/kpc), ``U V W`` (km/s; the Sun's velocity relative to the sample) and the second
        moments of the velocities (km2/s2). Derived: ``omega0`` = A - B, ``slope`` = -(A + B)/(A - B) (the
        logarithmic slope of the rotation curve), ``dvc_dr`` = -(A + B), ``kappa``, ``kappa_ratio`` =
        kappa/omega0, ``period``, ``vc`` = omega0 R0.

    Notes
    -----
    Sources: 000, "Differential Rotation and Oort's Constants"; 001 (with its errata); Ogorodnikov (1932), Milne
    (1935); Olling & Dehnen (2003). Domain: stars within some 2 kpc, where the field is linear, with parallax
    errors below some 20 %; beyond, the inverse parallaxes are biased.

    Examples
    --------
    >>> import numpy as np
    >>> import astrokin as ak
    >>> estimator = ak.estimators.OortConstants()
    >>> stars, truth = estimator.simulate(20_000, np.random.default_rng(1))
    >>> fit = estimator.fit(stars)
    >>> abs(fit["A"] - truth["A"]) < 4 * fit.error["A"]
    np.True_
    """

    name = "oort-constants"
    references = ("1927BAN.....3..275O", "2003ApJ...599..275O", "source-000", "source-001")
    max_passes = 60

    use: Any = ak.option(("pm", "rv"), doc="which motions: ('pm', 'rv'), ('pm',) or ('rv',)")
    dispersion: str = ak.option("isotropic", allowed=tuple(_SHAPES), doc="shape of the velocity ellipsoid")

    def __post_init__(self) -> None:
        use = (self.use,) if isinstance(self.use, str) else tuple(self.use)
        if not use or not set(use) <= {"pm", "rv"}:
            raise ak.errors.InputError(
                f"OortConstants.use is {self.use!r}; it can be ('pm', 'rv'), ('pm',) or ('rv',)."
            )
        object.__setattr__(self, "use", tuple(k for k in ("pm", "rv") if k in use))
        super().__post_init__()

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """Parallaxes, and proper motions unless radial velocities alone are used."""
        return frozenset({"parallax", "proper_motion" if "pm" in self.use else "radial_velocity"})

    @property
    def reads(self) -> frozenset[str]:
        """The fields worth reading from a file."""
        return self.needs | {"covariance"} | ({"radial_velocity"} if "rv" in self.use else set())

    # ---- one pass ----------------------------------------------------------------------------------------

    def collect(self, rows: Any, params: Any) -> _Sums:
        """Sums that give score and information of all parameters about those of the last pass."""
        state = _State.first(group_of(rows)[1], self._shape) if params is None else params.state
        terms = _Terms(self, rows, state)
        return terms.sums(meat=params is not None and params.final)

    def solve(self, summary: _Sums, params: Any) -> ak.Fit:
        """One Newton step (Fisher scoring); errors from the sandwich in the final pass."""
        first = params is None
        state = _State.first(len(summary.tally), self._shape) if first else params.state
        normal = summary.normal_equations(self._shape)
        step = normal.step()
        if first:
            step[:, 7:] = _first_dispersion(summary, normal, step, state.dispersion) - state.dispersion
        error = np.sqrt(np.maximum(np.einsum("gii->gi", normal.inverse), 1e-300))
        moved = state.moved(step, self._shape)
        converged = not first and bool(np.all(np.abs(moved.values - state.values) < _TOLERANCE * error))
        state = moved
        if params is not None and params.final:
            return self._fit(normal, state, converged or params.state.settled)
        return ak.Fit(self._named(state), state=state.with_settled(converged), converged=converged)

    @property
    def _shape(self) -> Array:
        return _SHAPES[self.dispersion][1]

    def _named(self, state: _State) -> dict[str, u.Quantity]:
        units = [SHEAR] * 4 + [VELOCITY] * 3 + [VELOCITY**2] * self._shape.shape[1]
        names = (*_NAMES, *_SHAPES[self.dispersion][0])
        return {k: v << unit for k, v, unit in zip(names, state.values.T, units, strict=True)}

    def _fit(self, summary: ak.NormalEquations, state: _State, converged: bool) -> ak.Fit:
        values, covariance = self._named(state), summary.sandwich()
        lost = summary.undetermined
        reasons = {}
        for i, name in enumerate(values):
            if lost[:, i].any():
                values[name] = np.where(lost[:, i], np.nan, values[name].value) << values[name].unit
                covariance[lost[:, i], i, :] = covariance[lost[:, i], :, i] = np.nan
                reasons[name] = self._reason(name)
        notes = () if state.positive else ("the measurement errors explain the whole scatter in some direction",)
        return ak.Fit(values, covariance, state=state, converged=converged, undetermined=reasons, notes=notes)

    def _reason(self, name: str) -> str:
        if name == "B" and self.use == ("rv",):
            return "radial velocities do not see a rotation: B needs proper motions"
        return "the stars (their number, their places on the sky or their distances) do not determine it"

    def residual(self, rows: Any, params: Any) -> Array:
        """Root of e^T W e over the number of measured components."""
        terms = _Terms(self, rows, params.state)
        return np.sqrt(terms.misfit / terms.components)

    # ---- what follows from the results -------------------------------------------------------------------

    def derive(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Rotation curve and epicycle frequency at the Sun; R0 is astropy's."""
        a, b = values["A"], values["B"]
        omega = a - b
        with np.errstate(invalid="ignore", divide="ignore"):
            square = -4.0 * b * omega
            kappa = np.sqrt(np.where(np.real(square.value) > 0, square.value, np.nan)) << SHEAR
            out = {
                "omega0": omega,
                "slope": -(a + b) / omega,
                "dvc_dr": -(a + b),
                "kappa": kappa,
                "kappa_ratio": kappa / omega,
                "period": (2.0 * np.pi / omega).to(u.Myr),
                "vc": (omega * galaxy.distance_to_centre()).to(VELOCITY),
            }
        if "sigma2" in values:
            variance = values["sigma2"].value
            out["sigma"] = np.sqrt(np.where(np.real(variance) > 0, variance, np.nan)) << VELOCITY
        return out

    def draw(self, fit: ak.Fit, axes: Any = None) -> Any:
        """The double waves of the fitted field with Galactic longitude; against the groups, where there are some."""
        from astrokin.estimators import oort_plot

        return oort_plot.draw(fit, axes)

    # ---- simulation --------------------------------------------------------------------------------------

    def simulate(self, n: int, rng: np.random.Generator) -> tuple[Any, dict[str, u.Quantity]]:
        """A disc of stars around the Sun with Gaia-like errors, and the truth."""
        truth = {"A": 15.3, "B": -11.9, "C": -3.2, "K": -3.3, "U": 11.1, "V": 12.24, "W": 7.25}
        names, shape = _SHAPES[self.dispersion]
        moments = dict(zip(_TENSOR, (35.0**2, 110.0, -40.0, 24.0**2, 20.0, 18.0**2), strict=True))
        truth |= {"sigma2": 25.0**2} if self.dispersion == "isotropic" else {k: moments[k] for k in names}
        tensor = velocity_model.symmetric(shape @ np.array([truth[k] for k in names]))
        x = simulation.disc(n, rng)
        t = np.zeros((3, 3))
        v_sun = np.array([truth[k] for k in "UVW"])
        a, b, c, k = (truth[name] for name in "ABCK")
        t[:2, :2] = [[k + c, a - b], [a + b, k - c]]
        v = t @ x - v_sun[:, None] + np.linalg.cholesky(tensor) @ rng.normal(size=(3, n))
        stars = simulation.observed(x, v, rng)
        units = [SHEAR] * 4 + [VELOCITY] * 3 + [VELOCITY**2] * len(names)
        return stars, {k: truth[k] * unit for k, unit in zip((*_NAMES, *names), units, strict=True)}

    @classmethod
    def examples(cls) -> Any:
        yield cls()
        yield cls(use=("pm",), dispersion="full")
        yield cls(use=("rv",))


@dataclass(frozen=True)
class _State:
    """Parameters (G, 7 + q) of the last pass, and the dispersion tensors (G, 3, 3) that the weights use."""

    values: Array
    tensor: Array
    positive: bool = True
    settled: bool = False

    @classmethod
    def first(cls, n_groups: int, shape: Array) -> _State:
        values = np.zeros((n_groups, 7 + shape.shape[1]))
        values[:, 7:] = np.linalg.lstsq(shape, np.array([_START, 0, 0, _START, 0, _START]), rcond=None)[0]
        return cls(values, np.broadcast_to(_START * np.eye(3), (n_groups, 3, 3)))

    @property
    def dispersion(self) -> Array:
        return self.values[:, 7:]

    @property
    def field(self) -> Array:
        """(T | v_sun) as matrices (G, 3, 3) that act on (g_x, g_y, -parallax)."""
        out = np.zeros((len(self.values), 3, 3))
        for k, name in enumerate(_NAMES):
            for i, j, sign in _COMBINATIONS[name]:
                out[:, i, j] += sign * self.values[:, k]
        return out

    @property
    def in_icrs(self) -> tuple[Array, Array]:
        """The field and the dispersion tensors with ICRS axes in the place of the Galactic ones."""
        rotation = galaxy.icrs_to_galactic()
        turned = rotation.T @ self.tensor @ rotation
        round_ = np.ptp(np.einsum("gii->gi", self.tensor), axis=1) == 0.0
        return rotation.T @ self.field, np.where(round_[:, None, None], self.tensor, turned)

    def moved(self, step: Array, shape: Array) -> _State:
        values = self.values + step
        tensor, positive = _positive(velocity_model.symmetric(values[:, 7:] @ shape.T))
        if not positive:
            # Back into the domain, so that a limit is reached and not run away from.
            six = tensor[:, *_ROWS]
            values[:, 7:] = np.linalg.lstsq(shape, six.T, rcond=None)[0].T
        return _State(values, tensor, positive)

    def with_settled(self, settled: bool) -> _State:
        return _State(self.values, self.tensor, self.positive, settled)


def _positive(tensor: Array) -> tuple[Array, bool]:
    """Tensors fit to weight with: eigenvalues below a thousandth of the largest are raised to it."""
    tensor = np.where(np.isfinite(tensor), tensor, _START * np.eye(3))
    values, vectors = np.linalg.eigh(tensor)
    floor = np.maximum(1e-3 * values[:, -1:], 1e-6)
    raised = np.maximum(values, floor)
    positive = bool((values >= floor).all())
    return (tensor if positive else (vectors * raised[:, None, :]) @ vectors.swapaxes(1, 2)), positive


def _first_dispersion(summary: _Sums, normal: ak.NormalEquations, step: Array, start: Array) -> Array:
    """After the first pass: the scatter about the fitted field instead of about zero."""
    field = step[:, :7]
    explained = np.einsum("gi,gij,gj->g", field, normal.matrix[:, :7, :7], field)
    freedom = np.maximum(summary.tally[:, 2] - 7, 1.0)
    scale = np.maximum(normal.misfit - explained, 1e-6) / freedom
    return start * scale[:, None]


class _Terms:
    """Residuals, weights and their products for one block."""

    def __init__(self, estimator: OortConstants, rows: Any, state: _State) -> None:
        self.rows, self.shape = rows, estimator._shape
        self.data = data = velocity_model.sample(rows, estimator.use)
        self.parallax = data.parallax
        self.regressor = np.empty((3, len(rows)))
        np.matmul(galaxy.icrs_to_galactic()[:2], data.axes[2], out=self.regressor[:2])
        np.negative(data.parallax, out=self.regressor[2])
        field, tensor = (self._by_row(m) for m in state.in_icrs)
        motion = field @ self.regressor if field.ndim == 2 else np.einsum("ijn,jn->in", field, self.regressor)
        local = velocity_model.inverse(velocity_model.variance(data, tensor, field[:, 2]), data)
        self.pull, self.misfit = velocity_model.pulls(local, velocity_model.residual(data, motion), data)
        self.weight = velocity_model.matrices(local, data)
        self.components = data.components

    def _by_row(self, matrices: Array) -> Array:
        """The matrix of each row's group, (3, 3, n); just the one where there is but one group."""
        if self.rows.group is None or len(matrices) == 1:
            return matrices[0]
        return np.ascontiguousarray(np.moveaxis(matrices[self.rows.group], 0, -1))

    def sums(self, meat: bool) -> _Sums:
        """The sums of the block, by group; with `meat` those of the products of the scores."""
        total = self._total
        spread = (self.parallax * self.parallax) * self.weight
        pull = self.parallax * self.pull
        return _Sums(
            weight=total(self.weight, velocity_model.outer(self.regressor)),
            spread=total(spread, spread),
            field=total(self.pull, self.regressor),
            scatter=total(pull, pull),
            tally=self._tally(),
            meat=self._meat(spread, pull) if meat else None,
        )

    def _tally(self) -> Array:
        """Rows, misfit and measured components by group, (G, 3)."""
        if self.rows.group is None and self.rows.weight is None:
            n = len(self.rows)
            return np.array([[n, self.misfit.sum(), np.sum(self.components * np.ones(n)) if n else 0.0]])
        return self._total(self._ones, np.stack([self._ones[0], self.misfit, self._ones[0] * self.components]))[:, 0]

    @cached_property
    def _ones(self) -> Array:
        return np.ones((1, len(self.rows)))

    def _total(self, a: Array, b: Array) -> Array:
        group, n_groups = group_of(self.rows)
        times = self.rows.weight
        return grouped_product(a if times is None else a * times, b, group, n_groups)

    def _meat(self, spread: Array, pull: Array) -> Array:
        """Sums of the products of the rows' own scores, (G, 7 + q, 7 + q)."""
        rotation = galaxy.icrs_to_galactic()
        e, r = rotation @ self.pull, self.regressor
        pull, spread = rotation @ pull, velocity_model.turning(rotation) @ spread
        xy, yx, xx, yy = e[0] * r[1], e[1] * r[0], e[0] * r[0], e[1] * r[1]
        field = [xy + yx, yx - xy, xx - yy, xx + yy, e[0] * r[2], e[1] * r[2], e[2] * r[2]]
        scatter = velocity_model.outer(pull)
        scatter -= spread
        scores = np.concatenate([np.stack(field), (0.5 * velocity_model.TWICE[:, None] * self.shape).T @ scatter])
        return self._total(scores, scores)


#: Rows and columns of the six elements of a symmetric matrix.
_ROWS = tuple(np.array(velocity_model.PAIRS).T)


def _combined(sums: Array) -> Array:
    """Sums (G, 3, 3) over components and regressors, as those of A, B, C, K, U, V, W: (G, 7)."""
    return np.stack([sum(sign * sums[:, i, j] for i, j, sign in _COMBINATIONS[k]) for k in _NAMES], axis=1)


def _field_map() -> Array:
    """What each sum of W_ik g_j g_m (as 6 x 6) adds to the information of each pair of A, B, C, K, U, V, W."""
    out = np.zeros((7, 7, 6, 6))
    place = velocity_model.PLACE
    for p, one in enumerate(_NAMES):
        for r, other in enumerate(_NAMES):
            for i, j, s in _COMBINATIONS[one]:
                for k, m, t in _COMBINATIONS[other]:
                    out[p, r, place[i, k], place[j, m]] += s * t
    return out


_FIELD_MAP = _field_map()
_SIZE_MAP = np.abs(np.einsum("ppij->pij", _FIELD_MAP))


@dataclass(frozen=True)
class _Sums:
    """What a pass collects, group axis first: sums over rows, vectors and matrices in ICRS axes.

    Attributes
    ----------
    weight : ndarray, shape (G, 6, 6)
        Sums of W_ij xi_k xi_m with the regressors xi = (g_x, g_y, -parallax).
    spread : ndarray, shape (G, 6, 6)
        Sums of parallax^4 W_ij W_km.
    field : ndarray, shape (G, 3, 3)
        Sums of (W e)_i xi_k.
    scatter : ndarray, shape (G, 3, 3)
        Sums of parallax^2 (W e)_i (W e)_j.
    tally : ndarray, shape (G, 3)
        Rows, misfit and measured components.
    meat : ndarray, shape (G, 7 + q, 7 + q), optional
        Sums of the products of the rows' scores.
    """

    weight: Array
    spread: Array
    field: Array
    scatter: Array
    tally: Array
    meat: Array | None

    def merge(self, other: _Sums) -> _Sums:
        """The sums of both blocks."""
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return _Sums(*(None if a is None or b is None else a + b for a, b in pairs))

    def normal_equations(self, shape: Array) -> ak.NormalEquations:
        """Score and expected information of A, B, C, K, U, V, W and the dispersion parameters."""
        rotation = galaxy.icrs_to_galactic()
        turning = velocity_model.turning(rotation)
        weight, spread = turning @ self.weight, turning @ self.spread @ turning.T
        # parallax^2 is the square of the last regressor: sums of parallax^2 W stand among the weights.
        scatter = (rotation @ self.scatter @ rotation.T)[:, *_ROWS] - weight[:, :, 5]
        return ak.NormalEquations(
            matrix=_information(weight, spread, shape),
            vector=np.concatenate(
                [_combined(rotation @ self.field), 0.5 * scatter * velocity_model.TWICE @ shape], axis=1
            ),
            misfit=self.tally[:, 1],
            count=self.tally[:, 0],
            meat=self.meat,
        )


def _information(weight: Array, spread: Array, shape: Array) -> Array:
    """Expected information of all parameters from sums in Galactic axes, (G, 7 + q, 7 + q)."""
    q = shape.shape[1]
    out = np.zeros((len(weight), 7 + q, 7 + q))
    out[:, :7, :7] = np.tensordot(weight, _FIELD_MAP, ([1, 2], [2, 3]))
    size = np.tensordot(np.abs(weight), _SIZE_MAP, ([1, 2], [1, 2]))
    for p in range(7):
        # The information is but the round-off of terms that cancel: the parameter is not determined.
        noise = out[:, p, p] <= 1e-11 * size[:, p]
        out[noise, p, :] = out[noise, :, p] = 0.0
    out[:, 7:, 7:] = shape.T @ velocity_model.dispersion_information(spread) @ shape
    return out
