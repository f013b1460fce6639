"""The kit's own promises: its lists, messages, pytest cases, strategies, and what is declared to fail."""

import subprocess
import sys
from dataclasses import dataclass

import astropy.units as u
import numpy as np
import pytest
from hypothesis import find, given

import astrokin as ak
from astrokin.errors import ConformanceError, InputError, MissingDependencyError
from astrokin.testing import samples, strategies

EFFECT_CHECKS = {
    "runs",
    *("declarations", "frozen", "value", "pickling", "units", "per-row-parameters", "input-untouched", "output"),
    *("untouched-fields", "round-trip", "round-trip-back", "jacobian", "covariance", "covariance-round-trip"),
    *("change", "tables", "blocks", "row-order", "zero-rows", "poles-and-seam", "missing-values", "parallaxes"),
}
ESTIMATOR_CHECKS = {
    *("declarations", "frozen", "value", "pickling", "units", "input-untouched", "partition", "identity", "row-order"),
    "runs",
    *("weights", "groups", "bootstrap", "simulation", "recovery", "derived", "write-and-read", "missing-values"),
    *("parallaxes", "no-rows", "few-rows", "clipping"),
}


@dataclass(frozen=True)
class Shift(ak.Effect):
    """Add a constant to radial velocities."""

    name = "shift"
    stage = ak.Stage.SOURCE
    needs = frozenset({"radial_velocity"})
    amount: u.Quantity = ak.parameter(1 * u.km / u.s, doc="how much")
    wrong: bool = ak.option(False, doc="whether the way back is wrong")

    def forward(self, stars):
        return stars.replace(radial_velocity=stars.radial_velocity + self.amount)

    def backward(self, stars):
        return stars.replace(radial_velocity=stars.radial_velocity - self.amount * (1 + self.wrong))


@dataclass(frozen=True)
class High(Shift):
    """See nothing below 30 degrees of declination."""

    def forward(self, stars):
        return super().forward(stars.refuse(np.real(stars.raw.direction[2]) < 0.5, "too low"))

    def backward(self, stars):
        return super().backward(stars.refuse(np.real(stars.raw.direction[2]) < 0.5, "too low"))


@dataclass(frozen=True)
class Nothing(Shift):
    """Refuse everything."""

    def forward(self, stars):
        return stars.refuse(np.ones(len(stars), bool), "never")


@dataclass(frozen=True)
class WithoutExamples(Shift):
    """Have no examples."""

    @classmethod
    def examples(cls):
        return iter(())


def test_the_checks_are_listed_by_name_with_their_promise():
    for checks, names in (
        (ak.testing.effect_checks(), EFFECT_CHECKS),
        (ak.testing.estimator_checks(), ESTIMATOR_CHECKS),
        (ak.testing.estimator_checks(slow=True), ESTIMATOR_CHECKS | {"calibration"}),
    ):
        assert {c.name for c in checks} == names
        assert all(c.promise.endswith(".") for c in checks)
        assert [c.name for c in checks if c.slow] == (["calibration"] if "calibration" in names else [])


def test_the_error_names_class_check_number_example_and_promise():
    with pytest.raises(ConformanceError) as told:
        ak.testing.check_effect(Shift(wrong=True))
    first, *rest = str(told.value).splitlines()
    assert first.startswith(f"{__name__}.Shift breaks round-trip: remove(apply(x)): radial_velocity of row ")
    assert "is off by 1 km/s (1e-09 allowed; 60 of 60 rows)" in first
    assert rest[0] == f"  example: {Shift(wrong=True)!r}"
    assert rest[1].startswith("  promise: remove(apply(x)) is x")
    assert isinstance(told.value, AssertionError)


def test_what_is_raised_on_the_way_is_a_failure_that_keeps_its_cause():
    class Broken(Shift):
        """Raise."""

        def forward(self, stars):
            raise ZeroDivisionError("oh")

    check = next(c for c in ak.testing.effect_checks() if c.name == "round-trip")
    with pytest.raises(ConformanceError, match="ZeroDivisionError: oh") as told:
        check(Broken())
    assert isinstance(told.value.__cause__, ZeroDivisionError)


