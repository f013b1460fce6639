"""Where labels stand among the known ones, whichever way they are looked up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from astrokin import labels

WHOLE = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=6)


def check(values, known):
    known = tuple(sorted(set(known)))
    place, found = labels.places(values, known)
    for value, where, is_one in zip(values.tolist(), place, found, strict=True):
        assert is_one == (value in known)
        assert not is_one or known[where] == value


@given(known=st.lists(WHOLE, min_size=1), others=st.lists(WHOLE), near=st.integers(-3, 3))
def test_whole_numbers(known, others, near):
    values = [*known, *others, *(k + near for k in known if abs(k + near) < 2**63)]
    check(np.array(values, dtype=np.int64), known)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.uint64, np.int32])
def test_whole_numbers_of_any_type(kind):
    limits = np.iinfo(kind)
    values = np.array([limits.min, 3, 7, 100, limits.max], dtype=kind)
    for known in ((3, 7), (-500, 100), (3, 200_000), (int(limits.max),)):
        check(values, known)


@given(known=st.lists(TEXT, min_size=1), others=st.lists(TEXT))
def test_text(known, others):
    check(np.array([*known, *others]), known)


def test_labels_that_are_parts_of_others():
    check(np.array(["a", "ab", "abc", "abcd", "b"]), ["a", "abc"])
    check(np.array(["a", "ab"]), ["abcdefgh", "a"])


def test_very_many_texts_and_long_ones():
    many = [f"{k:05d}" for k in range(9000)]  # too many for the table
    check(np.array([*many, "x", "00000x"]), many[::2])
    long = ["x" * 300 + end for end in "ab"]  # of the same beginning, beyond which the table does not look
    check(np.array([*long, "x"]), long)


def test_text_in_the_other_byte_order():
    values = np.array(["thin", "thick", "halo"])
    check(values.astype(values.dtype.newbyteorder()), ["halo", "thin"])


@pytest.mark.parametrize("kind", ["U3", ">U3", object, int, float])
def test_no_values(kind):
    place, found = labels.places(np.array([], dtype=kind), ("a", "b") if kind not in (int, float) else (1, 2))
    assert (len(place), len(found)) == (0, 0)
