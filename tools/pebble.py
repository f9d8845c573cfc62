"""A private ACME authority for tests: Pebble, with a name server that tells what it is told (Debian package ``pebble``).

Everything is on the loopback. Pebble validates, and refuses some good nonces, as it does by default, so that clients show
that they can live with it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from tools.certificates import Authority
from tools.private_apache import free_ports
from tools.resolver import with_name_server

PROGRAMS = ("pebble", "pebble-challtestsrv", "openssl", "unshare")


class Pebble:
    """An authority below ``directory``; a context manager that ends it.

    :ivar url: of its directory (RFC 8555), at ``port``
    :ivar ca_file: by what its own web server is trusted, ``pair`` the directory of its certificate and key
    :ivar name_server: address of its name server, which listens on port 53 there
    :arg bad_nonces: how many of a hundred good ones are refused
    """

    def __init__(
        self,
        directory: Path,
        http_port: int,
        https_port: int = 443,
        settings: Mapping[str, object] | None = None,
        bad_nonces: int = 5,
    ) -> None:
        directory.mkdir(parents=True)
        self._directory = directory
        self._bad_nonces = bad_nonces
        self.port, self._management, self._names = free_ports(3)
        authority = Authority(directory / "ca")
        authority.issue(directory / "server", ["localhost"])
        self.pair = directory / "server"
        self.ca_file = authority.certificate
        self.url = f"https://localhost:{self.port}/dir"
        # All of 127.0.0.0/8 is this machine; one for each test that runs at the same time.
        self.name_server = f"127.53.{self.port // 256}.{self.port % 256 or 1}"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._configuration = directory / "pebble.json"
        self._configuration.write_text(
            json.dumps(
                {
                    "pebble": {
                        "listenAddress": f"127.0.0.1:{self.port}",
                        "managementListenAddress": f"127.0.0.1:{self._management}",
                        "certificate": str(directory / "server/fullchain.pem"),
                        "privateKey": str(directory / "server/privkey.pem"),
                        "httpPort": http_port,
                        "tlsPort": https_port,
                        "externalAccountBindingRequired": False,
                        **(settings or {}),
                    }
                }
            )
        )

    def start(self) -> None:
        """Start the authority."""
        self._start("pebble", "-config", str(self._configuration), "-dnsserver", f"{self.name_server}:53")
        self._wait(self.port)

    def stop(self) -> None:
        """End the authority; the name server goes on."""
        self._end("pebble")

    def pause(self) -> None:
        """Let the authority answer nobody, without refusing them."""
        self._processes["pebble"].send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it answer again."""
        self._processes["pebble"].send_signal(signal.SIGCONT)

    def lead(self, names: Iterable[str], address: str = "127.0.0.1") -> None:
        """Give host names an address in DNS."""
        for name in names:
            self._tell("/add-a", {"host": f"{name}.", "addresses": [address]})

    def forget(self, names: Iterable[str]) -> None:
        """Take host names out of DNS."""
        for name in names:
            self._tell("/clear-a", {"host": f"{name}."})

    @property
    def names_url(self) -> str:
        """Where the name server takes records, also by ``/set-txt`` and ``/clear-txt``."""
        return f"http://127.0.0.1:{self._names}"

    def root(self) -> Path:
        """The root of what it issues, which is another one each time that it is started."""
        connection = http.client.HTTPSConnection(
            "localhost", self._management, timeout=10, context=ssl.create_default_context(cafile=str(self.ca_file))
        )
        with contextlib.closing(connection):
            connection.request("GET", "/roots/0")
            path = self._directory / "root.pem"
            path.write_bytes(connection.getresponse().read())
        return path

    def asking_it(self) -> tuple[str, ...]:
        """What goes before a command for it to ask this name server."""
        return with_name_server(self._directory, self.name_server, attempts=2)

    def directory_requests(self) -> int:
        """How often it was asked for its directory, with which every client begins."""
        return (self._directory / "pebble.log").read_text().count(" /dir -> calling handler()")

    def _tell(self, path: str, value: Mapping[str, object]) -> None:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._names, timeout=10)) as connection:
            connection.request("POST", path, json.dumps(value))
            answer = connection.getresponse()
            if answer.status != 200:
                raise RuntimeError(f"pebble-challtestsrv: {path}: {answer.status} {answer.read()!r}")

    def _start(self, program: str, *arguments: str) -> None:
        with (self._directory / f"{program}.log").open("ab") as log:
            self._processes[program] = subprocess.Popen(
                [shutil.which(program) or program, *arguments],
                stdout=log,
                stderr=log,
                # Without its pauses of up to 15 s; everything else is as usual.
                env={**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": str(self._bad_nonces)},
            )

    def _end(self, program: str) -> None:
        process = self._processes.pop(program, None)
        if process is not None:
            process.terminate()
            # One that is paused would not hear of it.
            process.send_signal(signal.SIGCONT)
            process.wait()

    def _wait(self, port: int) -> None:
        for _attempt in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(0.05)
        logs = "".join(path.read_text() for path in self._directory.glob("*.log"))
        raise RuntimeError(f"the authority does not answer:\n{logs}")

    def __enter__(self) -> Pebble:
        self._start(
            "pebble-challtestsrv",
            *("-dns01", f"{self.name_server}:53", "-management", f"127.0.0.1:{self._names}"),
            *("-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv4", "", "-defaultIPv6", ""),
        )
        self._wait(self._names)
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        for program in list(self._processes):
            self._end(program)
