"""Figures of fits: what they show, and that they need matplotlib only when asked for."""

import sys

import astropy.units as u
import numpy as np
import pytest

import astrokin as ak
from astrokin import fit_plot
from astrokin.errors import MissingDependencyError

SHEAR = u.km / u.s / u.kpc
VALUES = {"A": 15.0, "B": -12.0, "C": -3.0, "K": -2.0}


@pytest.fixture(autouse=True)
def _needs_matplotlib():
    pytest.importorskip("matplotlib")


def oort(values=VALUES, n=1, **more):
    covariance = np.tile(np.diag([0.04, 0.09, 0.16, 0.25]), (n, 1, 1))
    results = {k: np.full(n, v) * SHEAR for k, v in values.items()}
    if n == 1:
        results, covariance = {k: v[0] for k, v in results.items()}, covariance[0]
    fit = ak.Fit(results, covariance, plotter=ak.estimators.OortConstants().draw, **more)
    return fit.with_derived(ak.estimators.OortConstants().derive)


def drawn(ax):
    """Value and error of the points of an axes, as drawn: x, y and half the bars' lengths."""
    for container in ax.containers:
        points, _, bars = container
        segment = bars[0].get_segments()[0] if bars else None
        yield points.get_xdata()[0], points.get_ydata()[0], None if segment is None else np.ptp(segment, axis=0) / 2


# ---- any fit ---------------------------------------------------------------------------------------------


def test_a_panel_for_each_unit_and_the_correlations():
    fit = ak.Fit({"A": 15 * SHEAR, "U": 11 * u.km / u.s, "V": 12 * u.km / u.s},
                 np.array([[4.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 9.0]]))  # fmt: skip
    figure = fit_plot.overview(fit)
    first, second, correlations, _ = figure.axes
    assert [t.get_text() for t in first.get_yticklabels()] == ["A"]
    assert [t.get_text() for t in second.get_yticklabels()] == ["U", "V"]
    points = list(drawn(second))
    assert [(x, half[0]) for x, _, half in points] == [(11.0, 1.0), (12.0, 3.0)]
    assert "km" in second.get_xlabel()
    assert "12.0 ± 3.0" in [t.get_text() for t in second.texts]
    matrix = correlations.images[0].get_array()
    assert np.allclose(matrix, [[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]])


def test_what_is_derived_stands_apart():
    figure = fit_plot.overview(oort())
    labels = [[t.get_text() for t in ax.get_yticklabels()] for ax in figure.axes]
    assert ["A", "B", "C", "K"] in labels
    assert ["omega0", "dvc_dr", "kappa"] in labels
    (kappa,) = (ax for ax, names in zip(figure.axes, labels, strict=True) if "kappa" in names)
    assert kappa.get_xlabel().startswith("derived")


def test_what_is_undetermined_is_said():
    fit = ak.Fit({"A": 15 * SHEAR, "B": np.nan * SHEAR}, np.array([[1.0, np.nan], [np.nan, np.nan]]))
    values, correlations, _ = fit_plot.overview(fit).axes
    assert "undetermined" in [t.get_text() for t in values.texts]
    assert correlations.images[0].get_array().mask.tolist() == [[False, True], [True, True]]


def test_groups_are_the_abscissa():
    fit = oort(n=2, groups=[(0.0, 1.0), (1.0, 3.0)], by="BV")
    axes = fit_plot.overview(fit).axes
    assert [ax.get_ylabel().split()[0] for ax in axes if ax.get_visible()] == ["A", "B", "C", "K"]
    (container,) = axes[1].containers
    assert container[0].get_xdata().tolist() == [0.5, 2.0]
    assert container[0].get_ydata().tolist() == [-12.0, -12.0]
    across, upright = (np.array(bars.get_segments()) for bars in container[2])
    assert np.allclose(np.ptp(across[:, :, 0], axis=1), [1.0, 2.0])
    assert np.allclose(np.ptp(upright[:, :, 1], axis=1), [0.6, 0.6])
    assert axes[1].get_xlabel() == "BV"


def test_labels_and_grids_are_abscissas_too():
    labelled = fit_plot.overview(oort(n=2, groups=["young", "old"], by="kind")).axes[0]
    assert [t.get_text() for t in labelled.get_xticklabels()] == ["young", "old"]
    grid = ak.Fit({"Kz": [1.0, 2.0, 3.0] * u.km}, np.ones((3, 3)), grid=[0.1, 0.2, 0.4] * u.kpc)
    ax = fit_plot.overview(grid).axes[0]
    assert ax.containers[0][0].get_xdata().tolist() == [0.1, 0.2, 0.4]
    assert "kpc" in ax.get_xlabel()


def test_a_fit_without_errors_can_be_drawn():
    (ax,) = fit_plot.overview(ak.Fit({"x": 2 * u.m})).axes
    assert [t.get_text() for t in ax.texts] == ["2 ± unknown"]


def test_drawing_leaves_no_figure_open():
    from matplotlib import pyplot

    oort().plot()
    assert pyplot.get_fignums() == []


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for fit in (oort(), ak.Fit({"x": 1 * u.m})):
        with pytest.raises(MissingDependencyError, match=r'pip install "astrokin\[plot\]"'):
            fit.plot()


# ---- Oort's constants ------------------------------------------------------------------------------------


def at(line, longitude):
    return np.interp(longitude, line.get_xdata(), line.get_ydata())


def test_the_double_waves():
    waves, values = oort().plot().axes
    radial, along = (line for line in waves.lines if len(line.get_xdata()) > 2)
    # v_r/d = K + A sin 2l + C cos 2l;  v_l/d = B + A cos 2l - C sin 2l
    assert at(radial, 45) == pytest.approx(-2 + 15)
    assert at(radial, 90) == pytest.approx(-2 + 3)
    assert at(along, 0) == pytest.approx(-12 + 15)
    assert at(along, 45) == pytest.approx(-12 + 3)
    assert at(along, 270) == pytest.approx(-12 - 15)
    assert [t.get_text() for t in values.get_yticklabels()] == ["A", "B", "C", "K"]


def test_the_band_is_one_sigma():
    waves, _ = oort().plot().axes
    for band, at_45 in zip(waves.collections, (0.04 + 0.25, 0.09 + 0.16), strict=True):
        edge = band.get_paths()[0].vertices
        ys = edge[np.isclose(edge[:, 0], 45.0), 1]
        assert np.ptp(ys) / 2 == pytest.approx(np.sqrt(at_45))


def test_a_wave_that_is_not_determined_is_left_out_and_said():
    estimator = ak.estimators.OortConstants(use="rv")
    fit = estimator.fit(estimator.simulate(500, np.random.default_rng(1))[0])
    waves, values = fit.plot().axes
    assert len([line for line in waves.lines if len(line.get_xdata()) > 2]) == 1
    assert waves.get_title(loc="right") == "$v_l/d$ is not determined"
    assert "undetermined" in [t.get_text() for t in values.texts]


def test_against_groups_a_panel_for_each_constant():
    axes = oort(n=2, groups=["young", "old"], by="kind").plot().axes
    assert [ax.get_ylabel().split()[0] for ax in axes] == ["A", "B", "C", "K"]


def test_on_axes_of_ones_own():
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots(1, 2)
    assert oort().plot(axes) is figure
    assert axes[0].lines
    assert axes[1].containers
