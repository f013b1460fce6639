"""Parameters: declared once, checked when the object is made, bound to columns, compared by value, read from text."""

import pickle
from dataclasses import dataclass, replace
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import EarthLocation
from astropy.time import Time

import astrokin as ak
from astrokin.errors import InputError, MissingColumnError
from astrokin.parameters import Parametrised, value_key
from astrokin.testing import samples


@dataclass(frozen=True)
class Orbit(Parametrised):
    """A thing with one parameter of each kind."""

    period: u.Quantity = ak.parameter(
        2 * u.yr, doc="period", physical=lambda p: np.asarray(p) > 0, domain="a positive period"
    )
    spin: u.Quantity = ak.parameter((1, 2, 3) * u.mas / u.yr, shape=(3,), doc="spin")
    size: u.Quantity | None = ak.parameter(None, unit=u.au, doc="size")
    fixed: u.Quantity = ak.parameter(1 * u.km, per_row=False, doc="one for all")
    epoch: Any = ak.epoch_parameter(2016.0, doc="when")
    model: str = ak.option("thin", allowed=("thin", "thick"), doc="model")
    turns: int = ak.option(1, doc="turns", physical=lambda n: n > 0, domain="1 or more")


STARS = samples.field_stars(3).replace(
    columns={
        "P": np.array([1.0, 2.0, 4.0]) * u.yr,
        "P_days": np.array([365.25, 730.5, 1461.0]) * u.day,
        "plain": np.array([1.0, 2.0, 4.0]),
        "odd": np.array([1.0, -2.0, np.nan]) * u.yr,
        "kg": np.ones(3) * u.kg,
        "years": np.ones((3, 3)) * u.yr,
        "s": np.arange(9.0).reshape(3, 3) * u.mas / u.yr,
        "when": np.array([2000.0, 2010.0, np.nan]),
    }
)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("period", 2.0, r"Orbit.period is 2.0, which has no unit: give it in yr or a unit that converts"),
        ("period", 2 * u.km, r"Orbit.period is in km, which is no unit of the kind of yr"),
        ("period", [1, 2] * u.yr, r"Orbit.period has shape \(2,\); a scalar is needed. .* period=ak.column\(…\)"),
        ("period", np.nan * u.yr, r"Orbit.period is nan yr: it must be finite"),
        ("period", -1 * u.yr, r"Orbit.period is -1.0 yr; a positive period is needed"),
        ("period", "P", r"Orbit.period is the text 'P': for a column write ak.column\('P'\)"),
        ("spin", 1 * u.mas / u.yr, r"Orbit.spin has shape \(\); \(3,\) is needed"),
        ("spin", (1 * u.mas / u.yr, 2 * u.km, 3 * u.km), r"Orbit.spin: .* is no vector of Quantities of one kind"),
        ("spin", (ak.column("x"), ak.column("y")), r"Orbit.spin has 2 components; \(3,\) is needed"),
        ("spin", (ak.column("x"), 1 * u.km, 1 * u.km), r"Orbit.spin is in km"),
        ("fixed", ak.column("x"), r"Orbit.fixed cannot be a column: it is one value for all rows"),
        ("epoch", [2016], r"Orbit.epoch is \[2016\]: give an astropy Time, a text such as"),
        ("epoch", "soon", r"Orbit.epoch: 'soon' is no time such as J2050 or 2026-03-21; for a .* ak.column\('soon'\)"),
        ("epoch", "nan", r"Orbit.epoch: 'nan' is no time"),
        ("epoch", Time([2000.0, 2010.0], format="jyear"), r"Orbit.epoch holds \(2,\) times; one per row"),
        ("model", "thck", r"Orbit.model is 'thck'; it can be 'thick', 'thin'"),
        ("turns", 0, r"Orbit.turns is 0; 1 or more is needed"),
    ],
)
def test_wrong_values_are_named_with_what_is_needed(field, value, words):
    with pytest.raises(InputError, match=words):
        Orbit(**{field: value})


