"""A loopback HTTP server that misbehaves on request; also a program: `python echo_server.py` prints its port.

It answers each AWS JSON call with the key that was asked for and the number of the connection it came by, so that a
mixed-up answer is seen. `plan` holds what to do with the next requests, first come first served; empty means answer.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import json
import socket
import ssl
import struct
import sys
import threading
import time
from dataclasses import dataclass, field


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    connection: int


@dataclass
class EchoServer:
    port: int = 0
    idle_seconds: float = 30.0  # a kept connection is closed after this
    certificate: str | None = None  # PEM file with key and certificate: speak TLS
    plan: list = field(default_factory=list)  # "drop", "hang", ("delay", s), (status, body bytes, {headers})
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self):
        self._open: set[socket.socket] = set()
        self._connections = 0
        self._tls = None
        if self.certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(self.certificate)
        self.start()

    @property
    def url(self):
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def is_idle(self):
        """Whether every connection has been closed."""
        return not self._open

    def start(self):
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self):
        """Close the listener and every connection; `start` opens the same port again."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            self._close(connection)

    def _close(self, connection):
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()
        self._open.discard(connection)

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._connections += 1
            threading.Thread(target=self._serve, args=(connection, self._connections), daemon=True).start()

    def _serve(self, connection, number):
        self._open.add(connection)
        with contextlib.suppress(OSError, ValueError):
            if self._tls:
                raw, connection = connection, self._tls.wrap_socket(connection, server_side=True)
                self._open.discard(raw)
                self._open.add(connection)
            with connection.makefile("rb") as stream:
                while self._one(connection, stream, number):
                    pass
        self._close(connection)

    def _one(self, connection, stream, number):
        connection.settimeout(self.idle_seconds)
        first = stream.readline()
        if not first.strip():
            return False
        method, path, _ = first.decode().split(" ", 2)
        headers = {}
        while (line := stream.readline().strip()) != b"":
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", "0")))
        request = Request(method, path, headers, body, number)
        self.requests.append(request)
        return self._answer(connection, request, self.plan.pop(0) if self.plan else "answer")

    def _answer(self, connection, request, act):
        status, body, extra = 200, None, {}
        if act == "drop":
            return False
        if act == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            return False
        if act == "hang":
            time.sleep(5)
            return False
        if act == "stop":
            self.stop()
            return False
        if act[0] == "delay":
            time.sleep(act[1])
        elif act != "answer":
            status, body, extra = act
        if body is None:
            body = _echo(request)
        head = {"Content-Type": "application/x-amz-json-1.0", "Content-Length": str(len(body)), **extra}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        connection.sendall(f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + body)
        return request.headers.get("connection", "").lower() != "close"


def _echo(request):
    target = request.headers.get("x-amz-target", "")
    if not target.endswith("GetItem"):
        return b'{"Session": "answered"}' if target else b"document"
    key = json.loads(request.body)["Key"]["sub"]["S"]
    return json.dumps({"Item": {"sub": {"S": key}, "by": {"N": str(request.connection)}}}).encode()


def write_certificate(folder, host="127.0.0.1"):
    """The path of a PEM file with a key and a certificate for `host`, an address or a name, that vouches for itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - dt.timedelta(days=1))
    builder = builder.not_valid_after(now + dt.timedelta(days=1))
    is_address = host[0].isdigit()
    named = x509.IPAddress(ipaddress.ip_address(host)) if is_address else x509.DNSName(host)
    builder = builder.add_extension(x509.SubjectAlternativeName([named]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    certificate = builder.sign(key, hashes.SHA256())
    path = folder / "loopback.pem"
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    return str(path)


if __name__ == "__main__":
    server = EchoServer(certificate=sys.argv[1] if len(sys.argv) > 1 else None)
    print(server.port, flush=True)
    sys.stdin.read()  # ends with its parent
