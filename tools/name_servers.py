"""Whole name servers of our own, each in one directory and on a free loopback port: BIND and Knot.

For the tests of DNS updates: two implementations of RFC 2136 by different people, and nothing of the machine's own name
server touched. Needs the packages ``bind9`` and ``knot``, neither of which has to run.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import os
import signal
import subprocess
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.rrset
import dns.tsig

from .private_apache import free_ports

ADDRESS = "127.0.0.1"
# RFC 1035 section 5.1; the first lines that every zone needs.
ZONE_HEAD = """\
$ORIGIN {zone}.
$TTL 3600
@ SOA ns.{zone}. hostmaster.{zone}. 1 3600 600 86400 300
@ NS ns.{zone}.
ns A 192.0.2.53
"""


@dataclasses.dataclass(frozen=True)
class Key:
    """A TSIG key; the secret is base64."""

    name: str = "autoconfig-key"
    algorithm: str = "hmac-sha256"
    secret: str = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()

    def tsig(self) -> dns.tsig.Key:
        """As dnspython has it."""
        return dns.tsig.Key(self.name, self.secret, self.algorithm)


class NameServer:
    """One server below ``directory``; a context manager that stops it at the end.

    :arg zones: names without the final dot, and what each holds besides its head, as in a zone file
    :arg closed: those of them that nobody may update
    :arg may_transfer: whether the key may fetch whole zones
    """

    program = ""

    def __init__(
        self, directory: Path, zones: Mapping[str, str], closed: Collection[str] = (), may_transfer: bool = True, key: Key = Key()
    ) -> None:
        self.directory = directory
        self.zones = dict(zones)
        self.closed = closed
        self.may_transfer = may_transfer
        self.key = key
        self.log = directory / "log"
        (self.port,) = free_ports(1)
        self._process: subprocess.Popen[bytes] | None = None
        (directory / "zones").mkdir(parents=True)
        for zone, text in self.zones.items():
            self.zone_file(zone).write_text(ZONE_HEAD.format(zone=zone) + text)
        (directory / "conf").write_text(self.configuration())

    def zone_file(self, zone: str) -> Path:
        """Where the zone lies."""
        return self.directory / "zones" / f"{zone}.zone"

    def configuration(self) -> str:
        """The text of the configuration file."""
        raise NotImplementedError

    def command(self) -> Sequence[str]:
        """What runs the server as a child that stays in the foreground."""
        raise NotImplementedError

    def start(self) -> None:
        """Start, and wait until the last zone answers."""
        path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), cwd=self.directory, env={**os.environ, "PATH": path}, stdout=log, stderr=log
            )
        for _attempt in range(600):
            if self._process.poll() is not None:
                break
            with contextlib.suppress(OSError, EOFError, dns.exception.DNSException):
                if all(self.query(f"{zone}.", "SOA") for zone in (*list(self.zones)[:1], *list(self.zones)[-1:])):
                    return
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"{self.program} does not answer:\n" + self.log.read_text())

    def stop(self) -> None:
        """End it if it runs."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def signal(self, number: signal.Signals) -> None:
        """Stop, continue or kill the process if it runs; the kernel still takes connections for one that is stopped."""
        if self._process is not None:
            self._process.send_signal(number)

    def __enter__(self) -> NameServer:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def query(self, owner: str, kind: str) -> dns.rrset.RRset | None:
        """An RRset, asked without a key; None if there is none."""
        question = dns.message.make_query(owner, kind, flags=0)
        answer = dns.query.tcp(question, ADDRESS, port=self.port, timeout=5)
        if not answer.flags & dns.flags.AA:
            return None
        name = dns.name.from_text(owner)
        return answer.get_rrset(answer.answer, name, question.question[0].rdclass, dns.rdatatype.from_text(kind))

    def serial(self, zone: str) -> int:
        """The serial number of a zone, which every change raises."""
        soa = self.query(f"{zone}.", "SOA")
        if soa is None:
            raise LookupError(f"there is no zone {zone}")
        return int(soa[0].serial)

    def module_options(self) -> dict[str, object]:
        """The options of the module that mean this server."""
        return {
            "server": ADDRESS,
            "port": self.port,
            "key_name": self.key.name,
            "key_secret": self.key.secret,
            "key_algorithm": self.key.algorithm,
        }


class Bind(NameServer):
    """BIND 9."""

    program = "named"

    def configuration(self) -> str:
        """See https://bind9.readthedocs.io/, configuration reference."""
        transfer = f'key "{self.key.name}";' if self.may_transfer else "none;"
        lines = [
            f'key "{self.key.name}" {{ algorithm {self.key.algorithm}; secret "{self.key.secret}"; }};',
            "controls { };",
            f'options {{ directory "{self.directory}"; pid-file none; session-keyfile none; lock-file none;',
            f"  listen-on port {self.port} {{ {ADDRESS}; }}; listen-on-v6 {{ none; }};",
            f"  recursion no; notify no; dnssec-validation no; allow-transfer {{ {transfer} }}; }};",
        ]
        for zone in self.zones:
            update = "" if zone in self.closed else f'key "{self.key.name}";'
            lines.append(
                f'zone "{zone}" {{ type primary; file "{self.zone_file(zone)}"; allow-update {{ {update or "none;"} }}; }};'
            )
        return "\n".join(lines) + "\n"

    def command(self) -> Sequence[str]:
        """In the foreground, with the log on standard error and one thread."""
        return ["named", "-g", "-n", "1", "-c", str(self.directory / "conf")]


class Knot(NameServer):
    """Knot DNS 3."""

    program = "knotd"

    def configuration(self) -> str:
        """See https://www.knot-dns.cz/docs/, configuration reference."""
        lines = [
            f'server:\n  listen: {ADDRESS}@{self.port}\n  rundir: "{self.directory}"\n  tcp-workers: 1\n  udp-workers: 1',
            f'database:\n  storage: "{self.directory}/db"',
            "log:\n  - target: stderr\n    any: info",
            f"key:\n  - id: {self.key.name}\n    algorithm: {self.key.algorithm}\n    secret: {self.key.secret}",
            f"acl:\n  - id: update\n    key: {self.key.name}\n    action: update",
            f"  - id: transfer\n    key: {self.key.name}\n    action: transfer",
            f'template:\n  - id: default\n    storage: "{self.directory}/zones"\n    file: "%s.zone"',
            "zone:",
        ]
        for zone in self.zones:
            rights = ["transfer"] * self.may_transfer + ["update"] * (zone not in self.closed)
            lines.append(f"  - domain: {zone}\n    acl: [{', '.join(rights)}]")
        return "\n".join(lines) + "\n"

    def command(self) -> Sequence[str]:
        """It stays in the foreground by itself."""
        (self.directory / "db").mkdir(exist_ok=True)
        return ["knotd", "-c", str(self.directory / "conf")]
