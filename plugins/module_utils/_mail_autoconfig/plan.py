"""What has to change: the desired state held against what is there. Pure, so that check mode and diff cannot lie.

PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .certificates import Certificate
from .dns import remembered
from .dns.remembered import Gone, Groups
from .files import File, Kind, digest
from .findings import Findings, some, total
from .manifest import Holding, Manifest, Owned, holding_of, pairs_of

DIRECTORY_MODE = 0o755
BACKUP_SUFFIX = ".before-mail_autoconfig"
# The holder of what all providers share: no host name, so that no provider can have it.
SHARED = "(all)"
# The holder of the pair that signs for all of them.
SIGNING = "(signing)"
# A diff is for people; beyond this they read the files.
MAX_DIFFS = 50
_READ_AT_START = (Kind.CONFIGURATION, Kind.SCRIPT, Kind.CERTIFICATE)
_NOTHING_GONE = Gone()
_NOT_SHOWN = "(what is in it is not shown)\n"


@dataclasses.dataclass(frozen=True)
class FileState:
    """What is at a path: ``content`` is None unless it is a regular file; ``kind`` is absent, file or other."""

    kind: str = "absent"
    content: bytes | None = None
    mode: int = 0
    uid: int = 0
    # The group matters to few files, and is no sign that somebody changed one.
    gid: int = dataclasses.field(default=0, compare=False)


ABSENT = FileState()


@dataclasses.dataclass(frozen=True)
class Desired:
    """What one provider shall have; names in ``enabled`` by kind of link, the last three as in Holding."""

    provider: str
    domains: tuple[str, ...]
    files: tuple[File, ...]
    enabled: t.Mapping[str, tuple[str, ...]]
    of: str = ""
    certificates: tuple[Certificate, ...] = ()
    records: Groups = ()

    def holding(self) -> Holding:
        """The manifest's entry for it."""
        holding = holding_of(self.domains, self.files, self.enabled)
        return dataclasses.replace(holding, of=self.of, certificates=self.certificates, records=self.records)


