"""Vendors at the socket for the transport's tests: scripted bytes, and certificates."""

import asyncio
import contextlib
import datetime as dt
import ipaddress
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Vendor:
    """Counts connections and keeps the requests that it read."""

    def __init__(self):
        self.port = 0
        self.connections = 0
        self.requests = []
        self.tasks = set()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1/x"


async def read_request(reader):
    """Return one request's head and body; nothing at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b"", b""
    size = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            size = int(line.split(b":")[1])
    return head, await reader.readexactly(size)


@contextlib.asynccontextmanager
async def vendor(serve, *, tls=None, port=0):
    """Run `serve(vendor, reader, writer)` for each connection."""
    it = Vendor()

    async def connected(reader, writer):
        it.connections += 1
        it.tasks.add(asyncio.current_task())
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await serve(it, reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(connected, "127.0.0.1", port, ssl=tls, backlog=1024)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        server.close()
        for task in it.tasks:
            task.cancel()
        await asyncio.gather(*it.tasks, return_exceptions=True)
        await asyncio.sleep(0.01)


def says(*answers, closes=False, pause_s=0.0):
    """Give the answers in turn, one for each request; a list is sent in parts."""

    async def serve(it, reader, writer):
        for answer in answers:
            head, body = await read_request(reader)
            if not head:
                return
            it.requests.append((head, body))
            for part in answer if isinstance(answer, list) else [answer]:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause_s)
        if not closes:
            await reader.read()

    return serve


def ok(body=b"{}", *fields):
    head = b"".join(field + b"\r\n" for field in fields)
    return b"HTTP/1.1 200 OK\r\n%scontent-length: %d\r\n\r\n%s" % (head, len(body), body)


def certificate(folder, name, *, host="127.0.0.1", days=1, authority=None):
    """Write a certificate and its key to one file; self-signed without an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    with contextlib.suppress(ValueError):
        host = ipaddress.ip_address(host)
    alternative = x509.DNSName(host) if isinstance(host, str) else x509.IPAddress(host)
    signer, issuer = authority or (key, subject)
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=not authority, crl_sign=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=9))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=not authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(signer, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + built.public_bytes(serialization.Encoding.PEM)
    )
    return path, (key, subject)


def server_context(path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
