r"""Orbits of two bodies: Kepler's equation to round-off, and orbits in the plane of the sky (Thiele-Innes).

Kepler's equation is solved by Markley's (1995) two steps: a cubic of Padé's kind for the start, good to some 1e-4
for every eccentricity, and one correction of fifth order. Two things keep the last digits where the orbit is
nearly a parabola and the star near periastron: :math:`E - \sin E` is a series in itself, not a difference, and
:math:`1 - \cos E` comes from the tangent of the half angle. Angles are in radian throughout.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from astrokin.angles import BLOCK

Array = NDArray[np.float64]

#: 1/3!, -1/5!, 1/7!, …: (E - sin E)/E^3 in powers of E^2; what is left out at pi is below 1e-17 of the sum.
_SERIES = tuple((-1) ** k / math.factorial(2 * k + 3) for k in range(13))
#: Below any parameter of an orbit that matters; keeps 0/0 off the start at e = 1, M = 0.
_TINY = 1e-290
_PI = math.pi
_TURN = 2.0 * _PI
#: 2 pi is this much more than the nearest double.
_TURN_REST = 2.4492935982947064e-16
#: Eccentricities below which the start is sought in short numbers.
_LONGISH = 0.99
_STARTER = 1.0 / (_PI**2 - 6.0)


def eccentric_anomaly(mean_anomaly: Array, eccentricity: Array) -> Array:
    """Solve Kepler's equation M = E - e sin E for E, to round-off.

    Parameters
    ----------
    mean_anomaly : ndarray
        M in radian, any; E lies in the same revolution.
    eccentricity : ndarray
        e, from 0 to less than 1; broadcast against `mean_anomaly`.

    Returns
    -------
    ndarray
        E in radian, good to a few units of the last digit of E reduced to -pi … pi: near a periastron too,
        where e is close to 1. NaN where an argument is.

    Examples
    --------
    >>> import numpy as np
    >>> from astrokin.kepler import eccentric_anomaly
    >>> E = eccentric_anomaly(np.array([1e-6, 1.0]), 0.9999)
    >>> E - 0.9999 * np.sin(E)
    array([1.e-06, 1.e+00])
    """
    mean, e = np.broadcast_arrays(np.asarray(mean_anomaly, float), np.asarray(eccentricity, float))
    out = np.empty(mean.shape)
    turns = np.rint(mean / _TURN)
    for rows in _blocks(out):
        k = turns.reshape(-1)[rows]
        reduced = (mean.reshape(-1)[rows] - k * _TURN) - k * _TURN_REST
        out.reshape(-1)[rows] = _solved(reduced, e.reshape(-1)[rows])[0]
    out += turns * _TURN_REST
    out += turns * _TURN
    return out


def _blocks(array: Array) -> list[slice]:
    return [slice(i, i + BLOCK) for i in range(0, array.size, BLOCK)]


def _solved(mean: Array, e: Array) -> tuple[Array, Array, Array]:
    """E, sin E and 1 - cos E for M in -pi … pi."""
    start = _start(*_numbers_for_start(mean, e)).astype(float)
    sine, versine = _sine_versine(start)
    step = _correction(start, sine, versine, mean, e)
    start += step
    return start, *_turned_on(sine, versine, step)


def _numbers_for_start(mean: Array, e: Array) -> tuple[NDArray, NDArray]:
    """The same in short numbers, which take half the time: the start is good to 1e-4 only, they are to 1e-6.

    Not for orbits that are nearly parabolas, in which powers of 1 - e are needed that short numbers do not hold.
    """
    if len(e) and e.max() < _LONGISH:  # not where one is NaN
        return mean.astype(np.float32), e.astype(np.float32)
    return mean, e


def _start(mean: NDArray, e: NDArray) -> NDArray:
    """Markley's start: the root of a cubic, with the sine as a quotient of polynomials exact at 0 and pi."""
    open_ = 1.0 - e
    alpha = np.abs(mean)
    np.subtract(_PI, alpha, out=alpha)
    alpha *= 1.6 * _PI * _STARTER
    square = 1.0 + e
    alpha /= square
    alpha += 3.0 * _PI**2 * _STARTER
    d = alpha * e
    d += np.multiply(3.0, open_, out=square)
    alpha *= d
    np.multiply(mean, mean, out=square)
    r = d - open_
    r *= alpha
    r *= 3.0
    r += square
    r *= mean
    alpha *= open_
    alpha *= 2.0
    alpha -= square
    return _cubic_root(alpha, r, mean) / d


