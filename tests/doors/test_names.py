"""Which column means what: the dialects, the caller's own names, and what is said when it is not clear."""

import pickle

import astropy.units as u
import pytest
from astropy.time import Time

from astrokin.doors.dialects import DIALECTS, PAIRS, corr_name
from astrokin.doors.names import resolve
from astrokin.errors import InputError, MissingColumnError, UnknownNameError

GAIA = [
    "solution_id",
    "source_id",
    "ref_epoch",
    "ra",
    "ra_error",
    "dec",
    "dec_error",
    "parallax",
    "parallax_error",
    "pm",
    "pmra",
    "pmra_error",
    "pmdec",
    "pmdec_error",
    "ra_dec_corr",
    "ra_parallax_corr",
    "ra_pmra_corr",
    "ra_pmdec_corr",
    "dec_parallax_corr",
    "dec_pmra_corr",
    "dec_pmdec_corr",
    "parallax_pmra_corr",
    "parallax_pmdec_corr",
    "pmra_pmdec_corr",
    "ruwe",
    "radial_velocity",
    "radial_velocity_error",
    "l",
    "b",
    "ecl_lon",
    "ecl_lat",
    "distance_gspphot",
]
HIPPARCOS = [
    "HIP",
    "RAhms",
    "DEdms",
    "Vmag",
    "RAICRS",
    "DEICRS",
    "Plx",
    "pmRA",
    "pmDE",
    "e_RAICRS",
    "e_DEICRS",
    "e_Plx",
    "e_pmRA",
    "e_pmDE",
    "DE:RA",
    "Plx:RA",
    "Plx:DE",
    "pmRA:RA",
    "pmRA:DE",
    "pmRA:Plx",
    "pmDE:RA",
    "pmDE:DE",
    "pmDE:Plx",
    "pmDE:pmRA",
    "B-V",
]
HIPPARCOS_2007 = ["HIP", "RArad", "DErad", "Plx", "pmRA", "pmDE", "e_RArad", "e_DErad", "e_Plx", "e_pmRA", "e_pmDE"]
VIZIER_GAIA = [
    "RA_ICRS",
    "DE_ICRS",
    "Source",
    "e_RA_ICRS",
    "e_DE_ICRS",
    "Plx",
    "e_Plx",
    "pmRA",
    "e_pmRA",
    "pmDE",
    "e_pmDE",
    "RADEcor",
    "RV",
    "e_RV",
]


def found(columns, names=None):
    schema = resolve(dict.fromkeys(columns), names)
    return {meaning: place.column for meaning, place in schema.places.items()}


def test_gaia():
    places = found(GAIA)
    assert all(meaning == column for meaning, column in places.items() if meaning != "epoch")
    assert places["epoch"] == "ref_epoch"
    assert sum(m.endswith("_corr") for m in places) == 10
    assert sum(m.endswith("_error") for m in places) == 6
    assert list(resolve(dict.fromkeys(GAIA)).extras) == [
        "solution_id", "source_id", "pm", "ruwe", "l", "b", "ecl_lon", "ecl_lat", "distance_gspphot",
    ]  # fmt: skip


def test_gaia_in_capitals():
    assert found([name.upper() for name in GAIA])["pmdec_error"] == "PMDEC_ERROR"


def test_hipparcos():
    places = found(HIPPARCOS)
    assert places["ra"] == "RAICRS"
    assert places["ra_error"] == "e_RAICRS"
    assert places["pmra_pmdec_corr"] == "pmDE:pmRA"
    assert places["ra_dec_corr"] == "DE:RA"
    assert sum(m.endswith("_corr") for m in places) == 10
    epoch = resolve(dict.fromkeys(HIPPARCOS)).epoch
    assert epoch == Time("J1991.25", scale="tt").tcb.jyear
    assert found([name.replace(":", "_") for name in HIPPARCOS])["dec_parallax_corr"] == "Plx_DE"


def test_hipparcos_by_its_own_documentation():
    columns = [name.replace("ICRS", "deg") for name in HIPPARCOS]
    assert found(columns)["dec_error"] == "e_DEdeg"
    assert resolve(dict.fromkeys(columns)).epoch == pytest.approx(1991.25, abs=1e-5)
    assert resolve(dict.fromkeys(columns[1:])).epoch is None  # RAdeg without HIP may be anyone's


