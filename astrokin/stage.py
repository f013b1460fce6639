"""The stages that light passes on its way from the source to the detector."""

from __future__ import annotations

from enum import IntEnum


class Stage(IntEnum):
    """Where an effect stands on the way from the source to the detector, in the light's direction.

    Members are spaced by 100, so that an effect of your own can stand in between
    (``stage = ak.Stage.MOTION + 50``).

    Examples
    --------
    >>> import astrokin as ak
    >>> ak.Stage.PARALLAX < ak.Stage.ABERRATION
    True
    """

    SOURCE = 100  #: what the star itself does: a gravitational redshift, say
    REFLEX = 200  #: the Sun's motion: gives the velocity that propagates
    MOTION = 300  #: perspective acceleration
    ORBIT = 400  #: the photocentre of a binary, at the observer's time
    FRAME = 500  #: frame rotation, secular aberration
    PARALLAX = 600
    DEFLECTION = 700
    ABERRATION = 800
    ATMOSPHERE = 900
    DETECTOR = 1000


def stage_name(stage: int) -> str:
    """The name of a stage, or the two that an intermediate one stands between."""
    below = max((s for s in Stage if s <= stage), default=None)
    if below is not None and int(below) == int(stage):
        return below.name
    above = min((s for s in Stage if s > stage), default=None)
    return f"{int(stage)} (between {below.name if below else 'the source'} and {above.name if above else 'the end'})"
