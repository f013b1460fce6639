"""Parquet streamed: the blocks are the file, a map touches what it changes, and nothing is half-written."""

import pickle

import astropy.units as u
import numpy as np
import pytest

import astrokin as ak
from astrokin.errors import DroppedWarning, FileError, InputError, MissingColumnError
from astrokin.stars import Stars

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

from astrokin.engines.parquet import ParquetSource, add_notes, map_file  # noqa: E402 - it needs pyarrow

N = 1000
BIG = 2**60 + 1


def table(n=N, **more):
    rng = np.random.default_rng(2)
    rv = pa.array(rng.normal(0, 1, n), mask=rng.random(n) < 0.6)
    columns = {
        "source_id": np.arange(n) + BIG,
        "ra": rng.uniform(0, 360, n),
        "dec": rng.uniform(-90, 90, n),
        "parallax": rng.normal(1, 1, n).astype(np.float32),
        "parallax_error": rng.uniform(0.1, 0.2, n),
        "pmra": rng.normal(0, 9, n),
        "pmdec": rng.normal(0, 9, n),
        "radial_velocity": rv,
        "sp": pa.array([None if i % 3 else "K" for i in range(n)], pa.string()),
        "phot": pa.array(rng.integers(0, 9, n), mask=rng.random(n) < 0.5),
        **more,
    }
    out = pa.table(columns)
    field = out.schema.field("pmra").with_metadata({"unit": "mas yr-1", "note": "east"})
    return out.set_column(out.schema.get_field_index("pmra"), field, out["pmra"]).replace_schema_metadata(
        {"from": "me"}
    )


@pytest.fixture
def path(tmp_path):
    pq.write_table(table(), tmp_path / "in.parquet", row_group_size=300, compression="zstd")
    return tmp_path / "in.parquet"


def faster(stars):
    """A pure function of each row, as an effect is."""
    return stars.replace(proper_motion=stars.raw.proper_motion * 2), frozenset({"proper_motion"})


def nearer(stars):
    return stars.replace(parallax=stars.raw.parallax + 0.1), frozenset({"parallax"})


# ---- out of a file ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 300, 301, N, 10 * N])
def test_the_blocks_are_the_file(path, size):
    source = ParquetSource(path, columns=None)
    blocks = list(source.blocks(size))
    assert max(map(len, blocks)) <= size
    assert len(source) == sum(map(len, blocks)) == N
    whole, joined = ak.Stars.read(path), Stars.joined(blocks)
    for name in ("ra", "dec", "pmra", "pmdec"):
        np.testing.assert_array_equal(joined.raw.angle(name), whole.raw.angle(name))
    np.testing.assert_array_equal(joined.raw.radial_velocity, whole.raw.radial_velocity)
    np.testing.assert_array_equal(joined.raw.covariance.error("parallax"), whole.raw.covariance.error("parallax"))
    np.testing.assert_array_equal(joined["source_id"], whole["source_id"])
    if size >= 7:  # the mask of a block without gaps is not kept
        assert joined["phot"].tolist() == whole["phot"].tolist()


def test_it_can_be_read_again_and_sent_elsewhere(path):
    source = ParquetSource(path, needs={"parallax"}, columns=["phot"])
    first, again = (list(s.blocks(400)) for s in (source, pickle.loads(pickle.dumps(source))))
    assert all(a == b for a, b in zip(first, again, strict=True))


def test_only_what_is_needed_is_read(path):
    block = next(ParquetSource(path, needs={"parallax"}).blocks(10))
    assert np.isfinite(block.raw.parallax).all()
    assert np.isnan(block.raw.angle("pmra")).all()
    assert np.isnan(block.raw.radial_velocity).all()
    assert block.raw.covariance is None
    assert block.columns == {}
    with_errors = next(ParquetSource(path, needs={"covariance"}, columns=("sp",)).blocks(10))
    assert with_errors.raw.covariance.knows("parallax")
    assert list(with_errors.columns) == ["sp"]


def test_own_names(tmp_path):
    pq.write_table(table().rename_columns(["id", "RAJ", *table().column_names[2:]]), tmp_path / "own.parquet")
    source = ParquetSource(tmp_path / "own.parquet", names={"ra": "RAJ", "source_id": "id"}, columns=("source_id",))
    assert next(source.blocks(3))["source_id"].tolist() == [BIG, BIG + 1, BIG + 2]