def _cubic_root(q: NDArray, r: NDArray, mean: NDArray) -> NDArray:
    """2 r w/(w^2 + w q + q^2) + M with w = (|r| + sqrt(q^3 + r^2))^(2/3): the real root, up to the scale."""
    square = q * q
    w = square * q
    w += r * r
    np.maximum(w, 0.0, out=w)
    np.sqrt(w, out=w)
    w += np.abs(r)
    np.cbrt(w, out=w)
    w *= w
    square += _TINY
    q += w
    q *= w
    q += square
    w *= r
    w *= 2.0
    w /= q
    w += mean
    return w


def _sine_versine(angle: Array) -> tuple[Array, Array]:
    """Sine and 1 - cosine, each to round-off of itself, of angles."""
    t = np.tan(0.5 * angle)
    square = t * t
    scale = 2.0 / (1.0 + square)
    return t * scale, square * scale


def _correction(angle: Array, sine: Array, versine: Array, mean: Array, e: Array) -> Array:
    """What is missing in E: one step of fifth order (Markley's nested quotients)."""
    f1 = e * versine
    f3 = e - f1
    f3 *= 1.0 / 6.0
    open_ = 1.0 - e
    f1 += open_
    f = _angle_less_sine(angle)
    f *= e
    open_ *= angle
    f += open_
    np.subtract(mean, f, out=f)
    f2 = e * sine
    f2 *= 0.5
    step = f1 * f1
    step += f * f2
    np.divide(f, step, out=step)
    step *= f1
    step = f / _nested(step, f1, f2, f3, open_)
    np.multiply(step, f2, out=open_)
    open_ *= 1.0 / 12.0
    f3 -= open_
    f /= _nested(step, f1, f2, f3, open_)
    return f


def _nested(step: Array, f1: Array, f2: Array, f3: Array, out: Array) -> Array:
    """f1 + step (f2 + step f3), the derivative of Kepler's equation over a step."""
    np.multiply(step, f3, out=out)
    out += f2
    out *= step
    out += f1
    return out


def _angle_less_sine(angle: Array) -> Array:
    """E - sin E from -pi to pi, to round-off of itself near 0 too."""
    square = angle * angle
    out = square * _SERIES[-1]
    for c in _SERIES[-2:0:-1]:
        out += c
        out *= square
    out += _SERIES[0]
    out *= square
    out *= angle
    return out


def _turned_on(sine: Array, versine: Array, step: Array) -> tuple[Array, Array]:
    """Sine and 1 - cosine after a small step, from those before it: no function is called again."""
    dv = step * step
    ds = dv * step
    ds *= -1.0 / 6.0  # the step is below 1e-3: the next terms do not show
    ds += step
    less = dv * (-1.0 / 24.0)
    less += 0.5
    dv *= less
    cosine = 1.0 - versine
    new = sine * dv
    np.subtract(sine, new, out=new)
    np.multiply(cosine, ds, out=less)
    new += less
    cosine *= dv
    cosine += versine
    ds *= sine
    cosine += ds
    return new, cosine


# ---- in the plane of the orbit ---------------------------------------------------------------------------


def orbit(phase: Array, eccentricity: Array) -> tuple[Array, Array, Array, Array]:
    """Place and motion in the plane of an orbit with semi-major axis 1.

    Parameters
    ----------
    phase : ndarray
        Revolutions since a periastron passage, any number.
    eccentricity : ndarray
        From 0 to less than 1.

    Returns
    -------
    x, y, vx, vy : ndarray
        x toward the periastron, y ahead by a quarter turn; the motion per radian of mean anomaly
        (times 2 pi / period it is the velocity).

    Examples
    --------
    >>> import numpy as np
    >>> from astrokin.kepler import orbit
    >>> x, y, vx, vy = orbit(np.array([0.0, 0.5]), 0.6)
    >>> x
    array([ 0.4, -1.6])
    """
    x, y, vx, vy = _by_blocks(phase, eccentricity, 4)
    return x, y, vx, vy


