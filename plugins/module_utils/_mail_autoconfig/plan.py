"""What has to change: the desired state held against what is there. Pure, so that check mode and diff cannot lie.

PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing as t

FILE_MODE = 0o644
# A diff is for people; beyond this they read the files.
MAX_DIFFS = 50
_CONFIGURATION_SUFFIXES = (".conf", ".lua")
_DOCUMENT_SUFFIXES = (".html", ".json", ".mobileconfig", ".xml")
OUR_SUFFIXES = (*_CONFIGURATION_SUFFIXES, *_DOCUMENT_SUFFIXES)


@dataclasses.dataclass(frozen=True)
class FileState:
    """What is at a path: ``content`` is None unless it is a regular file; ``kind`` is absent, file or other."""

    kind: str = "absent"
    content: bytes | None = None
    mode: int = 0


ABSENT = FileState()


@dataclasses.dataclass(frozen=True)
class Holding:
    """What one provider has on the host: the manifest's entry.

    :ivar files: digests that each path may have and still be ours; more than one only while a run is under way
    :ivar enabled: names by kind (``sites``, ``conf``)
    """

    domains: tuple[str, ...] = ()
    files: t.Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    enabled: t.Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)


Manifest = t.Mapping[str, Holding]


@dataclasses.dataclass(frozen=True)
class Desired:
    """What one provider shall have."""

    provider: str
    domains: tuple[str, ...]
    files: t.Mapping[str, bytes]
    enabled: t.Mapping[str, tuple[str, ...]]

    def holding(self) -> Holding:
        """The manifest's entry for it."""
        return Holding(self.domains, {path: (digest(content),) for path, content in self.files.items()}, dict(self.enabled))