def test_no_rows_give_one_empty_block(tmp_path):
    pq.write_table(table(0), tmp_path / "none.parquet")
    blocks = list(ParquetSource(tmp_path / "none.parquet", columns=("phot",)).blocks())
    assert [len(b) for b in blocks] == [0]
    assert list(blocks[0].columns) == ["phot"]


def test_what_is_missing_is_said_at_once(path, tmp_path):
    with pytest.raises(MissingColumnError, match="no extra column 'foto'; it has: phot"):
        ParquetSource(path, columns=("foto",))
    with pytest.raises(FileError, match="There is no file"):
        ParquetSource(tmp_path / "no.parquet")
    (tmp_path / "cut.parquet").write_bytes(path.read_bytes()[:2000])
    with pytest.raises(FileError, match=r"cut\.parquet cannot be read as Parquet; is it truncated"):
        ParquetSource(tmp_path / "cut.parquet")


def test_damage_in_the_middle_is_a_file_error(path, tmp_path):
    data = bytearray(path.read_bytes())
    data[200:9000] = b"\xff" * 8800
    (tmp_path / "bad.parquet").write_bytes(data)
    source = ParquetSource(tmp_path / "bad.parquet")
    with pytest.raises(FileError, match=r"bad\.parquet cannot be read as Parquet"):
        list(source.blocks())


# ---- from file to file -----------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [64, 300, 10 * N])
@pytest.mark.parametrize("columns", [None, ()])
def test_a_map_writes_what_changed_and_carries_the_rest(path, tmp_path, block, columns):
    target = tmp_path / "out.parquet"
    map_file(nearer, path, target, block=block, columns=columns)
    old, new = pq.read_table(path), pq.read_table(target)
    assert new.column_names == old.column_names
    for name in set(old.column_names) - {"parallax"}:
        assert new[name].equals(old[name])
        assert new.schema.field(name).equals(old.schema.field(name), check_metadata=True)
    assert new.schema.field("parallax").type == pa.float64()
    expected = old["parallax"].to_numpy().astype(float) + 0.1
    np.testing.assert_array_equal(new["parallax"].to_numpy(), expected)
    assert new.schema.metadata[b"from"] == b"me"
    assert pq.ParquetFile(target).metadata.row_group(0).column(0).compression == "ZSTD"


def test_a_map_may_replace_its_own_source(path):
    before = pq.read_table(path)["pmra"].to_numpy()
    with pytest.raises(FileError, match="is already there"):
        map_file(faster, path, path)
    map_file(faster, path, path, overwrite=True, block=100)
    np.testing.assert_allclose(pq.read_table(path)["pmra"].to_numpy(), 2 * before, rtol=1e-14, atol=1e-14)


def test_missing_stays_null_and_new_gaps_are_null(path, tmp_path):
    def refusing(stars):
        low = stars.raw.angle("dec") < 0
        out = stars.refuse(low, "below the horizon")
        return out, frozenset({"radial_velocity", "parallax"})

    notes = map_file(refusing, path, tmp_path / "out.parquet", block=128)
    old, new = pq.read_table(path), pq.read_table(tmp_path / "out.parquet")
    low = old["dec"].to_numpy() < 0
    np.testing.assert_array_equal(new["parallax"].is_null().to_numpy(), low)
    np.testing.assert_array_equal(
        new["radial_velocity"].is_null().to_numpy(), low | old["radial_velocity"].is_null().to_numpy()
    )
    assert notes == {"refused": {"below the horizon": int(low.sum())}}
    if hasattr(pq.ParquetWriter, "add_key_value_metadata"):  # since pyarrow 17
        written = pq.ParquetFile(tmp_path / "out.parquet").metadata.metadata[b"astrokin"]
        assert written == b'{"refused": {"below the horizon": %d}}' % low.sum()


def test_a_new_column_is_settled_by_the_first_block(path, tmp_path):
    def with_epoch(stars):
        return stars.replace(epoch=2050.0), frozenset({"epoch"})

    map_file(with_epoch, path, tmp_path / "out.parquet", block=100)
    assert (pq.read_table(tmp_path / "out.parquet")["ref_epoch"].to_numpy() == 2050.0).all()

    def late(stars):
        first = stars.raw.angle("ra")[0] == pq.read_table(path)["ra"][0].as_py()
        return stars.replace(epoch=None if first else 2050.0), frozenset({"epoch"})

    with pytest.warns(DroppedWarning, match="epoch: values are dropped"):
        map_file(late, path, tmp_path / "late.parquet", block=100)


