"""Profiles over a grid, with single results beside them: where each stands in the covariance."""

import dataclasses

import astropy.units as u
import numpy as np
import pytest

import astrokin as ak
from astrokin import fit_plot, layout
from astrokin.errors import InputError, MissingColumnError

GRID = [0.2, 0.5, 1.0] * u.kpc
RNG = np.random.default_rng(1)


def matrix(n):
    root = RNG.normal(size=(n, n))
    return root @ root.T


ONE, TWO = matrix(7), matrix(7)
KZ, RHO = np.array([-1.0, -1.5, -2.0]), np.array([0.1, 0.05, 0.02])


def alone():
    return ak.Fit({"Kz": KZ * u.km, "beta": 3.0 * u.one, "rho": RHO * u.s}, ONE, grid=GRID)


def grouped():
    results = {"Kz": np.stack([KZ, 2 * KZ]) * u.km, "beta": [3.0, 4.0] * u.one, "rho": np.stack([RHO, RHO]) * u.s}
    return ak.Fit(results, np.stack([ONE, TWO]), grid=GRID, groups=["old", "young"], by="kind")


def derive(values):
    return {"product": values["Kz"] * values["rho"], "scaled": values["beta"] ** 2}


def test_errors_are_of_the_shape_of_the_results():
    error = alone().error
    assert np.array_equal(error["Kz"].value, np.sqrt(np.diag(ONE)[:3]))
    assert error["beta"].value == np.sqrt(ONE[3, 3])
    assert np.array_equal(error["rho"].value, np.sqrt(np.diag(ONE)[4:]))


def test_groups_come_first():
    error = grouped().error
    assert error["Kz"].shape == (2, 3)
    assert error["beta"].shape == (2,)
    assert np.array_equal(error["rho"].value[1], np.sqrt(np.diag(TWO)[4:]))


def test_what_two_heights_have_in_common():
    assert np.array_equal(alone().covariance_of("rho"), ONE[4:, 4:])
    assert np.array_equal(grouped().covariance_of("Kz"), np.stack([ONE[:3, :3], TWO[:3, :3]]))
    assert np.array_equal(alone().covariance_of("beta"), ONE[3:4, 3:4])
    with pytest.raises(MissingColumnError, match="'K_z'"):
        alone().covariance_of("K_z")
    with pytest.raises(InputError, match="no covariance"):
        ak.Fit({"x": 1 * u.m}).covariance_of("x")


def test_a_covariance_of_the_wrong_size_is_refused():
    with pytest.raises(InputError, match=r"\(6, 6\).*7 values"):
        ak.Fit(alone().results, np.eye(6), grid=GRID)


def test_derived_errors_take_each_height_by_itself():
    fit = alone().with_derived(derive)
    for i in range(3):
        slope = np.zeros(7)
        slope[i], slope[4 + i] = RHO[i], KZ[i]
        assert fit.derived_error["product"][i].value == pytest.approx(np.sqrt(slope @ ONE @ slope))
    assert fit.derived_error["scaled"].value == pytest.approx(6.0 * np.sqrt(ONE[3, 3]))


def test_so_they_do_in_groups():
    fit, one = grouped().with_derived(derive), alone().with_derived(derive)
    for name in ("product", "scaled"):
        assert np.allclose(fit.derived_error[name].value[0], one.derived_error[name].value)


def test_the_table_has_a_row_for_each_height_of_each_group():
    table = grouped().table()
    assert list(table["kind"]) == ["old"] * 3 + ["young"] * 3
    assert np.array_equal(table["grid"], [0.2, 0.5, 1.0, 0.2, 0.5, 1.0] * u.kpc)
    assert list(table["beta"]) == [3.0] * 3 + [4.0] * 3
    assert np.array_equal(table["Kz_error"].value[3:], np.sqrt(np.diag(TWO)[:3]))


@pytest.mark.parametrize("fit", [alone(), grouped()], ids=["alone", "grouped"])
def test_text_tells_single_results_before_the_profiles(fit):
    fit = fit.with_derived(derive)
    for shown in (str(fit), fit._repr_html_()):
        places = [shown.index(word) for word in ("beta", "scaled", "grid", "Kz", "product")]
        assert places == sorted(places)
    assert fit._repr_html_().count("<table>") == 2


def test_a_profile_alone_has_no_empty_lines():
    fit = ak.Fit({"Kz": KZ * u.km}, ONE[:3, :3], grid=GRID)
    assert len(str(fit).splitlines()) == 1 + 1 + 3


def test_the_figure_draws_profiles_only():
    pytest.importorskip("matplotlib")
    axes = [ax for ax in fit_plot.overview(grouped()).axes if ax.get_visible()]
    assert [ax.get_ylabel().split()[0] for ax in axes] == ["Kz", "rho"]


def test_bootstrap_errors_know_what_heights_have_in_common():
    @dataclasses.dataclass(frozen=True)
    class Profile(ak.Estimator):
        """A profile that is one number at all heights, and that number."""

        name = "one-number"
        needs = frozenset({"radial_velocity"})

        def collect(self, rows, params):
            return ak.Moments.of(rows.raw.radial_velocity, rows)

        def solve(self, summary, params):
            mean = summary.mean[:, 0]
            values = {"profile": mean[:, None] * [1.0, 2.0, 3.0] << u.km / u.s, "mean": mean << u.km / u.s}
            return ak.Fit(values, grid=GRID, data={"count": summary.count[:, None] * [1.0, 1.0] << u.one})

    n = 400
    stars = ak.Stars(ra=np.arange(n) % 360 * u.deg, dec=np.zeros(n) * u.deg,
                     radial_velocity=RNG.normal(0, 10, n) * u.km / u.s)  # fmt: skip
    fit = Profile(bootstrap=200).fit(stars)
    scale = np.array([1.0, 2.0, 3.0, 1.0])
    assert np.allclose(fit.covariance, fit.covariance[-1, -1] * np.outer(scale, scale))
    assert fit.error["mean"].value == pytest.approx(0.5, rel=0.25)
    assert np.array_equal(fit.data["count"].value, [400.0, 400.0])


def test_places_and_parts():
    assert layout.places(alone()) == {"Kz": slice(0, 3), "beta": slice(3, 4), "rho": slice(4, 7)}
    assert layout.local(grouped()).shape == (2, 3, 3, 3)
    assert layout.local(alone())[1, 0, 1] == ONE[1, 3]
