"""TLS is always verified, against the name, at the checked address (behaviour 3.2, 3.8)."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from strait_server.base.outbound.dialer import verified_tls
from strait_server.base.outbound.outcome import Kind, OutboundError

NAME = "endpoint.example"


class Authority:
    """A certificate authority of one test run."""

    def __init__(self):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test Authority")])
        self.certificate = self._sign(self._subject, self._key.public_key(), authority=True)

    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def server_tls(self, folder, name=NAME, *, days=1):
        """Build the context of a server that is called `name`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        certificate = self._sign(subject, key.public_key(), name=name, days=days)
        path = folder / f"{name}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(path)
        return context

    def _sign(self, subject, public_key, *, name=None, authority=False, days=1):
        now = datetime.now(UTC)
        own = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        usage = x509.KeyUsage(
            digital_signature=not authority,
            key_cert_sign=authority,
            crl_sign=authority,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=30))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), critical=False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        )
        if name is not None:
            is_address = name[0].isdigit()
            known = x509.IPAddress(ip_address(name)) if is_address else x509.DNSName(name)
            builder = builder.add_extension(x509.SubjectAlternativeName([known]), critical=False)
        return builder.sign(self._key, hashes.SHA256())


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def trusting(new_client, authority):
    """Make a client that trusts the test authority too, and is otherwise the real one."""
    tls = verified_tls()
    tls.load_verify_locations(cadata=authority.pem())
    return new_client(tls=tls)


@pytest.fixture
async def secured(serve, authority, tmp_path):
    """Start an endpoint whose certificate names it as the test says."""

    async def start(name=NAME, *, days=1, script=None):
        tls = authority.server_tls(tmp_path, name, days=days)
        return await (serve(script, tls=tls) if script else serve(tls=tls))

    return start


async def test_a_name_is_verified_while_its_address_is_dialled(secured, trusting, post):
    endpoint = await secured()
    target = endpoint.target(host=NAME, scheme="https")

    first = await post(trusting, target, body=bytes(1 << 20))
    second = await post(trusting, target)

    assert (first.status, second.status) == (200, 200)
    assert first.timing.connect_ms >= 1
    assert endpoint.accepted == 1


async def test_an_address_can_have_a_certificate_too(secured, trusting, post):
    endpoint = await secured("127.0.0.1")

    assert (await post(trusting, endpoint.target(scheme="https"))).status == 200


async def test_a_certificate_of_another_name_is_a_connection_error(secured, trusting, post):
    endpoint = await secured("other.example")

    with pytest.raises(OutboundError) as caught:
        await post(trusting, endpoint.target(host=NAME, scheme="https"))

    assert caught.value.kind is Kind.CONNECTION
    assert "the certificate is not valid: Hostname mismatch" in caught.value.message
    assert endpoint.requests == []


async def test_a_certificate_that_expired_is_a_connection_error(secured, trusting, post):
    endpoint = await secured(days=-1)

    with pytest.raises(OutboundError) as caught:
        await post(trusting, endpoint.target(host=NAME, scheme="https"))

    assert caught.value.kind is Kind.CONNECTION
    assert caught.value.message.endswith("certificate has expired")
    assert endpoint.requests == []


async def test_an_authority_nobody_knows_is_a_connection_error(secured, client, post):
    endpoint = await secured()

    with pytest.raises(OutboundError) as caught:
        await post(client, endpoint.target(host=NAME, scheme="https"))

    assert caught.value.kind is Kind.CONNECTION
    assert endpoint.requests == []


async def test_an_endpoint_without_tls_is_a_connection_error(serve, trusting, post):
    async def script(peer):
        peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await peer.gone()

    endpoint = await serve(script)

    with pytest.raises(OutboundError) as caught:
        await post(trusting, endpoint.target(host=NAME, scheme="https"))

    assert caught.value.kind is Kind.CONNECTION
    assert caught.value.message.endswith("the TLS handshake failed")


async def test_a_handshake_that_hangs_ends_with_the_connect_time(serve, trusting, post, eventually):
    async def script(peer):
        await peer.gone()
        peer.endpoint.hung_up += 1

    endpoint = await serve(script)

    with pytest.raises(OutboundError) as caught:
        await post(trusting, endpoint.target(scheme="https"), connect_seconds=0.05)

    assert caught.value.kind is Kind.CONNECTION
    await eventually(lambda: endpoint.hung_up == 1)


async def test_a_connection_lost_over_tls_is_noticed(secured, trusting, post):
    async def script(peer):
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")

    endpoint = await secured(script=script)

    with pytest.raises(OutboundError) as caught:
        await post(trusting, endpoint.target(host=NAME, scheme="https"))

    assert caught.value.kind is Kind.CONNECTION


def test_old_tls_is_not_spoken():
    context = verified_tls()

    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