@dataclasses.dataclass(frozen=True)
class Current:
    """What is on the host, as far as it matters.

    :ivar files: by path, for every path that is desired or in the manifest
    :ivar enabled: names by kind of link
    :ivar foreign_links: names by kind that are enabled but do not lead to the file of that name
    :ivar ours_by_header: paths of files that have our header, whatever the manifest says
    :ivar directories: mode and owner of those that hold documents, below the document root and made by us above it
    :ivar leftovers: temporary files of a run that was cut off
    :ivar user: who owns what we write
    :ivar room: by directory that files go to, its file system and how many bytes are free there
    """

    files: t.Mapping[str, FileState]
    enabled: t.Mapping[str, t.Collection[str]]
    manifest: Manifest
    reload_pending: bool = False
    foreign_links: t.Mapping[str, t.Collection[str]] = dataclasses.field(default_factory=dict)
    ours_by_header: t.Collection[str] = ()
    directories: t.Mapping[str, tuple[int, int]] = dataclasses.field(default_factory=dict)
    leftovers: tuple[str, ...] = ()
    user: int = 0
    room: t.Mapping[str, tuple[int, int]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Plan:
    """The changes, each sorted; empty if the host is as desired.

    :ivar write: files by path, zone files that go among them: they are emptied, because a zone may include them
    :ivar remove: what goes when nobody reads it any more
    :ivar adopt: those of ``write`` of which a copy is kept
    :ivar repair: directories that get our mode and owner back
    :ivar obsolete_records: DNS records that belonged to what is here once, also where nothing is left that could remember them
    """

    write: t.Mapping[str, File]
    remove: tuple[str, ...]
    adopt: tuple[str, ...]
    repair: tuple[str, ...]
    enable: t.Mapping[str, tuple[str, ...]]
    disable: t.Mapping[str, tuple[str, ...]]
    before: Manifest
    manifest: Manifest
    leftovers: tuple[str, ...]
    reload_pending: bool
    findings: Findings
    obsolete_records: Groups = ()

    @property
    def is_read_at_start(self) -> bool:
        """Whether Apache has to read something again."""
        files = (*(file.kind for file in self.write.values()), *(self.kind_of(path) for path in self.remove))
        return self.switches or any(kind in _READ_AT_START for kind in files)

    @property
    def switches(self) -> bool:
        """Whether anything is to be enabled or disabled."""
        return any(self.enable.values()) or any(self.disable.values())

    def kind_of(self, path: str) -> Kind:
        """The kind of a file that goes."""
        return self.before.files[path].kind

    @property
    def changes(self) -> bool:
        """Whether anything on the host is to be written, removed, enabled or disabled."""
        touched = bool(self.write or self.remove or self.repair or self.leftovers)
        return touched or self.switches or self.manifest != self.before

    @property
    def needs_reload(self) -> bool:
        """Whether Apache has to read its configuration again, for this run or one that was cut off."""
        return self.reload_pending or self.is_read_at_start

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to do."""
        return self.changes or self.needs_reload


def make(
    desired: t.Sequence[Desired],
    dropped: t.Collection[str],
    modules: t.Sequence[str],
    current: Current,
    instance: str = "",
    adopt: bool = False,
    empty_zone: bytes = b"",
    displaced: t.Collection[str] = (),
    *,
    removable: t.Collection[str] | None = (),
    gone: Gone = _NOTHING_GONE,
) -> Plan:
    """Plan the way from ``current`` to ``desired``.

    :arg dropped: ids of providers whose files and sites shall go
    :arg modules: Apache modules that must be enabled, with what they need, those first; none is ever disabled
    :arg instance: Apache's configuration directory
    :arg adopt: take over files in our places that are not ours, after a copy
    :arg empty_zone: what a zone file without records holds
    :arg displaced: names of sites of somebody else in whose place ours come under another name
    :arg removable: mail domains that providers which stay may lose; None for any
    :arg gone: obsolete records that are not in DNS any more
    """
    wanted = {file.path: file for item in desired for file in item.files}
    providers = {name: holding for name, holding in current.manifest.providers.items() if name not in dropped}
    providers.update({item.provider: item.holding() for item in desired})
    write, adopted, writing = _writes(wanted, current, adopt, empty_zone)
    new, obsolete = _obsolete_records(providers, current.manifest, gone)
    emptied, remove, removing = _removals(desired, dropped, current, empty_zone)
    enable, disable = _switches(desired, dropped, modules, current, displaced)
    findings = total(
        [
            Findings(tuple(_claims(desired, dropped, current))),
            Findings(tuple(_shared_files(desired, dropped, current))),
            Findings(tuple(_foreign_links(desired, current))),
            _leaving(desired, current, removable),
            _superfluous(new if desired else ()),
            writing,
            removing,
        ]
    )
    retired = {path: owned for path, owned in current.manifest.retired.items() if path not in wanted}
    return Plan(
        write={**write, **emptied},
        remove=tuple(remove),
        adopt=adopted,
        repair=tuple(sorted(path for path, found in current.directories.items() if found != (DIRECTORY_MODE, current.user))),
        enable=enable,
        disable=disable,
        before=current.manifest,
        # Without anything of ours there is no manifest, and nothing to bind to an instance.
        manifest=_manifest(instance if providers or retired else "", providers, retired, current.manifest, obsolete),
        leftovers=current.leftovers,
        reload_pending=current.reload_pending,
        findings=findings,
        obsolete_records=obsolete,
    )


def _manifest(
    instance: str, providers: t.Mapping[str, Holding], retired: t.Mapping[str, Owned], before: Manifest, records: Groups
) -> Manifest:
    """The manifest behind the change.

    :arg records: those that are obsolete
    """
    used = pairs_of(providers.values())
    obsolete = tuple(sorted({*before.obsolete, *before.certificates} - used)) if instance else ()
    return Manifest(instance, providers, before.directories, retired, obsolete, records if instance else ())


def _obsolete_records(providers: t.Mapping[str, Holding], before: Manifest, gone: Gone) -> tuple[Groups, Groups]:
    """The records that become obsolete by the change, and all that are behind it."""
    had, wanted = (
        [group for _name, holding in sorted(holdings.items()) for group in holding.records]
        for holdings in (before.providers, providers)
    )
    new = remembered.left_over(had, wanted)
    known = before.obsolete_records
    behind = known if had == wanted else remembered.obsolete(known, new, wanted)
    return new, remembered.without(behind, gone) if gone != _NOTHING_GONE else behind


def _superfluous(new: Groups) -> Findings:
    """What somebody has to take out of DNS; said once."""
    if not new:
        return Findings()
    domains = sorted({domain for group in new for domain in group.domains})
    return Findings(
        warnings=(
            f"{some(domains)}: DNS records of before are not wanted any more; dns_records_obsolete returns them until "
            "dns_records_gone says that they are gone, and mail_autoconfig_dns takes them away (its option obsolete)",
        )
    )


def _writes(
    wanted: t.Mapping[str, File], current: Current, adopt: bool, empty_zone: bytes
) -> tuple[dict[str, File], tuple[str, ...], Findings]:
    """What is to be written, of which a copy is to be kept, and what is wrong with it."""
    ours = current.manifest.files
    write: dict[str, File] = {}
    adopted: list[str] = []
    findings: list[Findings] = []
    for path, file in sorted(wanted.items()):
        state = current.files.get(path, ABSENT)
        if path in ours and _is_as_wanted(state, file, current.user):
            continue
        known = (
            path in ours or (adopt and path in current.ours_by_header) or (file.kind is Kind.ZONE and state.content == empty_zone)
        )
        foreign = state.kind == "other" or (state.kind == "file" and not known)
        if foreign and (state.kind == "other" or not adopt):
            findings.append(Findings((_foreign_file(path, state),)))
            continue
        if foreign and state.content != file.content:
            adopted.append(path)
        elif path in ours and _is_changed(state, ours[path]):
            findings.append(Findings(warnings=(f"{path} was changed by somebody since the last run; it is put back",)))
        write[path] = file
    return write, tuple(adopted), total(findings)


def _is_as_wanted(state: FileState, file: File, user: int) -> bool:
    is_group = file.gid in (-1, state.gid)
    return is_group and (state.content, state.mode, state.uid) == (file.content, file.kind.mode, user)


def _is_changed(state: FileState, owned: Owned) -> bool:
    if owned.kind is Kind.SIGNING:
        return False  # a renewal replaces it without a run
    return state.content is not None and digest(state.content) not in owned.digests


def by_provider(domains: t.Iterable[str], providers: t.Mapping[str, str]) -> dict[str, list[str]]:
    """Those of the domains that have a provider, by it."""
    found: dict[str, list[str]] = {}
    for domain in sorted(domains):
        if domain in providers:
            found.setdefault(providers[domain], []).append(domain)
    return found


def _claims(desired: t.Sequence[Desired], dropped: t.Collection[str], current: Current) -> t.Iterator[str]:
    """Domains that a provider of an earlier run, unknown to this one, has on this host."""
    wanted = {domain: item.provider for item in desired for domain in item.domains}
    for name, holding in _unnamed(desired, dropped, current):
        for provider, domains in sorted(by_provider(holding.domains, wanted).items()):
            yield (
                f"provider {provider}: {', '.join(domains)} is served on this host by provider {name} of an earlier "
                "run; name that provider too, or remove it with purge: true"
            )


def _unnamed(desired: t.Sequence[Desired], dropped: t.Collection[str], current: Current) -> list[tuple[str, Holding]]:
    """What earlier runs made for providers that this one does not name."""
    named = {item.provider for item in desired} | set(dropped)
    return [(name, holding) for name, holding in sorted(current.manifest.providers.items()) if name not in named]


def _shared_files(desired: t.Sequence[Desired], dropped: t.Collection[str], current: Current) -> t.Iterator[str]:
    """Zone files with records of a provider that this run does not know, and would lose."""
    wanted = {file.path for item in desired for file in item.files if file.kind is Kind.ZONE}
    for name, holding in _unnamed(desired, dropped, current):
        for path in sorted(wanted.intersection(holding.files)):
            yield (
                f"{path}: holds what an earlier run made for provider {name}; name that provider too, or give this run a file of "
                "its own (in dns_zone_file, {domain} stands for the domain)"
            )


def _foreign_links(desired: t.Sequence[Desired], current: Current) -> t.Iterator[str]:
    for item in desired:
        for kind, names in sorted(item.enabled.items()):
            for name in sorted(set(names) & set(current.foreign_links.get(kind, ()))):
                yield f"{kind}-enabled/{name}.conf is there and is not a link to our file: move it away"


def _leaving(desired: t.Sequence[Desired], current: Current, removable: t.Collection[str] | None) -> Findings:
    """Domains that a provider had and has no more: a problem unless somebody said so, because a list may have been cut short."""
    kept = {domain for item in desired for domain in item.domains}
    problems, warnings = [], []
    for item in desired:
        holding = current.manifest.providers.get(item.provider, Holding())
        gone = sorted(set(holding.domains) - kept)
        unsaid = [] if removable is None else [domain for domain in gone if domain not in removable]
        if unsaid:
            problems.append(
                f"provider {item.provider}: {some(unsaid)} is served on this host and is not among its domains any more: put it "
                "back there, or say that it goes: name it in removed_domains, or set allow_removal: true for all "
                "(mail_autoconfig_removed_domains and mail_autoconfig_allow_removal of the role)"
            )
        elif gone:
            warnings.append(f"provider {item.provider}: {some(gone)} is not among its domains any more and is served no longer")
    return Findings(tuple(problems), tuple(warnings))


def _foreign_file(path: str, state: FileState) -> str:
    if state.kind == "other":
        return f"{path}: is not a regular file, and one of ours belongs there: move it away"
    return (
        f"{path}: is there and was not made by this collection for this Apache; move it away, or set adopt: true to replace it "
        "and keep a copy beside it"
    )


def _removals(
    desired: t.Sequence[Desired], dropped: t.Collection[str], current: Current, empty_zone: bytes
) -> tuple[dict[str, File], list[str], Findings]:
    """Files of ours that nobody wants any more: zone files to empty, others to remove; what somebody changed is kept."""
    wanted = {file.path for item in desired for file in item.files}
    remaining = {path for _name, holding in _unnamed(desired, dropped, current) for path in holding.files}
    touched = {item.provider for item in desired} | set(dropped)
    providers = current.manifest.providers
    goes = {path: owned for name in touched & set(providers) for path, owned in providers[name].files.items()}
    emptied: dict[str, File] = {}
    remove: list[str] = []
    warnings: list[str] = []
    for path, owned in sorted(goes.items()):
        state = current.files.get(path, ABSENT)
        if path in wanted or state.kind == "absent":
            continue
        if path in remaining:
            warnings.append(f"{path} holds the records of other providers too and is kept; their next run writes it anew")
        elif state.kind == "other" or _is_changed(state, owned):
            warnings.append(f"{path} was changed by somebody since the last run; it is kept, remove it by hand")
        elif owned.kind is Kind.ZONE:
            if state.content != empty_zone:
                emptied[path] = File(path, empty_zone, Kind.ZONE)
            warnings.append(
                f"{path} has no records any more; it is left empty for a zone that includes it: remove its $INCLUDE, then it"
            )
        else:
            remove.append(path)
    return emptied, remove, Findings(warnings=tuple(warnings))


def _switches(
    desired: t.Sequence[Desired],
    dropped: t.Collection[str],
    modules: t.Sequence[str],
    current: Current,
    displaced: t.Collection[str],
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """What to enable and disable, by kind."""
    touched = {item.provider for item in desired} | set(dropped)
    providers = current.manifest.providers
    enable = {"mods": tuple(name for name in modules if name not in current.enabled.get("mods", ()))}
    disable = {}
    for kind in ("conf", "sites"):
        wanted = {name for item in desired for name in item.enabled.get(kind, ())}
        had = {name for key in touched & set(providers) for name in providers[key].enabled.get(kind, ())}
        had.update(displaced if kind == "sites" else ())
        is_on = set(current.enabled.get(kind, ()))
        enable[kind] = tuple(sorted(wanted - is_on))
        disable[kind] = tuple(sorted((had - wanted) & is_on - set(current.foreign_links.get(kind, ()))))
    return enable, disable


def diffs(plan: Plan, current: Current) -> list[dict[str, str]]:
    """The plan as Ansible shows differences: a file each, and one for what is enabled; capped."""
    entries = []
    for path in sorted((*plan.write, *plan.remove)):
        before = current.files.get(path, ABSENT).content or b""
        after = plan.write[path].content if path in plan.write else b""
        if (plan.write[path].kind if path in plan.write else plan.kind_of(path)).is_secret:
            entries.append(_diff(path, _NOT_SHOWN if before else "", _NOT_SHOWN if after else ""))
        else:
            entries.append(_diff(path, before.decode("utf-8", "replace"), after.decode("utf-8", "replace")))
    left_out = len(entries) - MAX_DIFFS
    entries = entries[:MAX_DIFFS]
    if left_out > 0:
        entries.append({"prepared": f"({left_out} more files are not shown)\n"})
    for path in plan.repair:
        mode, user = current.directories[path]
        entries.append(_diff(path, f"mode {mode:04o}, user {user}\n", f"mode {DIRECTORY_MODE:04o}, user {current.user}\n"))
    for kind in ("mods", "conf", "sites"):
        on, off = plan.enable.get(kind, ()), plan.disable.get(kind, ())
        if on or off:
            entries.append(_diff(f"{kind} enabled", "".join(f"{name}\n" for name in off), "".join(f"{name}\n" for name in on)))
    return entries


def _diff(header: str, before: str, after: str) -> dict[str, str]:
    return {"before_header": header, "after_header": header, "before": before, "after": after}
