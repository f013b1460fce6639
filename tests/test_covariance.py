"""Covariances stored as errors and correlations or as matrices answer alike."""

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from astrokin.covariance import Covariance, checked, pair
from astrokin.errors import InputError
from astrokin.units import PARAMETERS


def compact(n=4, seed=1, names=PARAMETERS):
    rng = np.random.default_rng(seed)
    errors = {k: rng.uniform(0.01, 1.0, n) for k in names}
    pairs = {(a, b): rng.uniform(-0.2, 0.2, n) for i, a in enumerate(names) for b in names[i + 1 :]}
    return Covariance(errors=errors, correlations=pairs)


@given(st.integers(0, 5), st.integers(0, 100))
def test_the_matrix_has_the_elements(n, seed):
    c = compact(n, seed)
    matrix = Covariance(c.matrix)
    for i, one in enumerate(PARAMETERS):
        np.testing.assert_allclose(matrix.error(one), c.error(one), rtol=1e-15)
        for j, other in enumerate(PARAMETERS):
            np.testing.assert_allclose(c.matrix[:, i, j], compact(n, seed).element(one, other), rtol=1e-14)
            np.testing.assert_array_equal(c.matrix[:, i, j], c.matrix[:, j, i])


def test_an_unknown_error_is_nan_and_an_unknown_correlation_zero():
    c = Covariance(errors={"pmra": np.array([0.1, 0.2])})
    assert np.isnan(c.error("parallax")).all()
    assert not c.knows("parallax")
    assert (c.element("pmra", "pmdec") == 0).all()
    assert not c.correlated("pmra", "pmdec")
    assert np.isnan(c.matrix[:, 2]).all()
    np.testing.assert_allclose(c.matrix[:, 3, 3], [0.01, 0.04])


def test_a_missing_correlation_counts_as_zero():
    c = Covariance(
        errors={k: np.ones(2) for k in ("pmra", "pmdec")},
        correlations={("pmdec", "pmra"): np.array([np.nan, 0.5])},
    )
    np.testing.assert_array_equal(c.matrix[:, 3, 4], [0.0, 0.5])


def test_pairs_have_one_order():
    assert pair("pmdec", "ra") == pair("ra", "pmdec") == ("ra", "pmdec")


@pytest.mark.parametrize("index", [slice(1, 3), np.array([3, 0]), np.array([True, False, False, True])])
def test_rows_of_it(index):
    c = compact()
    np.testing.assert_array_equal(c[index].matrix, compact().matrix[index])
    np.testing.assert_array_equal(Covariance(c.matrix)[index].matrix, compact().matrix[index])


def test_blocks_join():
    c = compact(7)
    for kind in (c, Covariance(compact(7).matrix)):
        joined = Covariance.joined([kind[:3], kind[3:3], kind[3:]])
        assert len(joined) == 7
        np.testing.assert_array_equal(joined.matrix, compact(7).matrix)
    mixed = Covariance.joined([compact(7)[:3], Covariance(compact(7).matrix)[3:]])
    np.testing.assert_array_equal(mixed.matrix, compact(7).matrix)


def test_it_must_hold_something():
    with pytest.raises(InputError, match="a matrix or at least one error"):
        Covariance()


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.eye(6), r"shape \(6, 6\); \(n, 6, 6\) is needed, in the order \('ra', 'dec'"),
        (np.stack([np.eye(6), np.eye(6) + np.triu(np.ones((6, 6)), 1)]), "not symmetric in row 1"),
        (np.stack([-np.eye(6), np.eye(6)]), "negative on its diagonal in row 0"),
        (compact(3), "3 rows, the stars have 2"),
    ],
)
def test_bad_ones_are_refused(matrix, message):
    with pytest.raises(InputError, match=message):
        checked(matrix, 2)


def test_a_checked_array_is_a_copy():
    matrix = np.stack([np.eye(6)] * 2)
    c = checked(matrix, 2)
    matrix[:] = 7
    assert c.element("ra", "ra")[0] == 1.0


# ---- what is no covariance -------------------------------------------------------------------------------


ONE = np.ones(2)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (dict(errors={"ra": -ONE}), "the error of ra is negative in row"),
        (dict(errors={"ra": [1.0, np.inf]}), "the error of ra is infinite in row 1"),
        (dict(errors={"distance": ONE}), "no error of 'distance'; it can be of ra, dec"),
        (dict(errors={"ra": ONE * u.km}), "the error of ra is in km"),
        (dict(errors={"ra": ONE, "dec": np.ones(3)}), "dec has 3 values, ra 2"),
        (dict(errors={"ra": np.ones((2, 2))}), r"shape \(2, 2\); one value per row"),
        (
            dict(errors={"ra": ONE}, correlations={("ra", "dec"): [0.5, 1.5]}),
            "ra and dec lies outside -1 to 1 in row 1",
        ),
        (dict(errors={"ra": ONE}, correlations={("ra", "b"): ONE}), r"\('ra', 'b'\) is no pair"),
        (dict(errors={"ra": ONE}, correlations={("ra", "ra"): ONE}), "is no pair"),
        (dict(errors={"ra": ONE}, correlations={"ra": ONE}), "'ra' is no pair"),
        (dict(matrix=np.full((2, 6, 6), np.inf)), "covariance is infinite"),
        (dict(matrix=np.eye(6)[None] * u.arcsec**2), "covariance is in arcsec2; its elements have different units"),
        (dict(matrix=np.zeros((1, 6, 6)), errors={"ra": ONE}), "not both"),
    ],
)
def test_what_is_no_covariance_is_named(values, message):
    with pytest.raises(InputError, match=message):
        Covariance(**values)


def test_errors_are_converted_and_lists_taken():
    made = Covariance(errors={"parallax": [1, 2] * u.arcsec, "ra": [1, 2]})
    np.testing.assert_allclose(made.error("parallax"), [1000.0, 2000.0], rtol=1e-15)
    assert made.error("ra").tolist() == [1.0, 2.0]


def test_it_is_its_own_and_cannot_be_written_to():
    mine, matrix = np.ones(2), np.stack([np.eye(6)] * 2)
    made, whole = Covariance(errors={"ra": mine}), Covariance(matrix)
    mine[0] = matrix[0, 0, 0] = 5.0
    assert made.error("ra")[0] == whole.error("ra")[0] == 1.0
    for array in (made.error("ra"), made.matrix, whole.matrix, whole.element("ra", "dec")):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 7.0
