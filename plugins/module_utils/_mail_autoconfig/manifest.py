"""What we have on a host: the file in the state directory that tells ours from everything else.

PRIVATE to the collection. It belongs to one instance of Apache. Paths are by where their directories lead.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

from .certificates import Certificate
from .dns.remembered import Group, Groups, Pattern
from .files import File, Kind, digest

VERSION = 2
_SUFFIXES_OF_VERSION_1 = {
    ".conf": Kind.CONFIGURATION,
    ".lua": Kind.SCRIPT,
    **dict.fromkeys((".html", ".json", ".mobileconfig", ".xml"), Kind.DOCUMENT),
}


class ManifestError(ValueError):
    """Not a manifest, or one of a newer version."""


@dataclasses.dataclass(frozen=True)
class Owned:
    """A file of ours: its kind, and the digests that it may have.

    More than one only while a run is under way, and none where others than runs replace it (``Kind.SIGNING``).
    """

    kind: Kind
    digests: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Holding:
    """What one provider has.

    :ivar files: by path
    :ivar enabled: names by kind of link (``sites``, ``conf``)
    :ivar certificates: pairs of others that serve its hosts
    :ivar records: the DNS records that belong to it
    :ivar of: for what all providers share: the one whose certificate and logs it uses
    """

    domains: tuple[str, ...] = ()
    files: t.Mapping[str, Owned] = dataclasses.field(default_factory=dict)
    enabled: t.Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    of: str = ""
    certificates: tuple[Certificate, ...] = ()
    records: Groups = ()


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What all providers have.

    :ivar instance: Apache's configuration directory; empty in what version 1 wrote
    :ivar directories: those that we have made above the providers' own
    :ivar retired: files that nobody needs any more but workers of Apache that had not ended yet
    :ivar obsolete: pairs of others that our sites used once, and use no more
    :ivar obsolete_records: DNS records that belonged to a provider once, and to none any more
    """

    instance: str = ""
    providers: t.Mapping[str, Holding] = dataclasses.field(default_factory=dict)
    directories: tuple[str, ...] = ()
    retired: t.Mapping[str, Owned] = dataclasses.field(default_factory=dict)
    obsolete: tuple[Certificate, ...] = ()
    obsolete_records: Groups = ()

    @property
    def certificates(self) -> frozenset[Certificate]:
        """All pairs that our sites use."""
        return pairs_of(self.providers.values())

    @property
    def domains(self) -> frozenset[str]:
        """All mail domains that are served."""
        return frozenset(domain for holding in self.providers.values() for domain in holding.domains)

    @property
    def ordered(self) -> frozenset[str]:
        """All that orders of certificates may be for: mail domains, and the host whose certificate signs."""
        return self.domains | {holding.of for holding in self.providers.values() if holding.of}

    @property
    def files(self) -> dict[str, Owned]:
        """All files of ours; one that several providers have may be as any of them knows it."""
        found = dict(self.retired)
        for holding in self.providers.values():
            for path, owned in holding.files.items():
                known = found.get(path, owned).digests
                found[path] = Owned(owned.kind, tuple(dict.fromkeys((*known, *owned.digests))))
        return found

    def named(self, kind: str) -> set[str]:
        """All links of a kind that are ours."""
        return {name for holding in self.providers.values() for name in holding.enabled.get(kind, ())}


def pairs_of(holdings: t.Iterable[Holding]) -> frozenset[Certificate]:
    """The pairs that the sites of some providers use."""
    return frozenset(pair for holding in holdings for pair in holding.certificates)


def moved(manifest: Manifest, real: t.Callable[[str], str]) -> Manifest:
    """The same with paths by where they lead now: a directory may have been moved and a link left in its place."""

    def files(owned: t.Mapping[str, Owned]) -> dict[str, Owned]:
        return {real(path): item for path, item in owned.items()}

    providers = {name: dataclasses.replace(holding, files=files(holding.files)) for name, holding in manifest.providers.items()}
    return dataclasses.replace(manifest, providers=providers, retired=files(manifest.retired))


def holding_of(domains: tuple[str, ...], files: t.Iterable[File], enabled: t.Mapping[str, tuple[str, ...]]) -> Holding:
    """The entry for what a provider shall have."""
    return Holding(domains, {file.path: _owned_of(file) for file in files}, dict(enabled))


def _owned_of(file: File) -> Owned:
    # Whoever renews a certificate that signs replaces its copy too, without a run.
    return Owned(file.kind, () if file.kind is Kind.SIGNING else (digest(file.content),))


