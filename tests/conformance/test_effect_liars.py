"""Effects that break one promise each: the kit must catch the lie, by the right name and no other."""

from dataclasses import dataclass, field

import astropy.units as u
import numpy as np
import pytest

import astrokin as ak
from astrokin.errors import ConformanceError

KM_S = u.km / u.s


@dataclass(frozen=True)
class Honest(ak.Effect):
    """Add a constant to radial velocities."""

    name = "honest"
    stage = ak.Stage.SOURCE
    needs = frozenset({"radial_velocity"})
    shift: u.Quantity = ak.parameter(0.6 * KM_S, doc="how much")

    def forward(self, stars):
        return stars.replace(radial_velocity=stars.radial_velocity + self.shift)

    def backward(self, stars):
        return stars.replace(radial_velocity=stars.radial_velocity - self.shift)


LIARS = {}


def lies_about(*checks):
    def entered(cls):
        LIARS[cls.__name__] = (dataclass(frozen=True)(cls), set(checks))
        return cls

    return entered


def raw_shift(stars, shift):
    return stars.replace(radial_velocity=stars.raw.radial_velocity + shift)


@lies_about("round-trip", "round-trip-back")
class WrongInverse(Honest):
    """Come back almost to where it started."""

    def backward(self, stars):
        return stars.replace(radial_velocity=stars.radial_velocity - (1 + 1e-8 * (stars.raw.parallax > 0)) * self.shift)


@lies_about("jacobian")
class DroppedDerivative(Honest):
    """Take an absolute value, whose derivative the complex step does not see."""

    def forward(self, stars):
        return raw_shift(stars, 1e-3 * np.abs(stars.raw.parallax))

    def backward(self, stars):
        return raw_shift(stars, -1e-3 * np.abs(stars.raw.parallax))


@lies_about("jacobian")
class WrongJacobian(Honest):
    """State a derivative that is off by 1e-5."""

    def jacobian(self, stars):
        matrix = np.tile(np.eye(6), (len(stars), 1, 1))
        matrix[:, 5, 2] = 1e-5
        return matrix


@lies_about("input-untouched")
class Mutating(Honest):
    """Write into the columns of the stars it is given."""

    def forward(self, stars):
        if "source_id" in stars.columns:
            stars["source_id"].base[...] += 1
        return super().forward(stars)


@lies_about("input-untouched")
class Remembering(Honest):
    """Give another answer the second time."""

    calls: list = ak.option(lambda: [], doc="what it remembers")

    def forward(self, stars):
        out = raw_shift(stars, 0.6)
        out = out.replace(radial_velocity=out.raw.radial_velocity * (1 + 2.3e-16 * (len(self.calls) % 7)))
        self.calls.append(1)
        return out

    def __eq__(self, other):
        return type(other) is type(self)

    def __hash__(self):
        return 1


@lies_about("blocks", "row-order")
class FirstRowFirst(Honest):
    """Treat the first row of a block in another way."""

    def forward(self, stars):
        return raw_shift(stars, np.where(np.arange(len(stars)) == 0, 0.7, 0.6))

    def backward(self, stars):
        return raw_shift(stars, -np.where(np.arange(len(stars)) == 0, 0.7, 0.6))


@lies_about("blocks")
class LooksAtItsNeighbours(Honest):
    """Shift by what the largest declination of the block says."""

    @staticmethod
    def amount(stars):
        return 1e-3 * np.max(np.nan_to_num(np.real(stars.raw.direction[2])), initial=0.0) // 1e-4 * 1e-4

    def forward(self, stars):
        return raw_shift(stars, self.amount(stars))

    def backward(self, stars):
        return raw_shift(stars, -self.amount(stars))


@lies_about("covariance")
class NegativeNoise(Honest):
    """Claim to make stars more certain than they were."""

    def noise(self, stars):
        return np.tile(np.diag([0, 0, 0, 0, 0, -100.0]), (len(stars), 1, 1))