def test_the_new_reduction_is_in_radian_unless_it_says_otherwise():
    bare = resolve(dict.fromkeys(HIPPARCOS_2007))
    assert bare.places["ra"].factor == u.rad.to(u.deg)
    assert bare.places["ra_error"].factor == 1.0
    assert resolve({**dict.fromkeys(HIPPARCOS_2007), "RArad": u.deg}).places["ra"].factor == 1.0


def test_vizier_s_gaia():
    places = found(VIZIER_GAIA)
    assert places["radial_velocity_error"] == "e_RV"
    assert places["ra_dec_corr"] == "RADEcor"
    assert "epoch" not in places


def test_astropy_names():
    places = found(["ra", "dec", "distance", "pm_ra_cosdec", "pm_dec", "pm_dec_error", "radial_velocity"])
    assert (places["pmra"], places["pmdec"], places["distance"]) == ("pm_ra_cosdec", "pm_dec", "distance")
    assert places["pmdec_error"] == "pm_dec_error"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_is_understood_alone(dialect):
    columns = [c for m, c in dialect.columns.items() if m not in ("l", "b", "distance", "distance_error")]
    places = found([*columns, "HIP"])
    assert places["ra"] == dialect.columns["ra"]
    assert places["pmdec_error"] == dialect.columns["pmdec_error"]
    assert sum(m.endswith("_corr") for m in places) >= len([p for p in PAIRS if "radial_velocity" not in p])


# ---- precedence ------------------------------------------------------------------------------------------


def test_the_dialect_of_the_position_speaks_first():
    both = found([*HIPPARCOS, *GAIA])
    assert both["pmra"] == "pmra"
    assert both["parallax_error"] == "parallax_error"
    mixed = found([*HIPPARCOS, "parallax", "parallax_error"])
    assert mixed["parallax"] == "Plx"
    assert mixed["parallax_error"] == "e_Plx"


def test_an_error_comes_from_the_dialect_of_its_value():
    places = found(["ra", "dec", "Plx", "e_Plx", "parallax_error", "pmra", "pmdec", "e_pmRA"])
    assert places["parallax_error"] == "e_Plx"
    assert "pmra_error" not in places


def test_a_pair_comes_from_one_dialect():
    places = found(["ra", "dec", "pmra", "pmRA", "pmDE"])
    assert (places["pmra"], places["pmdec"]) == ("pmRA", "pmDE")


def test_parallax_before_distance_unless_asked():
    columns = ["ra", "dec", "distance", "parallax", "parallax_error", "distance_error"]
    assert "distance" not in found(columns)
    asked = found(columns, {"distance": "distance"})
    assert "parallax" not in asked
    assert "parallax_error" not in asked
    assert asked["distance_error"] == "distance_error"
    assert resolve(dict.fromkeys(columns), {"distance": "distance"}).places["distance"].factor == 1e-3
    assert list(resolve(dict.fromkeys(columns)).extras) == ["distance", "distance_error"]


def test_galactic_positions_serve_where_there_are_no_others():
    assert "l" not in found(["ra", "dec", "l", "b"])
    assert {"l", "b"} <= found(["l", "b", "pmra", "pmdec"]).keys()
    asked = found(["ra", "dec", "l", "b"], {"l": "l", "b": "b"})
    assert "ra" not in asked


def test_own_names_go_first_with_their_own_errors():
    columns = ["ra", "dec", "parallax", "parallax_error", "plx_new", "plx_new_error", "x", "sigma"]
    places = found(columns, {"parallax": "plx_new"})
    assert (places["parallax"], places["parallax_error"]) == ("plx_new", "plx_new_error")
    assert "parallax_error" not in found(columns, {"parallax": "x"})
    assert found(columns, {"parallax": "x", "parallax_error": "sigma"})["parallax_error"] == "sigma"


def test_a_correlation_may_be_named_either_way_round():
    names = {"pmdec_pmra_corr": "rho"}
    places = found(["ra", "dec", "pmra", "pmdec", "pmra_error", "pmdec_error", "rho"], names)
    assert places[corr_name("pmra", "pmdec")] == "rho"


def test_the_identifier_is_an_extra_under_our_name():
    extras = resolve(dict.fromkeys(["ra", "dec", "gaia_dr3"]), {"source_id": "gaia_dr3"}).extras
    assert extras == {"source_id": "gaia_dr3"}


