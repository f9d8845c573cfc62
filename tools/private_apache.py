"""A whole Apache of our own, in Debian's layout, in one directory and on free loopback ports.

For the demonstration and the integration tests: the real server, the real a2ensite and apache2ctl, and nothing of the
machine's own Apache touched. Needs the package ``apache2-bin``; the rest of the package ``apache2`` is only unpacked.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on.

    Below those from which connections of others start: one of them would take the port while its server is down for a moment.
    """
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    # Where they start so low that hardly any are left, there is nothing better than any port.
    highest = lowest if lowest > 11_000 else 65_536
    found: list[int] = []
    while len(found) < count:
        port = 10_000 + secrets.randbelow(highest - 10_000)
        with contextlib.suppress(OSError), socket.socket() as item:
            item.bind(("127.0.0.1", port))
            found.extend([port] if port not in found else [])
    return found


def unpack_apache(cache: Path) -> Path:
    """The root of an unpacked package ``apache2``; the machine's own if it is installed."""
    if Path("/usr/sbin/a2ensite").exists() and Path("/etc/apache2/mods-available").is_dir():
        return Path("/")
    root = cache / "apache2"
    if not (root / "usr/sbin/a2ensite").exists():
        cache.mkdir(parents=True, exist_ok=True)
        # Beside its place, because several processes of the tests may come here at once.
        with tempfile.TemporaryDirectory(dir=cache) as name:
            directory = Path(name)
            subprocess.run(["apt-get", "download", "-q", "apache2"], cwd=directory, check=True, capture_output=True)
            (package,) = directory.glob("apache2_*.deb")
            subprocess.run(["dpkg", "-x", str(package), str(directory / "apache2")], check=True)
            try:
                (directory / "apache2").rename(root)
            except OSError:
                if not root.exists():
                    raise
    return root


