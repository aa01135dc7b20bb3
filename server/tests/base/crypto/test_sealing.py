"""Secrets at rest (behaviour 13.8; T113)."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strait_server.base.crypto.sealing import SealBroken, Sealer
from strait_server.base.errors import Unavailable

OLD, NEW = b"o" * 32, b"n" * 32
PLACE = {"table": "job_secrets", "row_id": "018f", "column": "value"}


@given(st.text())
def test_what_is_sealed_can_be_opened_in_its_place(secret):
    sealer = Sealer(NEW)

    assert sealer.open(sealer.seal(secret, **PLACE), **PLACE) == secret


def test_the_same_secret_is_never_sealed_the_same():
    sealer = Sealer(NEW)

    assert sealer.seal("hush", **PLACE) != sealer.seal("hush", **PLACE)


def test_a_seal_names_its_key_and_nothing_of_the_secret():
    sealer = Sealer(NEW)
    version, key_id, content = sealer.seal("hush", **PLACE).split(".")

    assert (version, key_id) == ("k1", sealer.key_id)
    assert len(key_id) == 8
    assert len(base64.b64decode(content, validate=True)) == 12 + len("hush") + 16


def test_after_a_change_of_keys_the_old_is_readable_and_the_new_seals():
    """T113: the value comes back once, under whichever key."""
    before = Sealer(OLD).seal("hush", **PLACE)
    sealer = Sealer(NEW, former=[OLD])

    after = sealer.seal(sealer.open(before, **PLACE), **PLACE)

    assert sealer.needs_rotation(before)
    assert not sealer.needs_rotation(after)
    assert Sealer(NEW).open(after, **PLACE) == "hush"
    with pytest.raises(SealBroken):
        Sealer(OLD).open(after, **PLACE)


@pytest.mark.parametrize("moved", [{"table": "other"}, {"row_id": "0190"}, {"column": "other"}])
def test_a_seal_does_not_open_in_another_place(moved):
    sealer = Sealer(NEW)
    sealed = sealer.seal("hush", **PLACE)

    with pytest.raises(SealBroken):
        sealer.open(sealed, **{**PLACE, **moved})


def test_a_changed_seal_does_not_open():
    sealer = Sealer(NEW)
    head, _, content = sealer.seal("hush", **PLACE).rpartition(".")
    packed = bytearray(base64.b64decode(content))

    for position in range(len(packed)):
        packed[position] ^= 1
        with pytest.raises(SealBroken):
            sealer.open(f"{head}.{base64.b64encode(packed).decode()}", **PLACE)
        packed[position] ^= 1


@pytest.mark.parametrize("rest", ["", "AAAA", "!", "A" * 16, "é", "AAAA.AAAA"])
def test_what_is_no_seal_does_not_open(rest):
    sealer = Sealer(NEW)

    for sealed in (rest, f"k1.{rest}", f"k1.{sealer.key_id}.{rest}", f"k2.{sealer.key_id}.{rest}"):
        with pytest.raises(SealBroken):
            sealer.open(sealed, **PLACE)


def test_without_a_key_nothing_is_sealed_but_former_keys_open():
    sealer = Sealer(None, former=[OLD])
    sealed = Sealer(OLD).seal("hush", **PLACE)

    assert sealer.open(sealed, **PLACE) == "hush"
    assert not sealer.needs_rotation(sealed)
    with pytest.raises(Unavailable, match="no encryption key"):
        sealer.seal("hush", **PLACE)


def test_an_error_tells_neither_key_nor_secret():
    sealer = Sealer(NEW)
    sealed = sealer.seal("hush", **PLACE)

    with pytest.raises(SealBroken) as refusal:
        sealer.open(sealed, **{**PLACE, "row_id": "0190"})

    told = f"{refusal.value!r} {refusal.value.__cause__} {refusal.value.problems}"
    assert "hush" not in told
    assert sealed.split(".")[2] not in told
    assert refusal.value.__suppress_context__