# ---- what goes wrong -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "names", "error", "message"),
    [
        (
            ["ra", "decl", "x"],
            {},
            MissingColumnError,
            r"no column for 'dec' .*closest first: decl.*names=\{'dec': '…'\}",
        ),
        (["ra_deg", "dec"], {}, MissingColumnError, "no column for 'ra'.*closest first: ra_deg"),
        ([], {}, MissingColumnError, "It has, closest first: nothing"),
        (["l", "x"], {}, MissingColumnError, "no column for 'b'"),
        (["ra", "dec"], {"parallax": "plx"}, MissingColumnError, "asks for the column 'plx' as 'parallax'"),
        (["ra", "dec"], {"paralax": "ra"}, UnknownNameError, "'paralax' is none of astrokin's.*first: parallax"),
    ],
)
def test_errors_name_what_there_is_and_what_to_do(columns, names, error, message):
    with pytest.raises(error, match=message):
        resolve(dict.fromkeys(columns), names)


def test_all_that_is_missing_is_said_at_once():
    columns = dict.fromkeys(["alpha", "delta", "decl", "raj"])
    with pytest.raises(MissingColumnError) as error:
        resolve(columns)
    assert str(error.value) == (
        "The table has no columns for 'ra' (looked for ra, RA_ICRS, RAICRS, RAdeg, RArad, RA) and 'dec' (looked for "
        "dec, DE_ICRS, DEICRS, DEdeg, DErad, DEC). It has, closest first: raj, decl, alpha, delta. Say which they are "
        "with names={'ra': '…', 'dec': '…'}."
    )
    with pytest.raises(MissingColumnError, match="the columns 'a' as 'ra', 'd' as 'dec', which the table does not"):
        resolve(columns, {"ra": "a", "parallax": "delta", "dec": "d"})
    schema = resolve(dict.fromkeys(["ra", "dec", "ruwe", "age"]))
    with pytest.raises(MissingColumnError, match="no extra columns 'aeg', 'ruw'; it has: age, ruwe"):
        schema.wanted(None, ("aeg", "ruwe", "ruw"))


def test_names_that_are_equally_close_keep_the_order_of_the_table():
    with pytest.raises(MissingColumnError, match="closest first: x2, x1, x3"):
        resolve(dict.fromkeys(["x2", "x1", "x3"]))


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ({"parallax": u.km}, r"'parallax' \(parallax\) is in km, no unit of the kind of mas"),
        ({"pmra": u.mas, "pmdec": u.mas}, "'pmra'.*is in mas"),
        ({"ra": u.Unit("furlongs", parse_strict="silent")}, "'ra'.*is in furlongs"),
        ({"ref_epoch": u.day}, "epochs are Julian years"),
        ({"radial_velocity": u.mag}, "'radial_velocity'.*is in mag"),
    ],
)
def test_a_wrong_unit_is_named(units, message):
    with pytest.raises(InputError, match=message):
        resolve({"ra": None, "dec": None, **units})


def test_long_lists_are_cut():
    with pytest.raises(MissingColumnError, match=r"and 38 more\. Say"):
        resolve(dict.fromkeys(f"column{i}" for i in range(50)))


def test_gaia_s_odd_unit_of_epoch():
    unit = u.Unit("Time[Julian Years]", parse_strict="silent")
    assert resolve({"ra": None, "dec": None, "ref_epoch": unit}).places["epoch"].factor == 1.0


def test_a_schema_pickles_and_prunes():
    schema = resolve(dict.fromkeys(GAIA))
    assert pickle.loads(pickle.dumps(schema)) == schema
    assert schema.wanted(frozenset({"parallax"}), ()) == ["ra", "dec", "parallax", "ref_epoch"]
    assert schema.wanted(frozenset(), ("ruwe",)) == ["ra", "dec", "ref_epoch", "ruwe"]
    assert set(schema.wanted(None, None)) == set(GAIA)
    with pytest.raises(MissingColumnError, match="no extra column 'ruwi'; it has: ruwe"):
        schema.wanted(None, ("ruwi",))


@pytest.mark.parametrize("names", ["x", {"ra": ["x"]}, {"ra": None}, ["ra"], {1: "x"}])
def test_names_that_are_no_mapping_of_text_are_said(names):
    with pytest.raises(InputError, match="names= maps astrokin's names to the table's own, such as"):
        resolve({"ra": None, "dec": None}, names)


def test_a_parallax_and_a_distance_asked_for_are_one_too_many():
    columns = dict.fromkeys(["ra", "dec", "plx", "dist"])
    with pytest.raises(InputError, match=r"both a parallax .'plx'. and a distance .'dist'.: name the one to use"):
        resolve(columns, names={"parallax": "plx", "distance": "dist"})