def test_pure_numbers_need_no_unit():
    @dataclass(frozen=True)
    class Ellipse(Parametrised):
        eccentricity: u.Quantity = ak.parameter(
            0 * u.one, doc="e", physical=lambda e: (np.asarray(e) >= 0) & (np.asarray(e) < 1), domain="0 <= e < 1"
        )

    for value in (0.25, 25 * u.percent, np.float32(0.25)):
        assert Ellipse(value).eccentricity == 0.25 * u.one
    assert Ellipse(0).eccentricity.unit == u.dimensionless_unscaled
    for bad, words in ((1.0, "0 <= e < 1 is needed"), ("e", "ak.column"), (1 * u.m, "no unit of the kind")):
        with pytest.raises(InputError, match=words):
            Ellipse(bad)


def test_values_are_stored_in_the_declared_unit_and_frozen():
    orbit = Orbit(period=730.5 * u.day, spin=[1 * u.arcsec / u.yr] * 3)
    assert orbit.period.unit == u.yr
    assert orbit.period.value == pytest.approx(2.0, rel=1e-15)
    np.testing.assert_allclose(orbit.spin.to_value(u.mas / u.yr), 1000.0)
    with pytest.raises(ValueError, match="read-only"):
        orbit.spin[0] = 0 * u.mas / u.yr
    assert Orbit().size is None


def test_the_callers_array_is_copied():
    mine = np.array([1.0, 2.0, 3.0]) * u.mas / u.yr
    orbit = Orbit(spin=mine)
    mine[0] = 9 * u.mas / u.yr
    assert orbit.spin[0].value == 1.0


# ---- columns ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["P", "P_days", "plain"])
def test_a_column_is_bound_in_the_parameters_unit(name):
    bound = Orbit(period=ak.column(name)).bound(STARS)
    assert bound.period.unit == u.yr
    np.testing.assert_allclose(bound.period.value, [1, 2, 4], rtol=1e-15)
    np.testing.assert_array_equal(Orbit(period=ak.column(name)).bound(STARS[1:]).period, bound.period[1:])


def test_a_vector_is_three_columns_or_one_with_three_each():
    mixed = Orbit(spin=(ak.column("plain"), 5 * u.mas / u.yr, ak.column("plain"))).bound(STARS)
    np.testing.assert_array_equal(mixed.spin.value, [[1, 2, 4], [5, 5, 5], [1, 2, 4]])
    whole = Orbit(spin=ak.column("s")).bound(STARS)
    np.testing.assert_array_equal(whole.spin.value, np.arange(9.0).reshape(3, 3).T)
    with pytest.raises(InputError, match=r"column 'plain' holds \(\) per row; \(3,\) is needed"):
        Orbit(spin=ak.column("plain")).bound(STARS)
    with pytest.raises(InputError, match=r"column 'years' holds \(3,\) per row; a scalar is needed"):
        Orbit(period=ak.column("years")).bound(STARS)


def test_columns_are_listed_once_each():
    orbit = Orbit(period=ak.column("P"), spin=(ak.column("x"), ak.column("P"), 1 * u.mas / u.yr), epoch=ak.column("t"))
    assert orbit.column_names == ("P", "x", "t")
    assert Orbit().column_names == ()
    assert Orbit().bound(STARS) == Orbit()


def test_a_column_that_is_not_there_or_of_a_wrong_unit():
    with pytest.raises(MissingColumnError, match="no column 'Q'; they have: P, "):
        Orbit(period=ak.column("Q")).bound(STARS)
    with pytest.raises(InputError, match="column 'kg' is in kg"):
        Orbit(period=ak.column("kg")).bound(STARS)


