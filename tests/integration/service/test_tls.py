"""TLS at the endpoint and at the web, with real peers; certificates that are new, end soon, or are a device's."""

from __future__ import annotations

import datetime
import ssl
import warnings
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiomqtt
import httpx
import pytest
import websockets
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gateway.service import Service, ServiceError
from gateway.settings import Settings
from gateway.tls import TlsError
from gateway.web.server import WebServer
from tests.integration.service.process import command
from tests.integration.service.test_cli import check_refusal
from tests.integration.service.yard import WAIT_S, YARD

DAY = datetime.timedelta(days=1)
SCANNER = "yard/scanner-1"


class Authority:
    """Signs certificates."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        own = self._build("test authority", self._key, 400).add_extension(
            x509.BasicConstraints(True, None), True
        )
        self.certificate = own.sign(self._key, hashes.SHA256())
        self.path = folder / "ca.pem"
        self.path.write_bytes(self.certificate.public_bytes(Encoding.PEM))

    def _build(
        self, common_name: str, key: ec.EllipticCurvePrivateKey, days: float
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 30 * DAY)
            .not_valid_after(now + days * DAY)
        )

    def issue(self, common_name: str, days: float = 100, name: str = "cert.pem") -> Path:
        """A file with a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        made = (
            self._build(common_name, key, days).add_extension(names, False).sign(self._key, hashes.SHA256())
        )
        path = self.folder / name
        path.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + made.public_bytes(Encoding.PEM)
        )
        return path

    def revoke(self, path: Path) -> None:
        """Put a revocation list with this certificate beside the authority's own."""
        serial = x509.load_pem_x509_certificate(
            path.read_bytes()[path.read_bytes().index(b"-----BEGIN CERT") :]
        )
        now = datetime.datetime.now(datetime.UTC)
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(serial.serial_number)
            .revocation_date(now - DAY)
            .build()
        )
        listed = (
            x509.CertificateRevocationListBuilder().issuer_name(self._name).add_revoked_certificate(entry)
        )
        signed = listed.last_update(now - DAY).next_update(now + DAY).sign(self._key, hashes.SHA256())
        self.path.write_bytes(self.certificate.public_bytes(Encoding.PEM) + signed.public_bytes(Encoding.PEM))

    def trusting(self, own: Path | None = None) -> ssl.SSLContext:
        """What a peer trusts, and the certificate that it shows."""
        context = ssl.create_default_context(cafile=str(self.path))
        if own is not None:
            context.load_cert_chain(own)
        return context


@dataclass
class Site:
    """A service with TLS."""

    authority: Authority
    service: Service
    web: WebServer
    cert: Path

    def device(self, identifier: str, own: Path | None = None, password: str | None = None) -> aiomqtt.Client:
        assert self.service.endpoint is not None
        return aiomqtt.Client(
            "localhost",
            self.service.endpoint.port,
            identifier=identifier,
            username=identifier if password else None,
            password=password,
            tls_context=self.authority.trusting(own),
            timeout=WAIT_S,
        )

    def http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=f"https://localhost:{self.web.port}", verify=self.authority.trusting(), timeout=WAIT_S
        )


def settings(folder: Path, cert: Path, **more: Path) -> Settings:
    site = folder / "site.yaml"
    site.write_text(YARD, "utf-8")
    return Settings(
        database=f"sqlite:///{folder}/patrol.sqlite",
        data=folder,
        sites=(site,),
        http="127.0.0.1:0",
        broker="embedded://127.0.0.1:0",
        tls_cert=cert,
        **more,  # type: ignore[arg-type]
    )


