"""What every test and every documentation example needs: no network, and no figure windows."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def _bundled_earth_orientation():
    """Give astropy the Earth-orientation table it ships; astropy 6.1 would try to download one."""
    from astropy.utils import iers

    with (
        iers.conf.set_temp("auto_download", False),
        iers.earth_orientation_table.set(iers.IERS_A.open(iers.IERS_A_FILE)),
    ):
        yield