@lies_about("covariance")
class LopsidedNoise(Honest):
    """Add a noise of negative eigenvalue, whose diagonal is harmless."""

    def noise(self, stars):
        matrix = np.zeros((len(stars), 6, 6))
        matrix[:, 0, 1] = matrix[:, 1, 0] = 5.0
        return matrix


@lies_about("covariance-round-trip")
class ForgetsErrors(Honest):
    """Come back more certain than it went."""

    def remove(self, data, **rules):
        out = super().remove(data, **rules)
        return out if out.covariance is None else out.replace(covariance=0.99 * out.covariance)


@lies_about("parallaxes")
class SilentClamp(Honest):
    """Clamp parallaxes and say nothing."""

    def forward(self, stars):
        return super().forward(stars).replace(parallax=np.maximum(stars.raw.parallax, 1e-6))


@lies_about("parallaxes")
class SilentlyNaN(Honest):
    """Give NaN where the parallax is not positive, without refusing the rows."""

    def forward(self, stars):
        return raw_shift(stars, np.where(np.real(stars.raw.parallax) > 0, 0.6, np.nan))

    def backward(self, stars):
        return raw_shift(stars, -np.where(np.real(stars.raw.parallax) > 0, 0.6, np.nan))


@lies_about("missing-values")
class FillsGaps(Honest):
    """Put a number where there was none."""

    def forward(self, stars):
        return super().forward(stars.replace(parallax=np.nan_to_num(stars.raw.parallax, nan=1.0)))

    def backward(self, stars):
        return super().backward(stars.replace(parallax=np.nan_to_num(stars.raw.parallax, nan=1.0)))


@lies_about("missing-values")
class OneGapSpoilsAll(Honest):
    """Let one missing parallax spoil every row."""

    @staticmethod
    def amount(stars):
        return 0.6 + 0.0 * np.sum(stars.raw.parallax[~np.isnan(stars.raw.direction[0])])

    def forward(self, stars):
        return raw_shift(stars, self.amount(stars))

    def backward(self, stars):
        return raw_shift(stars, -self.amount(stars))


@lies_about("poles-and-seam")
class SeamInRightAscension(Honest):
    """Shift by the right ascension, which jumps."""

    def forward(self, stars):
        return stars.replace(radial_velocity=stars.raw.radial_velocity + 1e-2 * stars.ra.value)

    def backward(self, stars):
        return stars.replace(radial_velocity=stars.raw.radial_velocity - 1e-2 * stars.ra.value)


@lies_about("poles-and-seam")
class LostAtThePole(Honest):
    """Divide by the cosine of the declination."""

    def forward(self, stars):
        x, y, _ = stars.raw.direction
        rho = np.sqrt(x * x + y * y)
        with np.errstate(invalid="ignore", divide="ignore"):
            return raw_shift(stars, 0.6 * np.where(rho < 1e-9, np.nan, rho) / rho)

    def backward(self, stars):
        x, y, _ = stars.raw.direction
        return raw_shift(stars, np.where(np.sqrt(x * x + y * y) < 1e-9, np.nan, -0.6))


@lies_about("untouched-fields")
class RewritesDirections(Honest):
    """Turn every direction there and back, for nothing."""

    def forward(self, stars):
        turned = -(-stars.raw.direction * 3.0) / 3.0
        return super().forward(stars).replace(direction=turned, proper_motion=stars.raw.proper_motion)


@lies_about("output")
class LosesColumns(Honest):
    """Drop a column on the way back."""

    def backward(self, stars):
        columns = stars.columns
        columns.pop("name", None)
        return super().backward(stars).replace(columns=columns)


@lies_about("pickling")
class Unpicklable(Honest):
    """Hold something that does not pickle."""

    how: object = ak.option(lambda: abs_of, doc="a function")

    def __reduce__(self):
        raise TypeError("cannot pickle this effect")


def abs_of(x):
    return x


@lies_about("value")
class HashedByIdentity(Honest):
    """Hash differently from an equal one."""

    def __hash__(self):
        return id(self)