def place(phase: Array, eccentricity: Array) -> tuple[Array, Array]:
    """The place x, y of `orbit` alone, a little sooner.

    Examples
    --------
    >>> import numpy as np
    >>> from astrokin.kepler import place
    >>> place(np.array([0.0, 0.5]), 0.6)[0]
    array([ 0.4, -1.6])
    """
    x, y = _by_blocks(phase, eccentricity, 2)
    return x, y


def _by_blocks(phase: Array, eccentricity: Array, wanted: int) -> Array:
    phase, e = np.broadcast_arrays(np.asarray(phase, float), np.asarray(eccentricity, float))
    out = np.empty((wanted, phase.size))
    for rows in _blocks(phase):
        _orbit_block(phase.reshape(-1)[rows], e.reshape(-1)[rows], out[:, rows])
    return out.reshape((wanted, *phase.shape))


def _orbit_block(phase: Array, e: Array, out: Array) -> None:
    turn = phase - np.rint(phase)
    turn *= _TURN
    _, sine, versine = _solved(turn, e)
    open_ = 1.0 - e
    minor = np.sqrt(open_ * (1.0 + e))
    np.subtract(open_, versine, out=out[0])
    np.multiply(minor, sine, out=out[1])
    if len(out) > 2:
        rate = 1.0 / (open_ + e * versine)
        np.multiply(sine, -rate, out=out[2])
        np.multiply(minor * rate, 1.0 - versine, out=out[3])


# ---- in the plane of the sky -----------------------------------------------------------------------------


def thiele_innes(size: Array, inclination: Array, node: Array, periastron: Array) -> tuple[Array, Array, Array, Array]:
    r"""Thiele-Innes elements A, B, F, G of an orbit.

    With x, y of `orbit`, the place is :math:`Ax + Fy` toward north and :math:`Bx + Gy` toward east.

    Parameters
    ----------
    size : ndarray
        Semi-major axis; the elements come in its unit.
    inclination : ndarray
        Of the orbit to the plane of the sky, 0 … pi; below pi/2 position angles increase with time.
    node : ndarray
        Position angle (from north through east) of the ascending node.
    periastron : ndarray
        Angle in the orbit from that node to the periastron.

    Returns
    -------
    A, B, F, G : ndarray

    Examples
    --------
    >>> import numpy as np
    >>> from astrokin.kepler import thiele_innes
    >>> np.round(thiele_innes(2.0, 0.0, np.pi / 2, 0.0), 12)
    array([ 0.,  2., -2.,  0.])
    """
    (_, ci), (sn, cn), (sp, cp) = (_sine_cosine(v) for v in (inclination, node, periastron))
    sp, cp = size * sp, size * cp
    return (
        cp * cn - sp * sn * ci,
        cp * sn + sp * cn * ci,
        -sp * cn - cp * sn * ci,
        -sp * sn + cp * cn * ci,
    )


def _sine_cosine(angle: Array) -> tuple[Array, Array]:
    sine, versine = _sine_versine(np.asarray(angle, float))
    return sine, 1.0 - versine


def campbell(a: Array, b: Array, f: Array, g: Array) -> tuple[Array, Array, Array, Array]:
    """Semi-major axis, inclination, node and periastron of Thiele-Innes elements: `thiele_innes` the way back.

    Parameters
    ----------
    a, b, f, g : ndarray
        The elements A, B, F, G.

    Returns
    -------
    size, inclination, node, periastron : ndarray
        The node lies in 0 … pi: places on the sky cannot tell the ascending node from the other one. Exact at
        every inclination; face on, where only the sum (or difference) of node and periastron is known, the
        division between the two is arbitrary.

    Examples
    --------
    >>> import numpy as np
    >>> from astrokin.kepler import campbell, thiele_innes
    >>> np.round(campbell(*thiele_innes(2.0, 1.0, 0.5, 4.0)), 12)
    array([2. , 1. , 0.5, 4. ])
    """
    direct, opposite = np.hypot(a + g, b - f), np.hypot(a - g, b + f)
    both, apart = np.arctan2(b - f, a + g), np.arctan2(-b - f, a - g)
    node = 0.5 * (both - apart)
    other = node < 0.0  # the sum and the difference are known to a turn, so half of them to half a turn
    node = np.where(other, node + _PI, node)
    periastron = np.mod(0.5 * (both + apart) + np.where(other, _PI, 0.0), _TURN)
    return 0.5 * (direct + opposite), 2.0 * np.arctan2(np.sqrt(opposite), np.sqrt(direct)), node, periastron