def test_known_failures_must_fail():
    known = dict.fromkeys(("round-trip", "round-trip-back", "parallaxes"), "the way back is wrong")
    ak.testing.check_effect(Shift(wrong=True), known_failures=known)
    with pytest.raises(ConformanceError, match=r"round-trip is declared to fail \(so it is said\), but"):
        ak.testing.check_effect(Shift, known_failures={"round-trip": "so it is said"})
    with pytest.raises(InputError, match="No check is called 'round-trp'; there are: round-trip"):
        ak.testing.check_effect(Shift, known_failures={"round-trp": "misspelt"})


def test_a_class_without_examples_cannot_be_checked():
    with pytest.raises(ConformanceError, match=r"WithoutExamples.examples\(\) must yield instances of the class"):
        ak.testing.check_effect(WithoutExamples)


def test_an_effect_may_refuse_much_of_the_sky():
    ak.testing.check_effect(High)


def test_stars_of_the_domain_can_be_given():
    stars = samples.field_stars(30, seed=9)
    north = stars.replace(direction=np.array([0.3, 0.3, 1.0])[:, None] + 0.1 * stars.direction)
    ak.testing.check_effect(High, stars=north)
    with pytest.raises(ConformanceError, match="every star is refused or flagged: give stars= in the effect's domain"):
        ak.testing.check_effect(Nothing)


def test_pytest_cases_are_named_after_example_and_check():
    mark = ak.testing.parametrize_effects(Shift, known_failures={"round-trip": "why"}).mark
    ids = [case.id for case in mark.args[1]]
    assert ids[0] == "shift-declarations"
    assert len(set(ids)) == len(ids) == len(EFFECT_CHECKS)
    marked = {case.id: [m.name for m in case.marks] for case in mark.args[1]}
    assert marked["shift-round-trip"] == ["xfail"]
    assert sum(map(bool, marked.values())) == 1
    slow = [c.id for c in ak.testing.parametrize_estimators().mark.args[1] if any(m.name == "slow" for m in c.marks)]
    assert slow
    assert all(i.endswith("-calibration") for i in slow)
    assert any(i.startswith("oort-constants-0-") for i in slow)


# ---- strategies ------------------------------------------------------------------------------------------


@given(strategies.stars(min_size=1, max_size=3, missing=False, nonpositive_parallax=False, covariance=True))
def test_options_of_the_strategy_are_kept(stars):
    assert 1 <= len(stars) <= 3
    assert (stars.parallax.value >= 0.01).all()
    for name in ("proper_motion", "radial_velocity", "covariance"):
        assert np.isfinite(getattr(stars.raw, name) if name != "covariance" else stars.covariance).all()
    assert (np.linalg.eigvalsh(stars.covariance) > 0).all()
    assert (stars.raw.covariance.error("parallax") * 20 < stars.parallax.value).all()


@pytest.mark.parametrize(
    "wanted",
    [
        lambda s: len(s) == 0,
        lambda s: len(s) and (s.dec.value == 90).any(),
        lambda s: len(s) and (s.dec.value == -90).any(),
        lambda s: len(s) and (s.ra.value == 360).any(),
        lambda s: len(s) and (s.parallax.value < 0).any(),
        lambda s: len(s) and (s.parallax.value == 0).any(),
        lambda s: np.isnan(s.parallax.value).any(),
        lambda s: np.isnan(s.pmra.value).any(),
        lambda s: np.isnan(s.radial_velocity.value).any(),
        lambda s: s.covariance is not None,
    ],
)
def test_the_strategy_makes_the_awkward_ones(wanted):
    find(strategies.stars(), lambda s: bool(wanted(s)))


def test_without_hypothesis_the_kit_works_and_the_strategies_say_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    monkeypatch.setitem(sys.modules, "hypothesis.strategies", None)
    with pytest.raises(MissingDependencyError, match=r'needs hypothesis .* pip install "astrokin\[test\]"'):
        strategies.stars()


def test_importing_the_kit_imports_neither_pytest_nor_hypothesis():
    code = "import sys, astrokin.testing; print({'pytest', 'hypothesis'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
