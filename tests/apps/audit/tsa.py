"""A time stamp authority on loopback: openssl's, behind a small HTTP server that can be told to lie."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CONFIGURATION = """
[req]
distinguished_name = nobody
prompt = no
[nobody]
CN = nobody
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[signer]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[authority]
serial = serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
"""


@dataclass(frozen=True, slots=True)
class Authority:
    """Its root certificate and its signing certificate, in a folder of its own."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Authority:
        folder.mkdir()
        (folder / "openssl.cnf").write_text(CONFIGURATION)
        (folder / "serial").write_text("01\n")
        made = cls(folder)
        key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -config openssl.cnf"
        made.openssl(f"req -x509 {key} -keyout root.key -out root.pem -days 30 -subj /CN=Root -extensions root")
        made.openssl(f"req {key} -keyout signer.key -out signer.csr -subj /CN=Authority")
        made.openssl(
            "x509 -req -in signer.csr -CA root.pem -CAkey root.key -CAcreateserial -out signer.pem -days 30 "
            "-extfile openssl.cnf -extensions signer"
        )
        return made

    @property
    def roots(self) -> Path:
        return self.folder / "root.pem"

    def openssl(self, arguments: str) -> None:
        subprocess.run(["openssl", *arguments.split()], cwd=self.folder, check=True, capture_output=True)

    def answer(self, query: bytes) -> bytes:
        """What it answers to a time stamp query, granted or refused."""
        (self.folder / "query").write_bytes(query)
        self.openssl(
            "ts -reply -queryfile query -signer signer.pem -inkey signer.key -config openssl.cnf "
            "-section authority -out answer"
        )
        return (self.folder / "answer").read_bytes()

    def query(self, message: bytes) -> bytes:
        """A query of its own over `message`, with a nonce that nobody else knows."""
        (self.folder / "message").write_bytes(message)
        self.openssl("ts -query -data message -sha256 -cert -out own-query")
        return (self.folder / "own-query").read_bytes()


@contextmanager
def served(answer: Callable[[bytes], bytes]) -> Iterator[str]:
    """The address at which `answer` is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/timestamp-query"
            content = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200 if content else 500)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
