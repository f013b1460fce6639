"""Bootstrap weights: Poisson, and the same for a source wherever it stands."""

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import astrokin as ak
from astrokin.replicates import identity, poisson_weights


def stars(n=30, seed=1, **columns):
    rng = np.random.default_rng(seed)
    return ak.Stars(
        ra=rng.uniform(0, 360, n) * u.deg,
        dec=rng.uniform(-90, 90, n) * u.deg,
        parallax=rng.normal(1, 1, n) * u.mas,
        pmra=rng.normal(size=n) * u.mas / u.yr,
        pmdec=rng.normal(size=n) * u.mas / u.yr,
        columns=columns,
    )


IDS = {
    "int": np.arange(30) + 10**18,
    "small": np.arange(30),
    "text": np.array([f"Gaia DR3 {k}" for k in range(30)]),
    "none": None,
}


def of_kind(kind):
    return stars() if IDS[kind] is None else stars(source_id=IDS[kind])


@pytest.mark.parametrize("kind", IDS)
def test_weights_have_the_poisson_distribution(kind):
    n = 200_000
    rows = stars(n) if kind == "none" else stars(n, source_id=np.arange(n).astype(str if kind == "text" else int))
    weight = poisson_weights(rows, 3, 7)
    top = 6
    seen = np.bincount(np.minimum(weight, top).astype(int), minlength=top + 1)
    expected = n * np.append(stats.poisson.pmf(np.arange(top), 1.0), stats.poisson.sf(top - 1, 1.0))
    assert stats.chisquare(seen, expected).pvalue > 1e-4


def test_replicates_seeds_and_neighbours_are_independent():
    n = 100_000
    rows = stars(n, source_id=np.arange(n))
    drawn = np.array([poisson_weights(rows, k, s) for k, s in ((0, 1), (1, 0), (0, 0), (1, 1), (2, 1), (1, 2))])
    apart = np.corrcoef(drawn) - np.eye(len(drawn))
    assert np.abs(apart).max() < 5 / np.sqrt(n)
    assert abs(np.corrcoef(drawn[0][1:], drawn[0][:-1])[0, 1]) < 5 / np.sqrt(n)


@pytest.mark.parametrize("kind", IDS)
@given(seed=st.integers(0, 10_000), cut=st.integers(0, 30))
def test_neither_order_nor_partition_matters(kind, seed, cut):
    rows = of_kind(kind)
    weight = poisson_weights(rows, 2, 5)
    order = np.random.default_rng(seed).permutation(30)
    np.testing.assert_array_equal(poisson_weights(rows[order], 2, 5), weight[order])
    parts = [poisson_weights(part, 2, 5) for part in (rows[:cut], rows[cut:])]
    np.testing.assert_array_equal(np.concatenate(parts), weight)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.arange(30, dtype=np.int16), np.arange(30, dtype=np.int64)),
        (np.arange(30, dtype=np.uint64), np.arange(30, dtype=np.int64)),
        (np.arange(30, dtype=np.float32), np.arange(30, dtype=np.float64)),
        (IDS["text"], IDS["text"].astype("U200")),
        (IDS["text"], IDS["text"].astype(object)),
        (IDS["text"], IDS["text"].astype("S")),
        (IDS["int"], np.ma.array(IDS["int"], mask=False)),
        (IDS["int"].astype(">i8"), IDS["int"]),
        (IDS["text"].astype(">U20"), IDS["text"]),
    ],
)
def test_the_width_of_the_type_does_not_matter(one, other):
    np.testing.assert_array_equal(identity(stars(source_id=one)), identity(stars(source_id=other)))


def test_different_sources_differ():
    assert len(np.unique(identity(stars(20_000)))) == 20_000
    assert len(np.unique(identity(stars(20_000, source_id=np.arange(20_000))))) == 20_000
    texts = np.array([f"{a}{b}" for a in "abcdefgh" for b in range(1000)])
    assert len(np.unique(identity(stars(8000, source_id=texts)))) == 8000


def test_the_sign_of_zero_does_not_matter():
    zero, minus = (stars().replace(parallax=np.full(30, x)) for x in (0.0, -0.0))
    np.testing.assert_array_equal(identity(zero), identity(minus))


@pytest.mark.parametrize(
    "ids",
    [
        np.ma.array(np.arange(30), mask=np.arange(30) % 2),
        np.where(np.arange(30) % 2, np.nan, np.arange(30.0)),
        np.array([None if k % 2 else f"star {k}" for k in range(30)], dtype=object),
        np.array(["" if k % 2 else f"star {k}" for k in range(30)]),
    ],
    ids=["masked", "nan", "none", "empty"],
)
def test_rows_without_a_source_id_go_by_their_content(ids):
    missing = np.arange(30) % 2 == 1
    seen = identity(stars(source_id=ids))
    np.testing.assert_array_equal(seen[missing], identity(stars())[missing])
    full = np.array([f"star {k}" for k in range(30)]) if np.asarray(ids).dtype.kind in "OU" else np.arange(30.0)
    full = np.arange(30) if isinstance(ids, np.ma.MaskedArray) else full
    np.testing.assert_array_equal(seen[~missing], identity(stars(source_id=full))[~missing])
