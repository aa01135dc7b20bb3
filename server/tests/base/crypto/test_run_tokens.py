"""Run tokens (behaviour 13.4, api 2.6; T107)."""

import base64
import json
from uuid import UUID

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strait_server.base.crypto.run_tokens import ISSUER, RunClaims, RunTokens
from strait_server.base.errors import Unauthorized

KEY = "a-signing-key-of-at-least-32-characters-and-then-some-more-of-it"
RUN = UUID("018f7e1c-0000-7000-8000-000000000001")
NOW = 1_700_000_000.5
LATER = NOW + 60
CLAIMS = {"sub": str(RUN), "iat": int(NOW), "exp": int(LATER), "iss": ISSUER}


def tokens():
    return RunTokens(KEY)


def issued(**changes):
    wanted = {"project_id": "p1", "attempt": 2, "expires_at": LATER, "now": NOW, **changes}
    return tokens().issue(RUN, **wanted)


def part(content):
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def refused(token, *, now=NOW, message="invalid run token"):
    with pytest.raises(Unauthorized, match=f"^{message}$"):
        tokens().verify(token, now=now)


def test_a_token_says_for_which_run_and_attempt_it_speaks():
    claims = tokens().verify(issued(), now=NOW)

    assert claims == RunClaims(run_id=RUN, project_id="p1", attempt=2, expires_at=int(LATER) + 1)


def test_any_library_can_read_our_tokens():
    token = issued()

    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    assert jwt.decode(
        token,
        KEY,
        algorithms=["HS256"],
        issuer=ISSUER,
        options={"verify_exp": False, "verify_iat": False},
    ) == {**CLAIMS, "exp": int(LATER) + 1, "project_id": "p1", "attempt": 2}


def test_a_token_of_another_library_is_read_when_it_is_ours():
    token = jwt.encode(CLAIMS, KEY, algorithm="HS256")

    assert tokens().verify(token, now=NOW) == RunClaims(
        run_id=RUN, project_id=None, attempt=None, expires_at=int(LATER)
    )


def test_a_token_without_an_attempt_does_not_mention_one():
    assert "attempt" not in jwt.decode(issued(attempt=None), options={"verify_signature": False})


def test_a_token_ends_at_its_expiry_and_not_before():
    """Also when it was right a moment ago and is remembered."""
    ours, token = tokens(), issued(expires_at=NOW + 10)

    assert ours.verify(token, now=NOW + 10).run_id == RUN
    for _ in range(2):
        with pytest.raises(Unauthorized, match=r"^invalid run token$"):
            ours.verify(token, now=NOW + 11)
    assert ours.verify(token, now=NOW).run_id == RUN


@pytest.mark.parametrize("algorithm", ["HS384", "HS512", "none"])
def test_another_algorithm_is_refused(algorithm):
    """T107."""
    refused(jwt.encode(CLAIMS, None if algorithm == "none" else KEY, algorithm=algorithm))


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "typ": "JWT"},
        {"alg": "RS256", "typ": "JWT"},
        {"alg": "hs256", "typ": "JWT"},
        {"alg": "HS256", "typ": "JWT", "kid": "../../dev/null"},
        {"alg": "HS256", "typ": "JWT", "jwk": {"kty": "oct", "k": ""}},
        {"alg": "HS256"},
    ],
)
def test_a_header_of_its_own_choosing_is_refused_even_if_the_signature_is_right(header):
    """T107."""
    _, content, _ = issued().split(".")
    signed = f"{part(header)}.{content}"
    signature = tokens()._signature(signed.encode()).decode()

    refused(f"{signed}.{signature}")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"exp": None}, "invalid run token"),
        ({"exp": "soon"}, "invalid run token"),
        ({"iss": None}, "invalid run token"),
        ({"iss": "strait:sse"}, "invalid run token"),
        ({"sub": None}, "missing run ID in token"),
        ({"sub": ""}, "missing run ID in token"),
        ({"sub": "run-1"}, "invalid run token"),
        ({"attempt": "2"}, "invalid run token"),
    ],
)
def test_a_token_that_lacks_a_claim_is_refused(change, message):
    claims = {name: it for name, it in {**CLAIMS, **change}.items() if it is not None}

    refused(jwt.encode(claims, KEY, algorithm="HS256"), message=message)


def test_another_key_is_refused():
    with pytest.raises(Unauthorized):
        RunTokens("b" * 32).verify(issued(), now=NOW)


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "a.b.c", "é.é.é", "\udcff", part({"alg": "HS256", "typ": "JWT"}) + ".."],
)
def test_what_is_no_token_is_refused(token):
    refused(token)


@given(st.integers(0), st.characters(codec="utf-8"))
def test_a_token_changed_in_one_character_is_refused(position, character):
    token = issued()
    position %= len(token)
    changed = token[:position] + character + token[position + 1 :]

    if changed != token:
        refused(changed)


def test_decorations_of_a_right_token_are_refused():
    for decorated in (issued() + "=", issued() + ".", " " + issued(), issued() + "\n"):
        refused(decorated)


def test_only_the_most_recent_tokens_are_remembered():
    ours = RunTokens(KEY, remembered=2)
    first, second, third = (issued(attempt=attempt) for attempt in (1, 2, 3))

    for token in (first, second, first, third):
        ours.verify(token, now=NOW)

    assert list(ours._claims_by_token) == [first, third]