def test_rows_that_are_no_use_are_told_by_reason():
    orbit = Orbit(period=ak.column("odd"), epoch=ak.column("when"))
    told = {reason: mask.tolist() for reason, mask in orbit.unfit(STARS).items()}
    assert told == {
        "no value in column 'odd'": [False, False, True],
        "column 'odd': a positive period is needed": [False, True, False],
        "no value in column 'when'": [False, False, True],
    }
    assert np.isnan(orbit.bound(STARS).period.value).tolist() == [False, True, True]
    assert Orbit(period=ak.column("P")).unfit(STARS) == {}


# ---- values ----------------------------------------------------------------------------------------------


def test_equal_by_value_whatever_the_unit_given():
    one, other = Orbit(period=2 * u.yr), Orbit(period=730.5 * u.day)
    assert one == other
    assert hash(one) == hash(other)
    assert one == pickle.loads(pickle.dumps(one))
    assert one != replace(one, turns=2)
    assert one != Orbit(period=ak.column("P"))
    assert one != "orbit"
    assert len({one, other, replace(one, model="thick")}) == 2


def test_what_does_not_hash_has_a_key_that_does():
    site = EarthLocation.from_geodetic(10 * u.deg, 20 * u.deg)
    times = Time("J2016"), Time([2000, 2010], format="jyear")
    for value in (np.arange(3), [1, [2]], 3 * u.m, np.arange(2) * u.m, *times, site):
        assert hash(value_key(value)) == hash(value_key(value))
    assert value_key(Time("J2016")) != value_key(Time("J2017"))
    assert value_key(1 * u.m) != value_key(1 * u.km)


@pytest.mark.parametrize("text", ["J2050.0", "2026-03-21", "2126-01-01", " 2050.5 "])
def test_python_takes_the_epoch_texts_of_the_command_line(text, recwarn):
    taken = Orbit(epoch=text)
    assert taken == Orbit(epoch=dict(Orbit.specs())["epoch"].from_text(text, "--set"))
    assert not isinstance(taken.epoch, str)
    assert not recwarn.list


# ---- text, for the command line --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("period", "730.5 d", 2 * u.yr),
        ("period", "3", 3 * u.yr),
        ("spin", "1,2,3", (1, 2, 3) * u.mas / u.yr),
        ("spin", "1,2,3 arcsec/yr", (1, 2, 3) * u.arcsec / u.yr),
        ("period", "column:P", ak.column("P")),
        ("model", "thick", "thick"),
        ("turns", "4", 4),
        ("epoch", "2050", 2050),
        ("epoch", "J2050", Time("J2050")),
        ("epoch", "2026-03-21", Time("2026-03-21")),
        ("size", "none", None),
    ],
)
def test_from_text(field, text, value):
    spec = dict(Orbit.specs())[field]
    assert Orbit(**{field: spec.from_text(text, "--set")}) == Orbit(**{field: value})


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("period", "long", "--set: 'long' is no value such as '1 yr'"),
        ("spin", "1,x,3", "--set: '1,x,3' is no value such as '1,1,1 mas / yr'"),
        ("period", "1 parsnip", "--set: '1 parsnip' is no value"),
        ("epoch", "soon", "--set: 'soon' is no time such as J2050 or 2026-03-21"),
    ],
)
def test_from_text_that_is_none(field, text, words):
    with pytest.raises(InputError, match=words):
        dict(Orbit.specs())[field].from_text(text, "--set")


def test_a_parameter_needs_a_unit_from_somewhere():
    with pytest.raises(InputError, match=r"parameter\(\) needs a default with a unit, or unit="):
        ak.parameter(1.0)


# ---- what is no epoch and no number ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (57388 * u.day, "in d: give an astropy Time, or Julian years TCB"),
        (3 * u.km, "in km: give"),
        (True, "True: give"),
        (np.timedelta64(3, "D"), "give an astropy Time"),
        ([2016.0, 2017.0] * u.yr, r"holds \(2,\) times"),
    ],
)
def test_what_is_no_epoch_is_refused(value, words):
    with pytest.raises(InputError, match=f"Orbit.epoch .*{words}"):
        Orbit(epoch=value)