@lies_about("units")
class TakesAnyUnit(Honest):
    """Take a parameter without looking at its unit."""

    def __post_init__(self):
        value = self.shift
        if isinstance(value, u.Quantity) and value.unit == u.kg:
            object.__setattr__(self, "shift", value.value * KM_S)
        super().__post_init__()


@lies_about("per-row-parameters")
class TakesTheFirstOfAColumn(Honest):
    """Use the first value of a parameter's column for all rows."""

    def forward(self, stars):
        return raw_shift(stars, np.ravel(self.shift.value)[:1])

    def backward(self, stars):
        return raw_shift(stars, -np.ravel(self.shift.value)[:1])


@lies_about("zero-rows")
class NeedsARow(Honest):
    """Look at a row that is not always there."""

    def jacobian(self, stars):
        return super().jacobian(stars) if len(stars) else np.eye(6)[None]


@lies_about("change")
class ChangeOfHeart(Honest):
    """Say it changed more than it did."""

    def change(self, data, *, missing_rv="zero"):
        table = super().change(data, missing_rv=missing_rv)
        table["delta_parallax"] = table["delta_parallax"] + 1e-6 * u.mas
        return table


@lies_about("tables")
class MeansStarsOnly(Honest):
    """Do something else to tables."""

    def apply(self, data, **rules):
        if not isinstance(data, ak.Stars):
            data["radial_velocity"] = data["radial_velocity"] + 1e-6 * KM_S
        return super().apply(data, **rules)


@lies_about("declarations")
class ShoutedName(Honest):
    """Bear a name that no command line likes."""

    name = "Shouted Name"


@lies_about("declarations")
class NoDocumentation(Honest):
    pass


@lies_about("declarations")
class UndeclaredField(Honest):
    """Have a field that nothing checks."""

    other: float = field(default=1.0)


@lies_about("declarations")
class NeedsTheMoon(Honest):
    """Need what no star has."""

    needs = frozenset({"radial_velocity", "moon"})


@lies_about("frozen")
class Thawed(Honest):
    """Let itself be changed."""


Thawed.__setattr__ = object.__setattr__


@dataclass(frozen=True)
class Raises(Honest):
    """Raise an error of its own."""

    def forward(self, stars):
        raise ValueError("no stars on Tuesdays")


@dataclass(frozen=True)
class ReturnsNothing(Honest):
    """Forget to return the stars."""

    def forward(self, stars):
        stars.replace(radial_velocity=stars.radial_velocity + self.shift)


@dataclass(frozen=True)
class ReturnsOneStar(Honest):
    """Lose all stars but one."""

    def forward(self, stars):
        return super().forward(stars)[:1]


IDLE = [
    (Raises, "ValueError: no stars on Tuesdays"),
    (ReturnsNothing, "forward returns NoneType, not Stars"),
    (ReturnsOneStar, "forward returns 1 stars for"),
]


def failures(example, checks):
    failed = {}
    for check in checks:
        try:
            check(example)
        except ConformanceError as error:
            failed[check.name] = str(error)
    return failed


def test_the_honest_effect_is_not_accused():
    ak.testing.check_effect(Honest)


@pytest.mark.parametrize("name", LIARS)
def test_the_lie_is_caught_by_its_name(name):
    liar, lies = LIARS[name]
    failed = failures(next(iter(liar.examples())), ak.testing.effect_checks())
    assert set(failed) == lies, "\n".join(failed.values())
    for text in failed.values():
        assert name in text
        assert "promise: " in text


@pytest.mark.parametrize(("idle", "fault"), IDLE)
def test_what_does_not_run_is_told_so_first(idle, fault):
    with pytest.raises(ConformanceError, match=f"breaks runs: {fault}"):
        ak.testing.check_effect(idle)
    told = failures(idle(), ak.testing.effect_checks())
    assert idle is ReturnsOneStar or "see the check runs" in told["pickling"]


def test_every_promise_has_a_liar():
    caught = {"runs"}.union(*(lies for _, lies in LIARS.values()))
    assert {check.name for check in ak.testing.effect_checks()} == caught