def test_a_block_in_which_less_changed_has_the_same_types(path, tmp_path):
    first = pq.read_table(path)["ra"][0].as_py()

    def sometimes(stars):
        return nearer(stars) if stars.raw.angle("ra")[0] == first else (stars, frozenset())

    map_file(sometimes, path, tmp_path / "out.parquet", block=100)
    old, new = (pq.read_table(p)["parallax"].to_numpy() for p in (path, tmp_path / "out.parquet"))
    np.testing.assert_array_equal(new[100:], old[100:].astype(float))


def test_no_rows_give_no_rows(tmp_path):
    pq.write_table(table(0), tmp_path / "none.parquet")
    map_file(nearer, tmp_path / "none.parquet", tmp_path / "out.parquet")
    out = pq.read_table(tmp_path / "out.parquet")
    assert (out.num_rows, out.column_names) == (0, table().column_names)


@pytest.mark.parametrize("problem", [KeyboardInterrupt, ValueError])
def test_an_interrupt_leaves_nothing(path, tmp_path, problem):
    seen = []

    def failing(stars):
        seen.append(len(stars))
        if len(seen) == 3:
            raise problem
        return faster(stars)

    with pytest.raises(problem):
        map_file(failing, path, tmp_path / "out.parquet", block=100)
    assert [p.name for p in tmp_path.iterdir()] == ["in.parquet"]


def test_the_target_is_checked_before_any_work(path, tmp_path):
    def never(stars):
        raise AssertionError

    with pytest.raises(FileError, match="is no directory"):
        map_file(never, path, tmp_path / "no" / "out.parquet")


def test_counts_of_blocks_add_up():
    total = {"refused": {"a": 1}}
    add_notes(total, {"refused": {"a": 2, "b": 3}, "flagged": {"c": 1}})
    assert total == {"refused": {"a": 3, "b": 3}, "flagged": {"c": 1}}


@pytest.mark.slow
def test_memory_stays_small(tmp_path):
    import resource
    import subprocess
    import sys

    n, k = 1 << 19, 12
    rng = np.random.default_rng(0)
    one = {f"x{i}": rng.normal(0, 1, n) for i in range(k)}
    one.update(ra=rng.uniform(0, 360, n), dec=rng.uniform(-90, 90, n), parallax=rng.normal(5, 1, n))
    with pq.ParquetWriter(tmp_path / "big.parquet", pa.table(one).schema, use_dictionary=False) as writer:
        for _ in range(12):
            writer.write_table(pa.table(one))
    code = (
        "import sys, resource; from astrokin.engines.parquet import ParquetSource, map_file\n"
        "f = lambda s: (s.replace(parallax=s.raw.parallax * 2), frozenset({'parallax'}))\n"
        "map_file(f, sys.argv[1], sys.argv[2])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    paths = [str(tmp_path / "big.parquet"), str(tmp_path / "out.parquet")]
    run = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 600 * 1024  # KiB; the file holds 755 MB
    assert resource.RUSAGE_SELF == 0


def test_the_epoch_of_the_file(tmp_path):
    stars = ak.Stars(ra=[1, 2] * u.deg, dec=[1, 2] * u.deg, epoch=2016.0)
    stars.write(tmp_path / "e.parquet")
    assert next(ParquetSource(tmp_path / "e.parquet", needs=()).blocks()).epoch == 2016.0


def test_columns_of_one_name_are_named(tmp_path):
    from pyarrow import parquet

    from astrokin import verb_files

    table = pa.table([pa.array([float(i)]) for i in range(4)], names=["ra", "dec", "parallax", "parallax"])
    parquet.write_table(table, tmp_path / "twice.parquet")
    reflex, oort = ak.effects.ReflexMotion(), ak.estimators.OortConstants()
    for act in (
        lambda: reflex.apply(table),
        lambda: oort.fit(table),
        lambda: oort.fit(tmp_path / "twice.parquet"),
        lambda: ak.Stars.read(tmp_path / "twice.parquet"),
        lambda: verb_files.run(reflex, "apply", tmp_path / "twice.parquet", tmp_path / "o.parquet"),
        lambda: verb_files.run(reflex, "apply", tmp_path / "twice.parquet", tmp_path / "o.ecsv"),
    ):
        with pytest.raises(InputError, match=r"several columns of one name: \['parallax'\]"):
            act()
    assert [p.name for p in tmp_path.iterdir()] == ["twice.parquet"]