@dataclasses.dataclass(frozen=True)
class Current:
    """What is on the host, as far as it matters.

    :ivar files: by path, for every path that is desired or in the manifest
    :ivar enabled: names by kind (``sites``, ``conf``, ``mods``)
    :ivar foreign_links: names by kind that are enabled but do not lead to the file of that name
    """

    files: t.Mapping[str, FileState]
    enabled: t.Mapping[str, t.Collection[str]]
    manifest: Manifest
    reload_pending: bool = False
    foreign_links: t.Mapping[str, t.Collection[str]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Plan:
    """The changes, each sorted; empty if the host is as desired."""

    write: t.Mapping[str, bytes]
    remove: tuple[str, ...]
    adopt: tuple[str, ...]
    enable: t.Mapping[str, tuple[str, ...]]
    disable: t.Mapping[str, tuple[str, ...]]
    manifest: Manifest
    manifest_changes: bool
    reload_pending: bool
    restart_relevant: bool
    problems: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def changes(self) -> bool:
        """Whether anything on the host is to be written, removed, enabled or disabled."""
        return bool(self.write or self.remove or any(self.enable.values()) or any(self.disable.values()) or self.manifest_changes)

    @property
    def needs_reload(self) -> bool:
        """Whether Apache has to read its configuration again, for this run or one that was cut off."""
        return self.reload_pending or self.restart_relevant


def digest(content: bytes) -> str:
    """The digest that the manifest keeps of a file."""
    return hashlib.sha256(content).hexdigest()


def make(
    desired: t.Sequence[Desired],
    dropped: t.Collection[str],
    modules: t.Iterable[str],
    current: Current,
    adopt: bool = False,
) -> Plan:
    """Plan the way from ``current`` to ``desired``.

    :arg dropped: ids of providers whose files and sites shall go
    :arg modules: Apache modules that must be enabled; none is ever disabled
    :arg adopt: take over files in our places that are not ours, after a copy
    """
    manifest = {name: holding for name, holding in current.manifest.items() if name not in dropped}
    manifest.update({item.provider: item.holding() for item in desired})
    ours = _digests(current.manifest)
    problems: list[str] = [
        *_claims(desired, dropped, current),
        *_shared_files(desired, dropped, current),
        *_foreign_links(desired, current),
    ]
    warnings: list[str] = []
    write: dict[str, bytes] = {}
    adopted: list[str] = []
    for path, content in sorted({path: content for item in desired for path, content in item.files.items()}.items()):
        state = current.files.get(path, ABSENT)
        if state.content == content and state.mode == FILE_MODE:
            continue
        foreign = state.kind == "other" or (state.kind == "file" and path not in ours and state.content != content)
        if foreign and (state.kind == "other" or not adopt):
            problems.append(_foreign_file(path, state))
            continue
        if foreign:
            adopted.append(path)
        elif state.content is not None and path in ours and digest(state.content) not in ours[path]:
            warnings.append(f"{path} was changed by somebody since the last run; it is put back")
        write[path] = content
    remove = _removals(desired, dropped, current, warnings)
    enable, disable = _switches(desired, dropped, modules, current)
    config_changes = any(is_configuration(path) for path in (*write, *remove))
    return Plan(
        write=write,
        remove=tuple(remove),
        adopt=tuple(adopted),
        enable=enable,
        disable=disable,
        manifest=manifest,
        manifest_changes=manifest != dict(current.manifest),
        reload_pending=current.reload_pending,
        restart_relevant=config_changes or any(enable.values()) or any(disable.values()),
        problems=tuple(problems),
        warnings=tuple(warnings),
    )


def _digests(manifest: Manifest) -> dict[str, tuple[str, ...]]:
    return {path: digests for holding in manifest.values() for path, digests in holding.files.items()}


def is_configuration(path: str) -> bool:
    """Whether Apache reads the file when it starts, other than a document, which it reads at each request."""
    return path.endswith(_CONFIGURATION_SUFFIXES)


def is_document(path: str) -> bool:
    """Whether the file lies below the directory of its provider; zone files lie wherever the administrator says."""
    return path.endswith(_DOCUMENT_SUFFIXES)


def is_zone_file(path: str) -> bool:
    """Whether the file holds records, perhaps of several providers."""
    return not (is_configuration(path) or is_document(path))


def _claims(desired: t.Sequence[Desired], dropped: t.Collection[str], current: Current) -> t.Iterator[str]:
    """Domains that a provider of an earlier run, unknown to this one, has on this host."""
    wanted = {domain: item.provider for item in desired for domain in item.domains}
    for name, holding in _unnamed(desired, dropped, current):
        for provider, domains in sorted(by_provider(holding.domains, wanted).items()):
            yield (
                f"provider {provider}: {', '.join(domains)} is served on this host by provider {name} of an earlier "
                "run; name that provider too, or remove it with purge: true"
            )


def by_provider(domains: t.Iterable[str], providers: t.Mapping[str, str]) -> dict[str, list[str]]:
    """Those of the domains that have a provider, by it."""
    found: dict[str, list[str]] = {}
    for domain in sorted(domains):
        if domain in providers:
            found.setdefault(providers[domain], []).append(domain)
    return found


def _unnamed(desired: t.Sequence[Desired], dropped: t.Collection[str], current: Current) -> list[tuple[str, Holding]]:
    """What earlier runs made for providers that this one does not name."""
    named = {item.provider for item in desired} | set(dropped)
    return [(name, holding) for name, holding in sorted(current.manifest.items()) if name not in named]


def _shared_files(desired: t.Sequence[Desired], dropped: t.Collection[str], current: Current) -> t.Iterator[str]:
    """Zone files with records of a provider that this run does not know, and would lose."""
    wanted = {path for item in desired for path in item.files}
    for name, holding in _unnamed(desired, dropped, current):
        for path in filter(is_zone_file, sorted(wanted.intersection(holding.files))):
            yield (
                f"{path}: holds what an earlier run made for provider {name}; name that provider too, or give this run a file of "
                "its own (in dns_zone_file, {domain} stands for the domain)"
            )


def _foreign_links(desired: t.Sequence[Desired], current: Current) -> t.Iterator[str]:
    for item in desired:
        for kind, names in sorted(item.enabled.items()):
            for name in sorted(set(names) & set(current.foreign_links.get(kind, ()))):
                yield f"{kind}-enabled/{name}.conf is there and is not a link to our file: move it away"


def _foreign_file(path: str, state: FileState) -> str:
    if state.kind == "other":
        return f"{path}: is not a regular file, and one of ours belongs there: move it away"
    return (
        f"{path}: is there and was not made by this collection; move it away, or set adopt: true to replace it and keep "
        "a copy beside it"
    )


def _removals(desired: t.Sequence[Desired], dropped: t.Collection[str], current: Current, warnings: list[str]) -> list[str]:
    """Files of ours that nobody wants any more; what somebody changed is kept and named."""
    wanted = {path for item in desired for path in item.files}
    remaining = {path for _name, holding in _unnamed(desired, dropped, current) for path in holding.files}
    touched = {item.provider for item in desired} | set(dropped)
    goes = {path: digests for name in touched & set(current.manifest) for path, digests in current.manifest[name].files.items()}
    remove = []
    for path, digests in sorted(goes.items()):
        state = current.files.get(path, ABSENT)
        if path in wanted or state.kind == "absent":
            continue
        if path in remaining:
            warnings.append(f"{path} holds the records of other providers too and is kept; their next run writes it anew")
        elif state.content is not None and digest(state.content) in digests:
            remove.append(path)
            if is_zone_file(path):
                warnings.append(f"{path} is removed: a zone that includes it does not load any more, remove its $INCLUDE")
        else:
            warnings.append(f"{path} was changed by somebody since the last run; it is kept, remove it by hand")
    return remove


def _switches(
    desired: t.Sequence[Desired], dropped: t.Collection[str], modules: t.Iterable[str], current: Current
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """What to enable and disable, by kind."""
    touched = {item.provider for item in desired} | set(dropped)
    enable = {"mods": tuple(sorted(set(modules) - set(current.enabled.get("mods", ()))))}
    disable = {}
    for kind in ("conf", "sites"):
        wanted = {name for item in desired for name in item.enabled.get(kind, ())}
        had = {name for key in touched & set(current.manifest) for name in current.manifest[key].enabled.get(kind, ())}
        is_on = set(current.enabled.get(kind, ()))
        enable[kind] = tuple(sorted(wanted - is_on))
        disable[kind] = tuple(sorted((had - wanted) & is_on))
    return enable, disable


def diffs(plan: Plan, current: Current) -> list[dict[str, str]]:
    """The plan as Ansible shows differences: a file each, and one for what is enabled; capped."""
    entries = []
    for path in sorted((*plan.write, *plan.remove)):
        before = current.files.get(path, ABSENT).content or b""
        entries.append(
            {
                "before_header": path,
                "after_header": path,
                "before": before.decode("utf-8", "replace"),
                "after": plan.write.get(path, b"").decode("utf-8", "replace"),
            }
        )
    left_out = len(entries) - MAX_DIFFS
    entries = entries[:MAX_DIFFS]
    if left_out > 0:
        entries.append({"prepared": f"({left_out} more files are not shown)\n"})
    for kind in ("mods", "conf", "sites"):
        on, off = plan.enable.get(kind, ()), plan.disable.get(kind, ())
        if on or off:
            header = f"{kind} enabled"
            entries.append(
                {
                    "before_header": header,
                    "after_header": header,
                    "before": "".join(f"{name}\n" for name in off),
                    "after": "".join(f"{name}\n" for name in on),
                }
            )
    return entries


def manifest_bytes(manifest: Manifest) -> bytes:
    """The manifest as it lies on the host: JSON, sorted."""
    data = {
        "version": 1,
        "providers": {
            name: {
                "domains": list(holding.domains),
                "enabled": {kind: list(names) for kind, names in holding.enabled.items()},
                "files": {path: list(digests) for path, digests in holding.files.items()},
            }
            for name, holding in manifest.items()
        },
    }
    return (json.dumps(data, indent=1, sort_keys=True) + "\n").encode()


def read_manifest(content: bytes) -> Manifest:
    """The manifest from its bytes. Raises ValueError if it is not one."""
    data = json.loads(content.decode())
    if not isinstance(data, dict) or data.get("version") != 1:
        raise ValueError("not a manifest of version 1")
    return {
        name: Holding(
            tuple(entry["domains"]),
            {path: tuple(digests) for path, digests in entry["files"].items()},
            {kind: tuple(names) for kind, names in entry["enabled"].items()},
        )
        for name, entry in data["providers"].items()
    }


def in_between(plan: Plan, current: Current) -> Manifest:
    """The manifest while files are being replaced: old and new digests count as ours, so that a cut-off run is mended."""
    before = _digests(current.manifest)
    merged = dict(current.manifest)
    for name, holding in plan.manifest.items():
        files = {path: tuple(dict.fromkeys((*before.get(path, ()), *digests))) for path, digests in holding.files.items()}
        old = current.manifest.get(name, Holding())
        merged[name] = Holding(
            tuple(dict.fromkeys((*holding.domains, *old.domains))),
            {**old.files, **files},
            {
                kind: tuple(dict.fromkeys((*old.enabled.get(kind, ()), *holding.enabled.get(kind, ()))))
                for kind in sorted({*old.enabled, *holding.enabled})
            },
        )
    return merged
