"""Everything that a run needs to know of the host, read once."""

from __future__ import annotations

import os
import shutil
import socket
import typing as t
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig import manifest as manifests
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache import signing
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.certificates import (
    Certificate,
    Content,
    Origin,
    PairFacts,
    Search,
)
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import server as servers
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import sockets
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import survey as surveys
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.commands import Result
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.platform import Variables
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.survey import Survey
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.transaction import ApplyError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.reading import InputError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.manifest import Manifest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.plan import ABSENT, Current

from tools.certificates import Authority

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.unit.fake_apache import FakeApache

NAMES = ("autoconfig.server.tld", "autodiscover.server.tld")


def current(apache: FakeApache, *paths: str) -> Current:
    surveyor = apache.surveyor()
    survey = surveyor.survey()
    return surveyor.current(paths, survey.manifest, (), "Managed by Ansible")


def survey(apache: FakeApache, **options: t.Any) -> Survey:
    return apache.surveyor().survey(**options)


# -- Apache -------------------------------------------------------------------------------------------------------------


def test_apache_is_there_if_its_main_file_is(apache: FakeApache) -> None:
    assert survey(apache).installed
    Path(apache.layout.main_file).unlink()
    found = survey(apache, modules=["lua"])
    assert not found.installed
    assert found.available == {"lua"}


def test_without_apache_nothing_is_done_unless_it_is_on_its_way(apache: FakeApache) -> None:
    shutil.rmtree(apache.layout.config_directory)
    with pytest.raises(InputError, match=r"config_directory: .*there is no Apache here in Debian's layout"):
        apache.publish()
    with pytest.raises(InputError, match="there is no Apache here"):
        apache.check()
    ran = apache.publish({"check": True, "apache_is_coming": True})
    assert ran.result["changed"] is True
    assert ran.result["rehearsal"] == "Apache is not installed yet"
    assert "Apache is not installed yet; this shows what a fresh one would get." in ran.warnings
    with pytest.raises(InputError, match="there is no Apache here"):
        apache.publish({"apache_is_coming": True})


def test_without_any_apache_directory_nothing_is_enabled(apache: FakeApache) -> None:
    shutil.rmtree(apache.layout.config_directory)
    found = current(apache, "/nowhere")
    assert not any(found.enabled.values())
    assert found.files["/nowhere"] == ABSENT


def test_the_configuration_of_others_is_told_without_ours(apache: FakeApache) -> None:
    apache.add_site("000-default", "<VirtualHost *:80>\nServerName default.tld\nServerAlias a.tld *.b.tld\n</VirtualHost>\n")
    apache.publish(well_known=True)
    found = survey(apache)
    (host,) = found.ground.dump.virtual_hosts
    assert (host.file, host.names, host.patterns) == (
        f"{apache.layout.enabled('sites')}/000-default.conf",
        ("default.tld", "a.tld"),
        ("*.b.tld",),
    )
    assert host.default
    assert found.ground.sites_line == 5
    assert found.ground.real[host.file] == f"{apache.layout.available('sites')}/000-default.conf"
    assert {"lua", "authz_core", "core"} <= found.loaded
    assert {"lua", "ssl"} <= found.available
    assert found.running


def test_sites_that_are_included_from_elsewhere_are_seen(apache: FakeApache) -> None:
    (apache.root / "elsewhere.conf").write_text("<VirtualHost *:80>\nServerName autoconfig.server.tld\n</VirtualHost>\n")
    with Path(apache.layout.main_file).open("a") as stream:
        stream.write(f"IncludeOptional {apache.root}/elsewhere.conf\n")
    with pytest.raises(InputError, match=r"elsewhere\.conf:1 answers for autoconfig\.server\.tld already"):
        apache.publish()


def test_a_configuration_that_is_broken_says_how(apache: FakeApache) -> None:
    apache.add_site("theirs", "# fine\n")
    apache.available("sites", "theirs.conf").write_text("Nonsense\n")
    assert "Syntax error on line 1" in survey(apache).broken
    apache.available("sites", "theirs.conf").write_text("# fine\n")
    assert survey(apache).broken == ""