class PrivateApache:
    """One instance below ``directory``; a context manager that stops it at the end.

    :ivar config_directory: what ``/etc/apache2`` is elsewhere
    :ivar environment: variables that make Debian's commands mean this instance
    """

    def __init__(self, directory: Path, cache: Path) -> None:
        self.directory = directory
        self.config_directory = directory / "etc/apache2"
        self.document_root = directory / "var/www/autoconfig"
        self.state_directory = directory / "var/lib/mail_autoconfig"
        self.log_directory = directory / "var/log"
        self.http_port, self.https_port = free_ports(2)
        source = unpack_apache(cache)
        commands = str(source / "usr/sbin")
        self.environment = {
            "PATH": os.pathsep.join([commands, "/usr/sbin", os.environ.get("PATH", "/usr/bin:/bin")]),
            "APACHE_CONFDIR": str(self.config_directory),
            "APACHE_STATE_DIRECTORY": str(directory / "var/lib/apache2"),
            "APACHE_STARTED_BY_SYSTEMD": "1",
        }
        self._lay_out(source)

    def _lay_out(self, source: Path) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        # The web server's user must be able to pass through directories that pytest and mkdtemp make private.
        temporary = Path(tempfile.gettempdir())
        for path in (self.directory, *self.directory.parents):
            if temporary in path.parents:
                path.chmod(path.stat().st_mode | 0o011)
        for path in (self.log_directory, self.directory / "run", self.directory / "var/lib/apache2", self.directory / "var/www"):
            path.mkdir(parents=True)
            path.chmod(0o755)
        self.config_directory.mkdir(parents=True)
        for name in ("apache2.conf", "magic"):
            shutil.copy(source / "etc/apache2" / name, self.config_directory / name)
        for kind in ("mods", "conf", "sites"):
            (self.config_directory / f"{kind}-enabled").mkdir()
            shutil.copytree(source / "etc/apache2" / f"{kind}-available", self.config_directory / f"{kind}-available")
        if source != Path("/"):
            for path in (self.config_directory / "mods-available").glob("*.conf"):
                path.write_text(path.read_text().replace("/usr/share/apache2/", f"{source}/usr/share/apache2/"))
        user = "www-data" if os.geteuid() == 0 else getpass.getuser()
        group = user if os.geteuid() == 0 else str(os.getegid())
        run = self.directory / "run"
        lock = self.directory / "run/lock"
        lock.mkdir()
        if os.geteuid() == 0:
            shutil.chown(lock, user)
        (self.config_directory / "envvars").write_text(
            f"export APACHE_RUN_USER={user} APACHE_RUN_GROUP={group.replace('#', '')} APACHE_PID_FILE={run}/apache2.pid\n"
            f"export APACHE_RUN_DIR={run} APACHE_LOCK_DIR={lock} APACHE_LOG_DIR={self.log_directory} LANG=C\n"
            "APACHE_ULIMIT_MAX_FILES=true\n"
        )
        (self.config_directory / "ports.conf").write_text(
            "ServerName private.invalid\n"
            f"Listen 127.0.0.1:{self.http_port}\n<IfModule ssl_module>\n    Listen 127.0.0.1:{self.https_port}\n</IfModule>\n"
        )
        self.command("a2enmod", "-q", "mpm_event", "authz_core", "authz_host", "dir", "mime", "alias", "env")

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of Debian's commands on this instance."""
        environment = {**os.environ, **self.environment}
        done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done

    def add_site(self, name: str, text: str) -> None:
        """Add and enable a site that is not ours."""
        (self.config_directory / "sites-available" / f"{name}.conf").write_text(text)
        self.command("a2ensite", "-q", name)

    def start(self) -> None:
        """Start, and wait until it answers and can be stopped: it listens before it has written its number down."""
        log = self.log_directory / "error.log"
        before = self._generations(log)
        for attempt in range(40):
            try:
                self.command("apache2ctl", "start")
                break
            except RuntimeError as exc:
                # The last worker of the one before may have the port for a moment longer.
                if "Address already in use" not in str(exc) or attempt == 39:
                    raise
                time.sleep(0.25)
        self._wait()
        for _attempt in range(200):
            if (self.directory / "run/apache2.pid").exists():
                break
            time.sleep(0.05)
        else:
            raise RuntimeError("the private Apache has written no apache2.pid")
        # Last of all it logs that it serves, unless a test has it log elsewhere: who counts that must not see it come later.
        for _attempt in range(40):
            if self._generations(log) > before:
                break
            time.sleep(0.05)

    def reload(self) -> None:
        """Let it read its configuration again, and wait until only new workers answer.

        A graceful restart has no sign of its own end but the line in the error log, and old workers take connections for some
        time after it.
        """
        log = self.log_directory / "error.log"
        before, old = self._generations(log), self._workers()
        self.command("apache2ctl", "graceful")
        for _attempt in range(200):
            if self._generations(log) > before and not self._workers() & old:
                break
            time.sleep(0.05)
        self._wait()

    def generation(self) -> tuple[str, int]:
        """The process, and how often it has begun to serve: the same as before if it was neither reloaded nor restarted.

        Its workers do not tell that: Apache starts and ends some as it needs them.
        """
        return (self.directory / "run/apache2.pid").read_text().strip(), self._generations(self.log_directory / "error.log")

    def _workers(self) -> set[str]:
        """The processes that answer, by number."""
        parent = (self.directory / "run/apache2.pid").read_text().strip()
        found = subprocess.run(["pgrep", "-P", parent], capture_output=True, text=True, check=False)
        return set(found.stdout.split())

    @staticmethod
    def _generations(log: Path) -> int:
        return len(re.findall("resuming normal operations", log.read_text())) if log.exists() else 0

    def _wait(self) -> None:
        for _attempt in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.http_port), 1):
                return
            time.sleep(0.05)
        raise RuntimeError("the private Apache does not answer:\n" + (self.log_directory / "error.log").read_text())

    def stop(self) -> None:
        """Stop it if it runs; by its process, because a test may have broken the configuration."""
        pid_file = self.directory / "run/apache2.pid"
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int(pid_file.read_text()), signal.SIGTERM)
            for _attempt in range(200):
                if not pid_file.exists():
                    return
                time.sleep(0.05)

    def __enter__(self) -> PrivateApache:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def module_options(self) -> dict[str, object]:
        """The options of the module (and, with prefix, the role) that mean this instance."""
        return {
            "config_directory": str(self.config_directory),
            "document_root": str(self.document_root),
            "state_directory": str(self.state_directory),
            "http_port": self.http_port,
            "https_port": self.https_port,
        }