@pytest.fixture(params=[False, True], ids=["", "devices with certificates"])
async def site(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    authority = Authority(tmp_path)
    cert = authority.issue("localhost")
    more = {"tls_client_ca": authority.path} if request.param else {}
    async with Service(settings(tmp_path, cert, **more)) as service:
        web = WebServer(service, "127.0.0.1", 0)
        await web.start()
        yield Site(authority, service, web, cert)
        await web.close()


only_plain = pytest.mark.parametrize("site", [False], indirect=True)
only_certified = pytest.mark.parametrize("site", [True], indirect=True)


@only_plain
async def test_devices_pages_and_streams_come_over_tls_and_nothing_else(site: Site) -> None:
    async with site.device(SCANNER), site.http() as http:
        assert (await http.get("/api/health")).json()["certificate"] == "ok"
    assert site.web.url.startswith("https://")
    made, row = site.service.tokens.make("a", "auditor", (), site.service.clock.now(), "", "")
    await site.service.keep(row)
    async with site.http() as http:
        answer = await http.post("/api/session", json={"token": made})
        assert "Secure" in answer.headers["Set-Cookie"]
        metrics = (await http.get("/metrics", headers={"Authorization": f"Bearer {made}"})).text
        assert "patrol_certificate_expires_timestamp_seconds" in metrics
    url = f"wss://localhost:{site.web.port}/api/live?site=yard"
    async with websockets.connect(url, proxy=None, ssl=site.authority.trusting()) as ws:
        with pytest.raises(websockets.ConnectionClosed):
            await ws.recv()
    with pytest.raises(httpx.HTTPError):
        await httpx.AsyncClient().get(f"http://127.0.0.1:{site.web.port}/")
    with pytest.raises(aiomqtt.MqttError):
        async with aiomqtt.Client("127.0.0.1", site.service.endpoint.port, identifier=SCANNER, timeout=1):  # type: ignore[union-attr]
            pass


@only_plain
async def test_an_old_protocol_is_refused(site: Site) -> None:
    old = site.authority.trusting()
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(httpx.ConnectError):
        await httpx.AsyncClient(verify=old).get(f"https://localhost:{site.web.port}/")


@only_plain
async def test_a_new_certificate_is_taken_without_cutting_anybody_off(site: Site) -> None:
    assert site.service.tls is not None
    async with site.device(SCANNER) as standing:
        before = site.service.tls.expires_at
        site.authority.issue("localhost", days=200)
        site.service.tls.look()
        assert site.service.tls.expires_at > before
        async with site.device("yard/gate-1"), site.http() as http:
            stream = (await http.get("/api/health")).extensions["network_stream"]
            shown = stream.get_extra_info("ssl_object").getpeercert()
            assert ssl.cert_time_to_seconds(shown["notAfter"]) * 1000 == site.service.tls.expires_at
        await standing.publish(f"patrol/v1/{SCANNER}/state", '{"online": true}', qos=1, timeout=WAIT_S)


@only_plain
async def test_a_certificate_that_cannot_be_used_leaves_the_one_before_it(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    assert site.service.tls is not None
    site.cert.write_text("half of a ")
    site.service.tls.look()
    assert "the certificate of before stays in use" in caplog.text
    async with site.device(SCANNER), site.http() as http:
        assert "no certificate with its key" in (await http.get("/api/health")).json()["certificate"]


async def test_a_certificate_that_expires_soon_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cert = Authority(tmp_path).issue("localhost", days=0.4)
    async with Service(settings(tmp_path, cert)) as service:
        assert service.tls is not None
        service.tls.look()
        assert service.tls.problem == f"{cert}: the certificate expires in 0 days" and not service.tls.expired
        assert "the certificate expires in 0 days" in caplog.text
    cert = Authority(tmp_path).issue("localhost", days=-0.4)
    async with Service(settings(tmp_path, cert)) as service:
        assert service.tls is not None
        assert service.tls.expired and service.tls.problem == f"{cert}: the certificate has expired"


@only_certified
async def test_a_device_is_who_its_certificate_says(site: Site) -> None:
    own = site.authority.issue(SCANNER, name="scanner.pem")
    async with site.device("", own) as at:
        await at.publish("patrol/v1/yard/gate-1/up", "{}", qos=1, timeout=WAIT_S)
    assert [each.reason for each in await site.service.store.quarantine()] == ["foreign_topic"]
    nameless = site.authority.issue("somebody", name="nameless.pem")
    for identifier, shown in (
        ("yard/gate-1", own),
        ("yard/gate-1", nameless),
        (SCANNER, None),
        ("bridge", None),
    ):
        with pytest.raises(aiomqtt.MqttError):
            async with site.device(identifier, shown):
                pass
    secret, row = site.service.passwords.make("yard/gate-1", site.service.clock.now(), "", "")
    await site.service.keep(row)
    async with site.device("yard/gate-1", password=secret):  # a password does as well
        pass


@only_certified
async def test_a_certificate_of_another_authority_proves_nothing(site: Site, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    forged = Authority(elsewhere).issue(SCANNER, name="forged.pem")
    with pytest.raises((aiomqtt.MqttError, ssl.SSLError)):
        async with site.device(SCANNER, forged):
            pass


@only_certified
async def test_a_revoked_certificate_lets_nobody_in(site: Site) -> None:
    own = site.authority.issue(SCANNER, name="scanner.pem")
    other = site.authority.issue("yard/gate-1", name="gate.pem")
    async with site.device(SCANNER, own):
        pass
    site.authority.revoke(own)
    assert site.service.tls is not None
    site.service.tls.look()
    with pytest.raises((aiomqtt.MqttError, ssl.SSLError)):
        async with site.device(SCANNER, own):
            pass
    async with site.device("yard/gate-1", other):
        pass


async def test_what_cannot_be_used_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(TlsError, match=r"PATROL_TLS_CERT.*No such file"):
        async with Service(settings(tmp_path, tmp_path / "missing.pem")):
            pass
    without = Settings(
        database=f"sqlite:///{tmp_path}/p.sqlite", data=tmp_path, tls_client_ca=tmp_path / "ca.pem"
    )
    with pytest.raises(ServiceError, match="PATROL_TLS_CERT: it is needed"):
        async with Service(without):
            pass


@only_plain
async def test_commands_reach_a_service_with_tls_by_its_own_settings(site: Site) -> None:
    where = {
        "PATROL_DATABASE": site.service.settings.database,
        "PATROL_HTTP": f"127.0.0.1:{site.web.port}",
        "PATROL_TLS_CERT": str(site.cert),
    }
    made = await command("token", "create", "--name", "a", "--role", "administrator", cwd=None, **where)
    assert site.service.tokens.find(made.out.splitlines()[-1]) is not None, made
    where["PATROL_TLS_CERT"] = str(site.authority.issue("localhost", name="another.pem"))
    check_refusal(await command("token", "list", cwd=None, **where), "CERTIFICATE_VERIFY_FAILED")