def write(manifest: Manifest) -> bytes:
    """The manifest as it lies on the host: JSON, sorted."""
    data = {
        "version": VERSION,
        "instance": manifest.instance,
        "directories": list(manifest.directories),
        "retired": _files(manifest.retired),
        **({"obsolete": _pairs(manifest.obsolete)} if manifest.obsolete else {}),
        **({"obsolete_records": _groups(manifest.obsolete_records)} if manifest.obsolete_records else {}),
        "providers": {
            name: {
                "domains": list(holding.domains),
                "enabled": {kind: list(names) for kind, names in holding.enabled.items()},
                "files": _files(holding.files),
                **({"of": holding.of} if holding.of else {}),
                **({"certificates": _pairs(holding.certificates)} if holding.certificates else {}),
                **({"records": _groups(holding.records)} if holding.records else {}),
            }
            for name, holding in manifest.providers.items()
        },
    }
    return (json.dumps(data, indent=1, sort_keys=True) + "\n").encode()


def _files(files: t.Mapping[str, Owned]) -> dict[str, t.Any]:
    return {path: {"kind": owned.kind.value, "digests": list(owned.digests)} for path, owned in files.items()}


def _pairs(pairs: t.Iterable[Certificate]) -> list[list[str]]:
    return [[pair.file, pair.key] for pair in pairs]


def _groups(groups: Groups) -> list[dict[str, t.Any]]:
    return [{"domains": list(group.domains), "patterns": [list(pattern) for pattern in group.patterns]} for group in groups]


def read(content: bytes) -> Manifest:
    """The manifest from its bytes. Raises ManifestError."""
    try:
        data = json.loads(content.decode())
        version = data["version"]
        if isinstance(version, int) and version > VERSION:
            raise ManifestError(f"a newer release of the collection wrote it (version {version}, this one knows {VERSION})")
        if version not in (1, VERSION):
            raise ManifestError("it has no version that is known")
        return Manifest(
            instance=_path(data.get("instance", "")) if data.get("instance", "") else "",
            providers={name: _holding(entry) for name, entry in data["providers"].items()},
            directories=tuple(map(_path, _strings(data.get("directories", [])))),
            retired=_owned(data.get("retired", {})),
            obsolete=_certificates(data.get("obsolete", [])),
            obsolete_records=_remembered(data.get("obsolete_records", [])),
        )
    except ManifestError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise ManifestError(f"it is damaged ({type(exc).__name__}: {exc})") from exc


def _holding(entry: t.Any) -> Holding:
    (of,) = _strings([entry.get("of", "")])
    return Holding(
        domains=_strings(entry["domains"]),
        files=_owned(entry["files"]),
        enabled={kind: _strings(names) for kind, names in entry["enabled"].items()},
        of=of,
        certificates=_certificates(entry.get("certificates", [])),
        records=_remembered(entry.get("records", [])),
    )


def _remembered(entries: t.Any) -> Groups:
    return tuple(
        Group(tuple(Pattern(*_strings(pattern)) for pattern in entry["patterns"]), _strings(entry["domains"]))
        for entry in entries
    )


def _certificates(entries: t.Any) -> tuple[Certificate, ...]:
    return tuple(Certificate(*map(_path, _strings(entry))) for entry in entries)


def _owned(entry: t.Any) -> dict[str, Owned]:
    found = {}
    for path, value in entry.items():
        kind = Kind(value["kind"]) if isinstance(value, dict) else _kind_in_version_1(path)
        found[_path(path)] = Owned(kind, _strings(value["digests"] if isinstance(value, dict) else value))
    return found


def _strings(value: t.Any) -> tuple[str, ...]:
    """A list of strings; a string is none, although it could be walked through like one."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ManifestError(f"it is damaged ({value!r:.80} is not a list of strings)")
    return tuple(value)


def _path(value: t.Any) -> str:
    """An absolute path that the system can be asked about."""
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        raise ManifestError(f"it is damaged ({value!r:.80} is not a path)")
    value.encode("utf-8", "surrogateescape")
    return value


def _kind_in_version_1(path: str) -> Kind:
    suffix = path[path.rfind(".") :]
    return _SUFFIXES_OF_VERSION_1.get(suffix, Kind.ZONE)


def in_between(before: Manifest, after: Manifest) -> Manifest:
    """The manifest while files are being replaced: old and new digests count as ours, so that a cut-off run is mended."""
    known = before.files
    merged = dict(before.providers)
    for name, holding in after.providers.items():
        old = before.providers.get(name, Holding())
        files = {
            path: Owned(owned.kind, tuple(dict.fromkeys((*known.get(path, owned).digests, *owned.digests))))
            for path, owned in holding.files.items()
        }
        kinds = sorted({*old.enabled, *holding.enabled})
        merged[name] = Holding(
            tuple(dict.fromkeys((*holding.domains, *old.domains))),
            {**old.files, **files},
            {kind: tuple(dict.fromkeys((*old.enabled.get(kind, ()), *holding.enabled.get(kind, ())))) for kind in kinds},
            holding.of,
            tuple(dict.fromkeys((*holding.certificates, *old.certificates))),
            tuple(dict.fromkeys((*holding.records, *old.records))),
        )
    directories = tuple(dict.fromkeys((*before.directories, *after.directories)))
    return dataclasses.replace(
        after,
        instance=after.instance or before.instance,
        providers=merged,
        directories=directories,
        retired={**before.retired, **after.retired},
    )
