"""The only part that touches the host: reads what is there, and carries a plan out or puts everything back.

PRIVATE to the collection. All paths come from the settings, and commands go through a runner, so that it works as well in
a temporary directory with a runner that records.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tempfile
import typing as t

from .. import plan as planning
from ..apache import signing
from ..plan import ABSENT, FILE_MODE, Current, FileState, Plan
from .debian import KINDS, DebianLayout

BACKUP_SUFFIX = ".before-mail_autoconfig"
MANIFEST = "manifest.json"
RELOAD_MARKER = "reload-pending"


class Result(t.NamedTuple):
    """What a command left: exit status and its output as text."""

    status: int
    output: str
    errors: str


# Runs a command (without a shell) in an environment with these additions.
Runner = t.Callable[[t.Sequence[str], t.Mapping[str, str]], Result]


class ApplyError(Exception):
    """The host could not be brought to the desired state; ``rolled_back`` tells whether it is as it was before."""

    def __init__(self, message: str, details: str = "", rolled_back: bool | None = None) -> None:
        super().__init__(message)
        self.details = details
        self.rolled_back = rolled_back


class Host:
    """One Apache instance and our state directory on this host."""

    def __init__(self, layout: DebianLayout, state_directory: str, run: Runner) -> None:
        self.layout = layout
        self.state_directory = state_directory
        self._run = run

    # -- reading ------------------------------------------------------------------------------------------------------

    def apache_is_installed(self) -> bool:
        """Whether there is an Apache of this layout."""
        return os.path.isfile(self.layout.main_file)

    def has_module(self, name: str) -> bool:
        """Whether Apache's module can be enabled; one that is still to be installed is taken to have them all."""
        return not self.apache_is_installed() or self.exists(f"{self.layout.available('mods')}/{name}.load")

    @staticmethod
    def exists(path: str) -> bool:
        """Whether there is a file at the path, also behind links."""
        return os.path.isfile(path)

    def certificate_names(self, path: str) -> str | None:
        """What openssl says of a certificate's names; None where it cannot be asked."""
        try:
            result = self._run(["openssl", "x509", "-in", path, "-noout", "-ext", "subjectAltName"], {"LC_ALL": "C"})
        except OSError:
            return None
        return result.output if result.status == 0 and "DNS:" in result.output else None

    def certificate_facts(self, path: str) -> signing.CertificateFacts | None:
        """What openssl says of a certificate; None if it is none."""
        result = self._openssl("x509", "-in", path, *signing.CERTIFICATE_QUESTIONS)
        return signing.read_certificate(result.output) if result.status == 0 else None

    def pair_facts(self, signer: signing.Signer) -> signing.PairFacts:
        """What there is to know of a signing pair. Nothing is written; one text is signed for trial."""
        paths = (signer.certificate, signer.key, *filter(None, [signer.chain]))
        missing = tuple(path for path in paths if not self.exists(path))
        if missing:
            return signing.PairFacts(missing)
        user = self._web_user()
        trial = self._trial(signer, user)
        return signing.PairFacts(
            certificate=self.certificate_facts(signer.certificate),
            certificates=(read_file(os.path.realpath(signer.certificate)).content or b"").count(b"-----BEGIN CERTIFICATE-----"),
            public_key=signing.public_key(self._openssl("pkey", "-in", signer.key, "-pubout", "-passin", "pass:").output),
            key_mode=stat.S_IMODE(os.stat(signer.key).st_mode),
            user=user,
            trial=trial,
        )

    def _trial(self, signer: signing.Signer, user: str) -> str:
        """Sign as the web server's user; what openssl says if it cannot."""
        command = signer.trial()
        if os.geteuid() == 0:
            if not self.apache_is_installed():
                return ""  # nor is there the user
            command = ["runuser", "-u", user, "--", *command]
        result = self._try(command)
        return "" if result.status == 0 else " ".join(result.errors.split())[-300:] or "openssl failed"

    def _openssl(self, *arguments: str) -> Result:
        try:
            return self._run(["openssl", *arguments], {"LC_ALL": "C"})
        except OSError as exc:
            raise ApplyError(f"openssl cannot be run: {exc}") from exc

    def _web_user(self) -> str:
        """The user that Apache answers as."""
        content = read_file(f"{self.layout.config_directory}/envvars").content or b""
        found = re.search(r"\bAPACHE_RUN_USER=(\S+)", content.decode("utf-8", "replace"))
        return found.group(1) if found else "www-data"

    def manifest(self) -> planning.Manifest:
        """What earlier runs made. Raises ApplyError if the manifest cannot be read."""
        path = os.path.join(self.state_directory, MANIFEST)
        content = read_file(path).content
        if content is None:
            return {}
        try:
            return planning.read_manifest(content)
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise ApplyError(f"{path} is damaged ({exc}); restore it, or move it away and run with adopt: true") from exc

    def current(self, paths: t.Iterable[str], manifest: planning.Manifest) -> Current:
        """The state of the given paths, of the manifest's, and of all that is enabled."""
        known = {path for holding in manifest.values() for path in holding.files}
        enabled: dict[str, list[str]] = {}
        foreign: dict[str, list[str]] = {}
        for kind in KINDS:
            enabled[kind], foreign[kind] = self._links(kind)
        return Current(
            files={path: read_file(path) for path in sorted({*paths, *known})},
            enabled=enabled,
            manifest=manifest,
            reload_pending=os.path.exists(self._marker),
            foreign_links=foreign,
        )

    def _links(self, kind: str) -> tuple[list[str], list[str]]:
        """The enabled names of a kind, and those of them that do not lead to the file of that name."""
        directory, suffix = self.layout.enabled(kind), self.layout.suffix(kind)
        names = [name[: -len(suffix)] for name in _listing(directory) if name.endswith(suffix)]
        foreign = [
            name
            for name in names
            if os.path.realpath(f"{directory}/{name}{suffix}")
            != os.path.realpath(f"{self.layout.available(kind)}/{name}{suffix}")
        ]
        return names, foreign

    def neighbours(self, manifest: planning.Manifest) -> dict[str, str]:
        """The enabled sites that no earlier run of ours made, by file name, as text."""
        own = {name for holding in manifest.values() for name in holding.enabled.get("sites", ())}
        directory = self.layout.enabled("sites")
        files = {}
        for name in _listing(directory):
            content = read_file(os.path.realpath(f"{directory}/{name}")).content
            if name.endswith(".conf") and name[: -len(".conf")] not in own and content is not None:
                files[name] = content.decode("utf-8", "replace")
        return files

    # -- writing ------------------------------------------------------------------------------------------------------

    @property
    def _marker(self) -> str:
        return os.path.join(self.state_directory, RELOAD_MARKER)

    def apply(self, plan: Plan, current: Current) -> None:
        """Carry the plan out. Raises ApplyError, and then the host is as before unless the error says otherwise."""
        if plan.restart_relevant:
            self._require_sound("Apache's configuration is broken already, before any change of ours: mend it first")
        before, missing = self._snapshot(plan), self._missing_directories(plan)
        try:
            self._commit(plan, current)
            if plan.restart_relevant:
                self._require_sound("Apache refuses the new configuration")
            self._write_state(MANIFEST, planning.manifest_bytes(plan.manifest))
        except (ApplyError, OSError) as exc:
            details = exc.details if isinstance(exc, ApplyError) else ""
            failures = self._restore(before)
            for directory in missing:
                with contextlib.suppress(OSError):
                    os.rmdir(directory)
            if failures:
                raise ApplyError(f"{exc}; not everything could be put back: {'; '.join(failures)}", details, False) from exc
            raise ApplyError(f"{exc}; everything was put back as it was", details, True) from exc

    def _commit(self, plan: Plan, current: Current) -> None:
        """Modules and documents before sites, sites last; what goes is disabled before its file is removed."""
        # Before the manifest says that the file is ours, so that no kill in between can lose it.
        for path in plan.adopt:
            backup = path + BACKUP_SUFFIX
            state = read_file(path)
            if not os.path.lexists(backup) and state.content is not None:
                write_file(backup, state.content, state.mode)
        if plan.manifest_changes:
            self._write_state(MANIFEST, planning.manifest_bytes(planning.in_between(plan, current)))
        if plan.restart_relevant:
            self._write_state(RELOAD_MARKER, b"")
        for kind in ("sites", "conf"):
            self._command(self.layout.disable(kind, plan.disable.get(kind, ())), plan.disable.get(kind, ()))
        # Sites that are enabled already may need them as soon as their files are there.
        self._command(self.layout.enable("mods", plan.enable.get("mods", ())), plan.enable.get("mods", ()))
        for path in sorted(plan.write, key=lambda path: (path.endswith(".conf"), path)):
            write_file(path, plan.write[path])
        for path in plan.remove:
            _remove(path)
        for kind in ("conf", "sites"):
            self._command(self.layout.enable(kind, plan.enable.get(kind, ())), plan.enable.get(kind, ()))

    def _command(self, command: t.Sequence[str], names: t.Collection[str]) -> None:
        if names:
            result = self._try(command)
            if result.status != 0:
                raise ApplyError(f"{command[0]} failed for {', '.join(names)}", result.errors or result.output)

    def _try(self, command: t.Sequence[str]) -> Result:
        try:
            return self._run(command, self.layout.environment)
        except OSError as exc:
            raise ApplyError(f"{command[0]} cannot be run: {exc}") from exc

    def _require_sound(self, message: str) -> None:
        result = self._try(self.layout.configtest)
        if result.status != 0:
            raise ApplyError(message, (result.errors + result.output).strip())

    def _write_state(self, name: str, content: bytes) -> None:
        write_file(os.path.join(self.state_directory, name), content)

    # -- putting back -------------------------------------------------------------------------------------------------

    def _snapshot(self, plan: Plan) -> dict[str, tuple[str, str | FileState] | None]:
        """Everything that the plan may change: files by content, links by target, absence as None."""
        paths = {*plan.write, *plan.remove, *(path + BACKUP_SUFFIX for path in plan.adopt)}
        paths.update((os.path.join(self.state_directory, MANIFEST), self._marker))
        saved: dict[str, tuple[str, str | FileState] | None] = {path: _saved(path) for path in paths}
        for kind in KINDS:
            directory = self.layout.enabled(kind)
            saved.update({f"{directory}/{name}": _saved(f"{directory}/{name}") for name in _listing(directory)})
        return saved

    def _restore_rank(self, path: str, saved: t.Mapping[str, t.Any]) -> int:
        """The order of putting back in which Apache can start, and a next run knows what is ours, at every instant.

        New links to sites go first, then files come back, then links to sites, then new modules go, and the manifest is last.
        """
        directory = os.path.dirname(path)
        if directory == self.state_directory:
            return 4
        if directory == self.layout.enabled("mods"):
            return 3
        if directory in (self.layout.enabled("sites"), self.layout.enabled("conf")):
            return 0 if saved.get(path) is None else 2
        return 1

    def _missing_directories(self, plan: Plan) -> list[str]:
        """The directories that the plan will make, innermost first."""
        missing = set()
        for path in (*plan.write, self._marker):
            directory = os.path.dirname(path)
            while not os.path.isdir(directory):
                missing.add(directory)
                directory = os.path.dirname(directory)
        return sorted(missing, reverse=True)

    def _restore(self, saved: t.Mapping[str, tuple[str, str | FileState] | None]) -> list[str]:
        """Put back what the snapshot says; the failures, in words."""
        failures = []
        links = {f"{self.layout.enabled(kind)}/{name}" for kind in KINDS for name in _listing(self.layout.enabled(kind))}
        for path in sorted({*saved, *links}, key=lambda path: (self._restore_rank(path, saved), path)):
            try:
                if _saved(path) != saved.get(path):
                    _put_back(path, saved.get(path))
            except OSError as exc:
                failures.append(f"{path}: {exc.strerror}")
        return failures


