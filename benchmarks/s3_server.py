"""An S3 server on loopback, for tests and benchmarks, and a proxy that delays or refuses."""

import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import boto3
from moto.server import ThreadedMotoServer

BUCKET = "bucket"


def serve(delay: float) -> None:
    """Serve S3 until the input ends; the first line of the output says at which port.

    Args:
        delay: Seconds by which each answer is late.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    sys.stdout.write(f"{Proxy(port, delay).port if delay else port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop()


class Proxy:
    """Passes connections on to a port, each answer a while later, or refuses everything.

    Attributes:
        port: Where it listens.
        refuses: Whether requests that write are answered with 503.
        forbids: Whether all requests are answered with 403.
        stalls: Whether requests wait; they are passed on when this is false again.
        requests: How many requests it has got, by method.
    """

    def __init__(self, target: int, delay: float = 0.0) -> None:
        self.target, self.delay = target, delay
        self.refuses = self.forbids = self.stalls = False
        self.requests: dict[str, int] = {}
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._over = False
        self._opened = self._hung = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._over = True
        self._server.close()

    def hang(self) -> None:
        """Answer no more on the connections that are open now."""
        self._hung = self._opened

    def _accept(self) -> None:
        while not self._over:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self._opened += 1
            told = client, self._opened
            threading.Thread(target=self._serve, args=told, daemon=True).start()

    def _serve(self, client: socket.socket, number: int) -> None:
        """Pass one request after the other on; a request is read whole, its answer is not."""
        there = ("127.0.0.1", self.target)
        with client, suppress(OSError), socket.create_connection(there) as upstream:
            for one in (client, upstream):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._answer, args=(upstream, client), daemon=True).start()
            while data := self._received(client):
                method = data.split(b" ", 1)[0].decode("latin1")
                if method in {"GET", "PUT", "POST", "DELETE", "HEAD"}:
                    self.requests[method] = self.requests.get(method, 0) + 1
                    writes = method in {"PUT", "POST", "DELETE"}
                    if self.forbids or (self.refuses and writes):
                        status = b"403 Forbidden" if self.forbids else b"503 Slow Down"
                        client.sendall(
                            b"HTTP/1.1 %s\r\nContent-Length: 0\r\n"
                            b"Connection: close\r\n\r\n" % status
                        )
                        return
                    time.sleep(self.delay)
                while self.stalls or number <= self._hung:
                    if self._over:
                        return
                    time.sleep(0.02)
                upstream.sendall(data)

    @staticmethod
    def _received(client: socket.socket) -> bytes:
        try:
            return client.recv(1 << 20)
        except OSError:
            return b""

    def _answer(self, upstream: socket.socket, client: socket.socket) -> None:
        try:
            while data := upstream.recv(1 << 20):
                client.sendall(data)
        except OSError:
            return
        finally:
            for one in (client, upstream):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)


def environment(port: int) -> dict[str, str]:
    """Return the user's own settings that lead s3fs to a port of this machine."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def s3_port(delay: float = 0.0) -> Iterator[int]:
    """Start a server with an empty bucket in a process of its own; yield its port."""
    command = [sys.executable, "-W", "ignore", __file__, str(delay)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as server:
        for line in server.stdout:
            if line.strip().isdigit():
                break
        access = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        direct = f"http://127.0.0.1:{int(line)}"
        client = boto3.client("s3", endpoint_url=direct, region_name="us-east-1", **access)
        client.create_bucket(Bucket=BUCKET)
        client.close()
        try:
            yield int(line)
        finally:
            server.stdin.close()
            server.wait(600)


@contextmanager
def s3_server() -> Iterator[Proxy]:
    """Start a server behind a proxy of this process; yield the proxy."""
    import s3fs

    from raynas.storage import places

    with s3_port() as port:
        # They know the port of an earlier server.
        s3fs.S3FileSystem.clear_instance_cache()
        places._objects.cache_clear()  # noqa: SLF001
        proxy = Proxy(port)
        try:
            yield proxy
        finally:
            proxy.close()


if __name__ == "__main__":
    serve(float(sys.argv[1]))
