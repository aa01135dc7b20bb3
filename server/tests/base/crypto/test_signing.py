"""Signatures of what we send (behaviour 3.2, B.7)."""

from strait_server.base.crypto.signing import sign_v1


def test_the_vector_of_the_specification_holds():
    assert sign_v1("whsec_test", 1_700_000_000, b'{"run_id":"r1"}') == (
        "v1=2f968c749c27df9501758a9f038da504a81a51cfcab8bc95bdc210cdf4c061f2"
    )