@pytest.mark.parametrize("content", ["Nonsense\n", "<IfDefine x>\n", ""])
def test_a_fault_in_a_file_of_ours_is_looked_through(apache: FakeApache, content: str) -> None:
    apache.add_site("theirs", "<VirtualHost *:80>\nServerName their.tld\n</VirtualHost>\n")
    apache.publish(well_known=True)
    for path in (*apache.available("sites", "").glob("*auto*.conf"), *apache.available("conf", "").glob("*.conf")):
        path.write_text(content)
    before = apache.footprint()
    found = survey(apache)
    assert found.broken == ""
    (host,) = found.ground.dump.virtual_hosts
    assert host.file == f"{apache.layout.enabled('sites')}/theirs.conf"
    assert apache.footprint() == before


def test_a_fault_in_a_file_of_ours_does_not_hide_one_of_theirs(apache: FakeApache) -> None:
    apache.add_site("theirs", "# fine\n")
    apache.publish()
    for name in ("theirs", "autoconfig.server.tld"):
        apache.available("sites", f"{name}.conf").write_text("Nonsense\n")
    broken = survey(apache).broken
    assert f"{apache.layout.enabled('sites')}/theirs.conf" in broken


def test_modules_say_what_they_need_and_so_on(apache: FakeApache) -> None:
    apache.available("mods", "lua.load").write_text("# Depends: ssl\n# Conflicts: env\nLoadModule lua_module x.so\n")
    found = survey(apache, modules=["lua"]).requirements
    assert found["lua"] == (("ssl",), ("env",))
    assert found["ssl"] == (("mime", "setenvif", "socache_shmcb"), ())
    assert {"mime", "setenvif", "socache_shmcb"} <= set(found)


def test_what_needs_a_module_that_another_excludes_is_refused(apache: FakeApache) -> None:
    apache.available("mods", "lua.load").write_text("# Conflicts: mime\nLoadModule lua_module x.so\n")
    with pytest.raises(InputError, match="Apache's module lua is needed and cannot stand beside mime, which is enabled"):
        apache.publish()


def test_a_port_that_a_module_would_take_from_another_program_is_refused(
    apache: FakeApache, monkeypatch: pytest.MonkeyPatch
) -> None:
    apache.add_certificate("server.tld", *NAMES)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        apache.available("conf", "ports.conf").write_text(f"<IfModule ssl_module>\nListen {port}\n</IfModule>\n")
        apache.enable("conf", "ports")
        before = apache.footprint()
        with pytest.raises(InputError, match=rf"with the module ssl Apache would listen on port {port}, which .* has") as error:
            apache.publish()
        assert f"(process {os.getpid()})" in str(error.value)
        assert apache.footprint() == before
        assert apache.prepare(https=False).plan.write
        monkeypatch.setattr(sockets, "holder", lambda port: (1, "apache2"))
        assert survey(apache, modules=["ssl"]).taken == {}


def test_logs_that_apache_could_not_open_are_refused(apache: FakeApache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveys, "_free_descriptors", lambda server: 33)
    with pytest.raises(InputError, match="Apache may open 33 more files, and the logs of these sites need 2: raise its limit"):
        apache.publish()
    monkeypatch.setattr(surveys, "_free_descriptors", lambda server: 34)
    apache.publish()
    monkeypatch.setattr(surveys, "_free_descriptors", lambda server: 32)
    with pytest.raises(InputError, match="Apache may open 32 more files, and the logs of these sites need 1: raise its limit"):
        apache.publish(domain="other.tld")
    # What writes into the same logs needs no more of them, and what goes needs none.
    monkeypatch.setattr(surveys, "_free_descriptors", lambda server: -1)
    assert apache.prepare(log_queries=True).plan.needs_reload
    with pytest.raises(InputError, match="Apache may open 0 more files"):
        apache.publish(domain="other.tld")
    assert apache.remove().changed


def test_how_many_files_a_running_apache_may_open_is_what_is_left(apache: FakeApache) -> None:
    server = apache.surveyor().server()
    assert surveys._free_descriptors(server) == surveys._PLENTY
    apache.master = servers.Process(os.getpid(), 1)
    limit = int(next(line for line in Path("/proc/self/limits").read_text().splitlines() if "open files" in line).split()[3])
    assert limit - 200 < surveys._free_descriptors(server) < limit


@pytest.mark.parametrize("program", ["apache2ctl", "openssl", "sh"])
def test_a_program_that_is_missing_is_named(apache: FakeApache, program: str) -> None:
    apache.add_certificate("server.tld", *NAMES)

    def absent(_number: int, command: Sequence[str]) -> Result | None:
        if command[0] == program:
            raise FileNotFoundError(2, "No such file or directory", program)
        return None

    apache.before = absent
    before = apache.footprint()
    with pytest.raises(ApplyError, match=f"{program} cannot be run"):
        apache.publish()
    assert apache.footprint() == before


# -- the way to the documents -------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user than the one that runs it")
@pytest.mark.parametrize(
    ("mode", "owner", "problem"),
    [
        (0o750, (0, 0), "may not enter {path} (mode 0750, user 0, group 0)"),
        (0o644, (0, 0), "may not enter {path} (mode 0644, user 0, group 0)"),
        (0o755, (0, 0), ""),
        (0o711, (0, 0), ""),
        (0o750, (0, "group"), ""),
        (0o700, ("user", 0), ""),
        (0o077, ("user", 0), "may not enter {path}"),
    ],
)
def test_directories_that_the_web_server_may_not_enter_are_named(
    apache: FakeApache, mode: int, owner: tuple[object, object], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwd = pytest.importorskip("pwd")
    nobody = pwd.getpwnam("nobody")
    monkeypatch.setattr(surveys.Surveyor, "_variables", lambda self: Variables("nobody", "nogroup", "/var/log", "/run/x"))
    directory = Path("/var/tmp") / f"mail_autoconfig-{os.getpid()}"  # noqa: S108 (pytest's own directories are root's alone)
    (directory / "deeper").mkdir(parents=True)
    try:
        os.chown(directory, *({"user": nobody.pw_uid, "group": nobody.pw_gid}.get(str(item), item) for item in owner))
        directory.chmod(mode)
        found = survey(apache, document_root=f"{directory}/deeper/not/yet").unreachable
    finally:
        shutil.rmtree(directory)
    assert found.startswith(f"nobody {problem.format(path=directory)}") if problem else found == ""


def test_a_document_root_out_of_reach_is_refused(apache: FakeApache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveys.Surveyor, "_unreachable", lambda self, root, ours: f"www-data may not enter {root}")
    with pytest.raises(InputError, match=r"document_root: www-data may not enter .* would be answered 403"):
        apache.publish()


def test_a_full_file_system_is_told_before(apache: FakeApache, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs

    def full(path: str) -> object:
        status = list(real(path))
        status[4] = 2
        return os.statvfs_result(status)

    monkeypatch.setattr(os, "statvfs", full)
    with pytest.raises(InputError, match="its file system has 0 MiB left, which is not enough"):
        apache.publish()


# -- certificates -------------------------------------------------------------------------------------------------------


def test_each_pair_is_looked_at_once(apache: FakeApache) -> None:
    live = apache.add_certificate("server.tld", *NAMES)
    pair, absent = Certificate(f"{live}/fullchain.pem", f"{live}/privkey.pem"), Certificate("/nowhere/c", "/nowhere/k")
    found = survey(apache, search=Search(pairs=(pair, absent, pair))).pairs
    assert found[pair].names == NAMES
    assert found[absent] == PairFacts(("/nowhere/c", "/nowhere/k"))
    assert [command[0] for command in apache.commands].count("openssl") == 1


def found(apache: FakeApache, *hosts: str, **search: t.Any) -> dict[str, Origin]:
    """What is found for the hosts: paths below the root, and where each was found."""
    pairs = survey(apache, search=Search(hosts=frozenset(hosts), **search)).pairs
    return {pair.file[len(str(apache.root)) :]: facts.origin for pair, facts in pairs.items()}


def store(apache: FakeApache, path: str, key: str, *names: str) -> None:
    """A pair somewhere below the root."""
    for name in (path, key):
        (apache.root / name).parent.mkdir(parents=True, exist_ok=True)
        (apache.root / name).write_text("PEM\n")
    apache.certificates[str(apache.root / path)] = list(names)


def test_every_store_is_searched_for_certificates_that_name_a_host(apache: FakeApache) -> None:
    live, md = "etc/letsencrypt/live", "etc/apache2/md/domains/server.tld"
    store(apache, f"{live}/autoconfig.server.tld-0001/fullchain.pem", f"{live}/autoconfig.server.tld-0001/privkey.pem", *NAMES)
    store(apache, f"{live}/shop.tld/fullchain.pem", f"{live}/shop.tld/privkey.pem", "shop.tld", "*.shop.tld")
    store(apache, f"{live}/wild/fullchain.pem", f"{live}/wild/privkey.pem", "*.server.tld")
    store(apache, f"{live}/no-key/fullchain.pem", f"{live}/no-key/other.pem", *NAMES)
    store(apache, f"{md}/pubcert.pem", f"{md}/privkey.pem", *NAMES)
    store(apache, f"{md}/pubcert.secp384r1.pem", f"{md}/privkey.secp384r1.pem", *NAMES)
    store(apache, "var/lib/dehydrated/certs/x/fullchain.pem", "var/lib/dehydrated/certs/x/privkey.pem", NAMES[1])
    assert found(apache, *NAMES, everywhere=True) == {
        f"/{live}/autoconfig.server.tld-0001/fullchain.pem": Origin.CERTBOT,
        f"/{live}/wild/fullchain.pem": Origin.CERTBOT,
        "/var/lib/dehydrated/certs/x/fullchain.pem": Origin.DEHYDRATED,
        f"/{md}/pubcert.pem": Origin.MOD_MD,
        f"/{md}/pubcert.secp384r1.pem": Origin.MOD_MD,
    }
    assert found(apache, *NAMES) == {}
    assert found(apache, "autoconfig.other.tld", everywhere=True) == {}


def test_what_the_administrator_names_is_his_wherever_it_lies(apache: FakeApache) -> None:
    live = "etc/letsencrypt/live"
    for name in ("a", "b"):
        store(apache, f"{live}/{name}/fullchain.pem", f"{live}/{name}/privkey.pem", *NAMES)
    pattern = Certificate(f"{apache.root}/{live}/*/fullchain.pem", f"{apache.root}/{live}/*/privkey.pem")
    for everywhere in (True, False):
        assert set(found(apache, *NAMES, patterns=(pattern,), everywhere=everywhere).values()) == {Origin.GIVEN}
    one = Certificate(*(path.replace("*", "a") for path in (pattern.file, pattern.key)))
    assert found(apache, *NAMES, pairs=(one,), everywhere=True) == {
        f"/{live}/a/fullchain.pem": Origin.CERTBOT,
        f"/{live}/b/fullchain.pem": Origin.CERTBOT,
    }


def test_what_a_site_of_others_uses_is_found_with_its_key(apache: FakeApache) -> None:
    store(apache, "srv/shop.pem", "srv/shop.key", "shop.tld", *NAMES)
    for module in ("setenvif", "socache_shmcb", "ssl"):
        apache.enable("mods", module)
    pair = f"SSLCertificateFile {apache.root}/srv/shop.pem\nSSLCertificateKeyFile {apache.root}/srv/shop.key\n"
    apache.add_site("shop", f"<VirtualHost *:443>\nServerName shop.tld\nSSLEngine on\n{pair}</VirtualHost>\n")
    assert found(apache, *NAMES, everywhere=True) == {"/srv/shop.pem": Origin.NEIGHBOUR}
    assert found(apache, "autoconfig.other.tld", everywhere=True) == {}


def test_of_a_certificate_that_is_to_sign_the_content_is_read_and_which_keys_serve(apache: FakeApache, tmp_path: Path) -> None:
    live = "etc/letsencrypt/live/profiles.server.tld"
    store(apache, f"{live}/fullchain.pem", "archive/privkey.pem", "profiles.server.tld")
    (apache.root / live / "privkey.pem").symlink_to(apache.root / "archive/privkey.pem")
    Authority(tmp_path / "ca").issue(apache.root / "srv/shop", ["shop.tld"])
    for module in ("setenvif", "socache_shmcb", "ssl"):
        apache.enable("mods", module)
    pair = "".join(
        f"SSLCertificate{kind} {apache.root}/srv/shop/{file}\n"
        for kind, file in (("File", "fullchain.pem"), ("KeyFile", "privkey.pem"))
    )
    apache.add_site("shop", f"<VirtualHost *:443>\nServerName shop.tld\nSSLEngine on\n{pair}</VirtualHost>\n")
    search = Search(hosts=frozenset({"profiles.server.tld"}), everywhere=True, signing="profiles.server.tld")
    read = survey(apache, search=search)
    (found,) = read.signing_contents.items()
    assert (found[0].file, found[1]) == (f"{apache.root}/{live}/fullchain.pem", Content(b"PEM\n", b"PEM\n"))
    assert list(read.served.values()) == [f"{apache.root}/srv/shop/fullchain.pem"]
    without = survey(apache, search=Search(hosts=frozenset({"profiles.server.tld"}), everywhere=True))
    assert (without.signing_contents, without.served) == ({}, {})


def test_a_store_of_mod_md_that_is_elsewhere_is_found_by_its_directive(apache: FakeApache) -> None:
    store(apache, "srv/md/domains/x/pubcert.pem", "srv/md/domains/x/privkey.pem", *NAMES)
    Path(apache.layout.available("mods"), "md.load").write_text("LoadModule md_module x.so\n")
    (Path(apache.layout.config_directory) / "conf-available/md.conf").write_text(f'MDStoreDir "{apache.root}/srv/md"\n')
    apache.enable("conf", "md")
    assert found(apache, *NAMES, everywhere=True) == {}
    apache.enable("mods", "md")
    assert found(apache, *NAMES, everywhere=True) == {"/srv/md/domains/x/pubcert.pem": Origin.MOD_MD}


def test_what_our_sites_use_is_kept_although_no_other_place_names_it_any_more(apache: FakeApache) -> None:
    live = apache.add_certificate("server.tld", *NAMES)
    apache.publish()
    assert found(apache, *NAMES, everywhere=True) == {"/live/server.tld/fullchain.pem": Origin.USED}
    assert found(apache, *NAMES) == {}
    (live / "fullchain.pem").unlink()
    apache.certificates.clear()
    assert found(apache, *NAMES, everywhere=True) == {}


def test_certificates_that_our_sites_left_are_told_while_they_are_there(apache: FakeApache) -> None:
    live = apache.add_certificate("server.tld", *NAMES)
    apache.publish()
    pair = Certificate(f"{live}/fullchain.pem", f"{live}/privkey.pem")
    assert survey(apache).left == {pair: True}
    Path(pair.file).unlink()
    assert survey(apache).left == {}


def run_openssl(apache: FakeApache) -> None:
    """Let openssl be the real one."""
    from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import commands

    real = apache.run

    def run(command: Sequence[str], environment: Mapping[str, str]) -> Result:
        if command[0] in ("openssl", "/usr/bin/openssl", "runuser"):
            # As whoever runs the tests, because pytest's directories are theirs alone.
            return commands.run(list(command[4:]) if command[0] == "runuser" else command, environment)
        return real(command, environment)

    apache.run = run  # type: ignore[method-assign]


def test_a_signing_pair_is_tried(apache: FakeApache) -> None:
    Authority(apache.root / "ca").issue_for_signing(apache.root / "signing")
    base = apache.root / "signing"
    (base / "privkey.pem").chmod(0o640)
    run_openssl(apache)
    signer = signing.Signer(f"{base}/cert.pem", f"{base}/privkey.pem", f"{base}/chain.pem")
    found = survey(apache, signer=signer).signing
    assert found is not None
    assert found.certificate is not None
    assert (found.certificate.subject, found.certificates, found.key_mode, found.trial) == ("CN=Profile signing", 1, 0o640, "")
    assert found.public_key == found.certificate.public_key
    assert signing.problems(signer, found, found.certificate.begins + 1) == []


def test_a_signing_pair_that_does_not_fit_says_so(apache: FakeApache) -> None:
    authority = Authority(apache.root / "ca")
    for name in ("one", "two"):
        authority.issue_for_signing(apache.root / name)
    run_openssl(apache)
    signer = signing.Signer(f"{apache.root}/one/cert.pem", f"{apache.root}/two/privkey.pem")
    found = survey(apache, signer=signer).signing
    assert found is not None
    assert found.trial
    assert [line for line in signing.problems(signer, found, 0) if "does not belong to the certificate" in line]
    absent = signing.Signer(signer.certificate, "/nowhere/key")
    found = survey(apache, signer=absent).signing
    assert found is not None
    assert found.missing == ("/nowhere/key",)


# -- ours ---------------------------------------------------------------------------------------------------------------


DAMAGED = {
    "nothing": b"",
    "half of it": b"{",
    "no text": b"\xff\xff",
    "no version": b"{}",
    "no providers": b'{"version": 2}',
    "a list": b"[]",
    "a number": b"1",
    "providers are a list": b'{"version": 2, "providers": []}',
    "an entry is no mapping": b'{"version": 2, "providers": {"a": 1}}',
    "a kind that is none": b'{"version": 2, "providers": {"a": {"domains": [], "enabled": {}, "files": {"/a": {"kind": "x"}}}}}',
    "a path that is none": b'{"version": 1, "providers": {"a": {"domains": [], "enabled": {}, "files": {"a": []}}}}',
    "NUL in a path": b'{"version": 1, "providers": {"a": {"domains": [], "enabled": {}, "files": {"/a\\u0000": []}}}}',
    "very deep": b"[" * 200_000,
    "a newer one": b'{"version": 3, "providers": {}}',
    "a version that is none": b'{"version": "x", "providers": {}}',
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_damaged_manifest_stops_the_run_and_is_left_as_it_is(apache: FakeApache, content: bytes, state: str) -> None:
    apache.publish()
    (apache.state / "manifest.json").write_bytes(content)
    before = apache.footprint()
    message = r"manifest\.json: (it|a newer release) .*; restore it, or move it away and run with adopt: true"
    with pytest.raises(ApplyError, match=message):
        apache.publish({"state": state}, well_known=True)
    assert apache.footprint() == before


def make_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("make", [make_link, make_directory, make_pipe])
def test_a_manifest_that_is_no_file_stops_the_run(apache: FakeApache, make: Callable[[Path], None]) -> None:
    apache.publish()
    make(apache.state / "manifest.json")
    before = apache.footprint()
    with pytest.raises(ApplyError, match="is not a regular file: move it away, and run with adopt: true"):
        apache.publish(well_known=True)
    assert apache.footprint() == before


@pytest.mark.parametrize("how", ["lost", "damaged"])
def test_adoption_gets_everything_back_when_the_manifest_is_gone(apache: FakeApache, how: str) -> None:
    apache.add_certificate("server.tld", *NAMES)
    apache.add_site("000-default", "<VirtualHost *:80>\n</VirtualHost>\n")
    apache.publish(well_known=True)
    before = apache.tree()
    if how == "lost":
        (apache.state / "manifest.json").unlink()
    else:
        (apache.state / "manifest.json").write_text("{")
    apache.publish(well_known=True, adopt=True)
    after = apache.tree()
    ours = {name: state for name, state in after.items() if ".before-mail_autoconfig" not in name and "lib/" not in name}
    assert ours == {name: state for name, state in before.items() if "lib/" not in name}
    assert apache.publish(well_known=True, adopt=True).changed is False
    apache.remove(purge=True)
    assert apache.enabled("sites") == ["000-default.conf"]


def test_a_manifest_belongs_to_one_instance(apache: FakeApache) -> None:
    apache.publish()
    content = (apache.state / "manifest.json").read_bytes()
    found = manifests.read(content)
    other = Manifest("/etc/apache2-other", found.providers, found.directories)
    (apache.state / "manifest.json").write_bytes(manifests.write(other))
    with pytest.raises(InputError, match=r"state_directory: .* belongs to the Apache of /etc/apache2-other; give this one"):
        apache.publish()
    old = Manifest("", found.providers, found.directories)
    (apache.state / "manifest.json").write_bytes(manifests.write(old))
    assert apache.publish().changed is True
    assert manifests.read((apache.state / "manifest.json").read_bytes()).instance == apache.layout.config_directory
    assert apache.publish().changed is False


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_without_the_right_to_write_nothing_is_tried(apache: FakeApache) -> None:
    Path(apache.layout.config_directory).chmod(0o555)
    with pytest.raises(InputError, match="become: true is missing"):
        apache.publish()


def test_enabled_names_are_told_from_links_of_others(apache: FakeApache) -> None:
    apache.publish()
    sites = Path(apache.layout.enabled("sites"))
    (sites / "theirs.conf").write_text("# a file\n")
    (sites / "elsewhere.conf").symlink_to(apache.layout.main_file.replace("apache2.conf", "elsewhere"))
    (sites / "README").write_text("not a site")
    found = current(apache)
    assert sorted(found.enabled["sites"]) == ["autoconfig-default", "autoconfig.server.tld", "elsewhere", "theirs"]
    assert sorted(found.foreign_links["sites"]) == ["elsewhere", "theirs"]
    assert {"mime", "core", "authz_core"} <= set(found.enabled["mods"])
    assert found.foreign_links["mods"] == []


def test_a_link_that_leads_to_our_file_by_another_way_is_ours(apache: FakeApache) -> None:
    apache.publish()
    link = Path(apache.layout.enabled("sites"), "autoconfig.server.tld.conf")
    link.unlink()
    link.symlink_to(apache.available("sites", "autoconfig.server.tld.conf"))
    assert not apache.publish().plan.changes


def test_a_link_of_our_name_that_leads_elsewhere_is_refused(apache: FakeApache) -> None:
    (apache.root / "theirs.conf").write_text("# theirs\n")
    Path(apache.layout.enabled("sites"), "autoconfig.server.tld.conf").symlink_to(apache.root / "theirs.conf")
    with pytest.raises(InputError, match=r"sites-enabled/autoconfig.server.tld.conf is there and is not a link to our file"):
        apache.publish()


def test_a_module_of_which_a_cut_off_run_made_half_of_the_links_is_not_enabled_yet(apache: FakeApache) -> None:
    apache.add_certificate("server.tld", *NAMES)
    apache.publish()
    conf = Path(apache.layout.enabled("mods"), "ssl.conf")
    conf.unlink()
    assert "ssl" in current(apache).enabled["mods"]
    (apache.state / "reload-pending").touch()
    assert "ssl" not in current(apache).enabled["mods"]
    apache.publish()
    assert conf.is_symlink()


def test_what_a_run_may_write_to_is_looked_at(apache: FakeApache) -> None:
    apache.publish()
    path = str(apache.document_root / "server.tld/mail/config-v1.1.xml")
    left = apache.document_root / "server.tld/mail/.mail_autoconfig-x"
    left.touch()
    (apache.document_root / "server.tld").chmod(0o700)
    found = current(apache, path)
    assert found.files[path].content == Path(path).read_bytes()
    assert found.leftovers == (str(left),)
    assert found.directories[str(apache.document_root / "server.tld")] == (0o700, os.geteuid())
    assert found.user == os.geteuid()
    assert found.room[os.path.dirname(path)][1] > 0
    assert {Path(item).suffix for item in found.ours_by_header} == {".conf", ".lua"}
    assert not found.reload_pending