def test_years_are_epochs():
    assert Orbit(epoch=2016.0 * u.yr).epoch == 2016.0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([57000.0] * 3 * u.day, "in d: give an astropy Time"),
        ([1.0] * 3 * u.km, "in km: give"),
        (np.array([True] * 3), "bool: give"),
        (np.array(["2016-01-01"] * 3, "M8[D]"), r"datetime64\[D\]: give"),
        (np.array(["soon"] * 3), "holds text"),
        (np.full((3, 3), 2016.0), r"holds \(3,\) per row"),
    ],
)
def test_a_column_that_holds_no_epochs_is_named(values, words):
    rows = STARS.replace(columns={"e": values}, epoch=2016.0)
    with pytest.raises(InputError, match=f"column 'e'.* {words}"):
        ak.effects.PerspectiveAcceleration(epoch=ak.column("e"), reference_epoch=2016.0).apply(rows)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.array(["a", "b", "c"]), "holds text"),
        (np.array(["2016-01-01"] * 3, "M8[D]"), "holds dates"),
        (np.array([1, 2, 3], "m8[D]"), "holds time spans"),
        (np.array([1, 2, 3j]), "holds complex numbers"),
        (np.array([None, "x", 1], object), "no numbers"),
    ],
)
def test_a_column_that_holds_no_numbers_is_named(values, words):
    with pytest.raises(InputError, match=f"column 'x'.*{words}"):
        Orbit(period=ak.column("x")).bound(STARS.replace(columns={"x": values}))


# ---- options of a type -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Typed(Parametrised):
    """A thing with an option of each type."""

    ratio: float | None = ak.option(None, kind=float, physical=lambda x: x > 0, domain="a positive number")
    times: int = ak.option(0, kind=int)
    flag: bool = ak.option(False, kind=bool)
    word: str = ak.option("here", kind=str)
    few: int = ak.option(1, allowed=(1, 2))
    by: Any = ak.option(None)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        *(
            ("ratio", v, "; a number is needed")
            for v in ("abc", [1, 2], 3 * u.km, True, np.nan, np.timedelta64(3, "D"))
        ),
        ("ratio", -1, "; a positive number is needed"),
        *(("times", v, "; a whole number is needed") for v in (2.5, "x", None, True)),
        ("flag", 1, "; True or False is needed"),
        ("word", 1, "; a text is needed"),
        ("few", True, "; it can be '1', '2'"),
    ],
)
def test_an_option_has_its_type(name, value, words):
    with pytest.raises(InputError, match=f"Typed.{name} is .*{words}"):
        Typed(**{name: value})
    if isinstance(value, str | float) and not isinstance(value, bool):
        with pytest.raises(InputError, match=words):
            Typed(**{name: dict(Typed.specs())[name].from_text(str(value), "--set")})


def test_options_of_a_type_are_taken():
    word = dict(Typed.specs())["word"].from_text("1", "--set")
    made = Typed(ratio=np.float32(2), times=np.int64(3), flag=np.True_, word=word)
    assert (made.ratio, made.times, made.flag, made.word) == (2.0, 3, True, "1")
    with pytest.raises(InputError, match="it can be bool, int, float, str"):
        ak.option(1, kind=dict)


@pytest.mark.parametrize(
    "values", [{"seed": v} for v in (-1, None, "a", 2**70)] + [{"bootstrap": None}, {"clip": "abc"}]
)
def test_the_options_of_estimators_have_types(values):
    with pytest.raises(InputError, match=next(iter(values))):
        ak.estimators.OortConstants(**values)


def test_the_arrays_of_an_option_are_its_own():
    edges = np.array([1.0, 2.0])
    made = Typed(by=("a", edges))
    edges[0] = 7.0
    assert made.by[1].tolist() == [1.0, 2.0]
    assert not made.by[1].flags.writeable