def read_file(path: str) -> FileState:
    """What is at a path; a link counts as neither file nor absent."""
    try:
        mode = os.lstat(path).st_mode
        if not stat.S_ISREG(mode):
            return FileState("other")
        with open(path, "rb") as stream:
            return FileState("file", stream.read(), stat.S_IMODE(mode))
    except FileNotFoundError:
        return ABSENT
    except NotADirectoryError:
        return FileState("other")


def blocked_by(path: str) -> str | None:
    """The part of a directory path that is there and is no directory."""
    while path != "/":
        if os.path.lexists(path):
            return None if os.path.isdir(path) else path
        path = os.path.dirname(path)
    return None


def write_file(path: str, content: bytes, mode: int = FILE_MODE) -> None:
    """Replace a file in one step, durably; readers see the old one or the new one. Directories are made as needed."""
    directory = os.path.dirname(path)
    _make_directories(directory)
    descriptor, temporary = tempfile.mkstemp(prefix=".mail_autoconfig-", dir=directory)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_directory(directory)


def _make_directories(directory: str) -> None:
    """As os.makedirs, but readable by the web server whatever the umask is."""
    if not os.path.isdir(directory):
        _make_directories(os.path.dirname(directory))
        os.mkdir(directory)
        os.chmod(directory, 0o755)  # noqa: S103 (as every directory below /var/www)


def _sync_directory(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: str) -> None:
    """Remove a file of ours, and with a document the provider's directories that it leaves empty."""
    os.unlink(path)
    directory = os.path.dirname(path)
    for _level in range(2 if planning.is_document(path) else 0):
        try:
            os.rmdir(directory)
        except OSError:
            break
        directory = os.path.dirname(directory)


def _saved(path: str) -> tuple[str, str | FileState] | None:
    if os.path.islink(path):
        return ("link", os.readlink(path))
    state = read_file(path)
    return None if state.kind == "absent" else ("file", state)


def _put_back(path: str, saved: tuple[str, str | FileState] | None) -> None:
    """Make a path what it was; what is replaced is there until the old one takes its place."""
    if saved is None:
        os.unlink(path)
        return
    value = saved[1]
    if isinstance(value, str):
        temporary = f"{path}.mail_autoconfig-link"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        os.symlink(value, temporary)
        os.replace(temporary, path)
    elif value.content is not None:
        write_file(path, value.content, value.mode)


def _listing(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []
