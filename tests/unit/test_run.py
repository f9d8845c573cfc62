"""One run, from the input and the host to the plan and the report."""

from __future__ import annotations

import base64
import hashlib
import re
import typing as t
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.common import HEADER
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.certificates import PairFacts
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import debian, filesystem
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import survey as surveys
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.reading import InputError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.questions import Answer, Question

if t.TYPE_CHECKING:
    from tests.unit.fake_apache import FakeApache, Options, Ran

NAMES = ("autoconfig.server.tld", "autodiscover.server.tld")


def provider(*domains: str, **options: t.Any) -> Options:
    return {
        "domains": list(domains),
        "incoming": [{"type": "imap", "hostname": "mail.server.tld"}],
        "outgoing": [{"type": "smtp", "hostname": "mail.server.tld"}],
        **options,
    }


def sites(preparation: Ran) -> dict[str, str]:
    """The sites to write, by name, without that for unknown names."""
    written = {Path(path).name: file.content.decode() for path, file in preparation.plan.write.items() if "/sites-" in path}
    return {name: text for name, text in written.items() if "autoconfig-default" not in name}


def problems(apache: FakeApache, **options: t.Any) -> list[str]:
    """What is wrong, on a host that the attempt leaves alone."""
    before = apache.footprint()
    with pytest.raises(InputError) as error:
        apache.publish(**options)
    assert apache.footprint() == before
    return list(error.value.problems)


def about(preparation: Ran, words: str) -> list[str]:
    return [warning for warning in preparation.warnings if words in warning]


# -- certificates -------------------------------------------------------------------------------------------------------


def test_without_a_certificate_it_is_http_only_and_that_is_said(apache: FakeApache) -> None:
    preparation = apache.prepare()
    assert list(sites(preparation)) == ["autoconfig.server.tld.conf"]
    assert "ssl" not in preparation.plan.enable["mods"]
    assert about(preparation, "no certificate names") == [
        f"server.tld: no certificate names autoconfig.server.tld, autodiscover.server.tld (looked at {apache.root}/live/"
        "server.tld/fullchain.pem and everywhere else on this host): served over HTTP only, which K-9 marks as untrusted and "
        "Delta Chat, aerc, Geary and Outlook do not ask"
    ]
    assert {request.url.partition(":")[0] for request in preparation.requests} == {"http"}


def test_with_a_certificate_it_is_https_and_nothing_is_said(apache: FakeApache) -> None:
    apache.add_certificate("server.tld", *NAMES)
    preparation = apache.prepare()
    assert sorted(sites(preparation)) == ["autoconfig.server.tld-ssl.conf", "autoconfig.server.tld.conf"]
    assert (
        f"SSLCertificateFile {apache.root}/live/server.tld/fullchain.pem" in sites(preparation)["autoconfig.server.tld-ssl.conf"]
    )
    assert about(preparation, "no certificate names") == []
    assert {request.url.partition(":")[0] for request in preparation.requests} == {"https"}


def test_a_certificate_that_names_one_host_serves_that_one_alone(apache: FakeApache) -> None:
    apache.add_certificate("server.tld", "server.tld", "autoconfig.server.tld")
    preparation = apache.prepare()
    written = sites(preparation)
    assert sorted(written) == [
        "autoconfig.server.tld-ssl.conf",
        "autoconfig.server.tld.conf",
        "autodiscover.server.tld.conf",
    ]
    assert "RedirectMatch 302" in written["autoconfig.server.tld.conf"]
    assert "RedirectMatch 302" not in written["autodiscover.server.tld.conf"]
    (warning,) = about(preparation, "no certificate names")
    assert warning.startswith("server.tld: no certificate names autodiscover.server.tld (looked at")
    schemes = {request.url.split("/")[2]: request.url.partition(":")[0] for request in preparation.requests}
    assert schemes == {"autoconfig.server.tld": "https", "autodiscover.server.tld": "http"}


def test_a_further_domain_may_use_the_first_ones_certificate(apache: FakeApache) -> None:
    apache.add_certificate("server.tld", *NAMES, "autoconfig.other.tld")
    apache.add_certificate("other.tld", "autodiscover.other.tld")
    written = sites(apache.prepare(providers=[provider("server.tld", "other.tld")]))
    assert sorted(written) == [
        "autoconfig.server.tld-ssl.conf",
        "autoconfig.server.tld.conf",
        "autodiscover.other.tld-ssl.conf",
        "autodiscover.other.tld.conf",
    ]
    assert "ServerAlias autoconfig.other.tld" in written["autoconfig.server.tld-ssl.conf"]


def test_a_certificate_that_providers_share_is_read_once(apache: FakeApache) -> None:
    apache.add_certificate("shared", "autoconfig.a.tld", "autodiscover.a.tld", "autoconfig.b.tld", "autodiscover.b.tld")
    live = apache.root / "live/shared"
    options = {"certificate_file": f"{live}/fullchain.pem", "certificate_key_file": f"{live}/privkey.pem"}
    apache.prepare(providers=[provider("a.tld"), provider("b.tld")], **options)
    assert len([command for command in apache.commands if command[0] == "openssl"]) == 1


def test_many_hosts_without_certificate_are_counted_after_six(apache: FakeApache) -> None:
    (warning,) = about(apache.prepare(providers=[provider(*(f"d{number}.tld" for number in range(5)))]), "no certificate")
    assert "autodiscover.d2.tld and 4 more (looked at" in warning
    (warning,) = about(apache.prepare(providers=[provider("a.tld", "b.tld", "c.tld")]), "no certificate")
    assert "autoconfig.c.tld, autodiscover.c.tld (looked at" in warning


def test_a_certificate_that_the_administrator_names_must_be_there(apache: FakeApache) -> None:
    options = {"certificate_file": f"{apache.root}/tls/{{domain}}.pem", "certificate_key_file": f"{apache.root}/tls/all.key"}
    assert problems(apache, **options) == [
        f"certificate_file: {apache.root}/tls/server.tld.pem does not exist on this host",
        f"certificate_key_file: {apache.root}/tls/all.key does not exist on this host",
    ]
    (apache.root / "tls").mkdir()
    (apache.root / "tls/server.tld.pem").write_text("PEM")
    assert problems(apache, **options) == [f"certificate_key_file: {apache.root}/tls/all.key does not exist on this host"]
    (apache.root / "tls/all.key").write_text("PEM")
    apache.certificates[f"{apache.root}/tls/server.tld.pem"] = list(NAMES)
    assert len(sites(apache.prepare(**options))) == 2
    assert len(sites(apache.prepare(**options, https=False))) == 1


def test_a_certificate_that_the_administrator_names_must_be_able_to_serve(apache: FakeApache) -> None:
    live = apache.add_certificate("server.tld", *NAMES)
    options = {"certificate_file": f"{live}/fullchain.pem", "certificate_key_file": f"{live}/privkey.pem"}
    apache.certificates[f"{live}/fullchain.pem"] = PairFacts(problem="the key does not belong to it")
    assert problems(apache, **options) == [f"certificate_file: {live}/fullchain.pem cannot serve: the key does not belong to it"]
    assert list(sites(apache.publish(**options, https=False))) == ["autoconfig.server.tld.conf"]


def test_a_certificate_that_cannot_serve_is_not_used_and_that_is_said(apache: FakeApache) -> None:
    live = apache.add_certificate("server.tld", *NAMES)
    apache.certificates[f"{live}/fullchain.pem"] = PairFacts(problem="it has expired (long ago)", is_input=False, names=NAMES)
    for options in ({}, {"certificate_file": f"{live}/fullchain.pem", "certificate_key_file": f"{live}/privkey.pem"}):
        preparation = apache.prepare(**options)
        assert list(sites(preparation)) == ["autoconfig.server.tld.conf"]
        assert about(preparation, "is not used") == [f"{live}/fullchain.pem is not used: it has expired (long ago)"]
        assert "RedirectMatch 302" not in sites(preparation)["autoconfig.server.tld.conf"]


def test_https_can_be_switched_off_and_that_is_said(apache: FakeApache) -> None:
    apache.add_certificate("server.tld", *NAMES)
    preparation = apache.prepare(https=False)
    assert list(sites(preparation)) == ["autoconfig.server.tld.conf"]
    assert about(preparation, "https is off") == ["server.tld: https is off: Delta Chat, aerc and Geary ask over HTTPS only"]
    assert {request.url.partition(":")[0] for request in preparation.requests} == {"http"}


def test_a_certificate_that_comes_later_turns_http_into_https(apache: FakeApache) -> None:
    apache.publish()
    apache.add_certificate("server.tld", *NAMES)
    plan = apache.publish().plan
    assert {Path(path).name for path in plan.write} >= {"autoconfig.server.tld-ssl.conf", "autoconfig.server.tld.conf"}
    assert "autoconfig.server.tld-ssl" in plan.enable["sites"]
    assert apache.serves("autoconfig.server.tld", 443) == "autoconfig.server.tld-ssl.conf"
    assert not apache.publish().plan.changes


# -- what stands in the way ---------------------------------------------------------------------------------------------


def test_a_file_in_the_place_of_a_directory_is_named(apache: FakeApache) -> None:
    apache.document_root.write_text("a file")
    assert f"document_root: {apache.document_root} is not a directory" in problems(apache)
    apache.document_root.unlink()
    apache.state.write_text("a file")
    assert problems(apache, state_directory=f"{apache.state}/deeper") == [f"state_directory: {apache.state} is not a directory"]


def test_a_site_of_somebody_else_that_has_our_name_stops_the_run(apache: FakeApache) -> None:
    apache.add_site("www", "<VirtualHost *:80>\nServerName www.tld\nServerAlias autoconfig.server.tld\n</VirtualHost>\n")
    www = f"{apache.layout.enabled('sites')}/www.conf:1"
    assert problems(apache) == [f"the virtual host at {www} answers for autoconfig.server.tld already"]


def test_a_site_of_our_own_never_stops_the_run(apache: FakeApache) -> None:
    apache.publish()
    assert apache.surveyor().survey().ground.dump.virtual_hosts == ()
    assert apache.publish(providers=[provider("server.tld", display_name="New")]).plan.write


def test_all_that_stands_in_the_way_is_named_at_once(apache: FakeApache) -> None:
    apache.add_site("www", "<VirtualHost *:80>\nServerName autoconfig.server.tld\n</VirtualHost>\n")
    Path(apache.layout.available("sites"), "zz-autoconfig.server.tld.conf").write_text("theirs\n")
    apache.state.write_text("a file")
    found = problems(
        apache, certificate_file="/nowhere.pem", certificate_key_file="/nowhere.key", state_directory=f"{apache.state}/x"
    )
    assert [problem.partition(":")[0] for problem in found] == [
        "certificate_file",
        "certificate_key_file",
        "state_directory",
        f"the virtual host at {apache.layout.enabled('sites')}/www.conf",
        f"{apache.layout.available('sites')}/zz-autoconfig.server.tld.conf",
    ]


@pytest.mark.parametrize("which", ["documents", "sites"])
def test_each_file_system_needs_room_for_what_is_written_to_it_and_a_mebibyte_more(
    apache: FakeApache, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    def sizes() -> dict[str, int]:
        found = {"documents": 0, "sites": 0}
        for path, file in apache.prepare().plan.write.items():
            found["documents" if path.startswith(str(apache.document_root)) else "sites"] += len(file.content)
        return found

    free = {name: size + 2**20 for name, size in sizes().items()}

    def room(directories: t.Iterable[str]) -> dict[str, tuple[int, int]]:
        devices = {
            directory: "documents" if directory.startswith(str(apache.document_root)) else "sites" for directory in directories
        }
        return {**{directory: (len(name), free[name]) for directory, name in devices.items()}, "/full": (3, 0)}

    monkeypatch.setattr(surveys, "_room", room)
    assert apache.prepare().plan.write
    free[which] -= 1
    (problem,) = problems(apache)
    assert ("/var/www/" in problem) is (which == "documents")
    assert problem.endswith(": its file system has 1 MiB left, which is not enough for what is to be written")


@pytest.mark.parametrize("module", ["alias", "env", "headers", "lua", "setenvif", "ssl"])
def test_what_any_needed_module_cannot_stand_beside_is_told_before(apache: FakeApache, module: str) -> None:
    apache.add_certificate("server.tld", *NAMES)
    file = Path(apache.layout.available("mods"), f"{module}.load")
    file.write_text(f"# Conflicts: mime\n{file.read_text()}")
    assert problems(apache, php="fpm") == [f"Apache's module {module} is needed and cannot stand beside mime, which is enabled"]


def test_directories_of_documents_get_their_mode_back(apache: FakeApache) -> None:
    apache.publish()
    spoilt = [apache.document_root / "server.tld", apache.document_root / "server.tld/mail"]
    for path in spoilt:
        path.chmod(0o700)
    assert apache.publish().plan.repair == tuple(map(str, spoilt))
    assert [path.stat().st_mode & 0o777 for path in spoilt] == [0o755, 0o755]


# -- neighbours ---------------------------------------------------------------------------------------------------------


def test_a_neighbour_that_is_the_default_stays_it_in_every_run(apache: FakeApache) -> None:
    apache.add_site("www", "<VirtualHost *:80>\nServerName www.tld\n</VirtualHost>\n")
    preparation = apache.publish()
    assert list(sites(preparation)) == ["zz-autoconfig.server.tld.conf"]
    assert apache.enabled("sites") == ["www.conf", "zz-autoconfig.server.tld.conf"]
    assert not apache.publish().plan.changes


def test_without_a_certificate_the_neighbours_on_443_do_not_matter(apache: FakeApache) -> None:
    apache.add_site("www", "<VirtualHost *:443>\nServerName www.tld\n</VirtualHost>\n")
    assert list(sites(apache.prepare())) == ["autoconfig.server.tld.conf"]
    apache.add_certificate("server.tld", *NAMES)
    assert sorted(sites(apache.prepare())) == ["zz-autoconfig.server.tld-ssl.conf", "zz-autoconfig.server.tld.conf"]


def test_all_sites_of_a_run_have_the_same_prefix(apache: FakeApache) -> None:
    apache.add_site("default-ssl", "<VirtualHost _default_:443>\n</VirtualHost>\n")
    apache.add_site("000-default", "<VirtualHost *:80>\n</VirtualHost>\n")
    apache.add_certificate("server.tld", *NAMES)
    preparation = apache.prepare(providers=[provider("server.tld"), provider("other.tld")])
    assert sorted(sites(preparation)) == [
        "zz-autoconfig.other.tld.conf",
        "zz-autoconfig.server.tld-ssl.conf",
        "zz-autoconfig.server.tld.conf",
    ]


def test_sites_are_renamed_when_the_default_goes(apache: FakeApache) -> None:
    apache.add_site("www", "<VirtualHost *:80>\nServerName www.tld\n</VirtualHost>\n")
    apache.publish()
    Path(apache.layout.enabled("sites"), "www.conf").unlink()
    apache.publish()
    assert apache.enabled("sites") == ["autoconfig.server.tld.conf"]
    assert not Path(apache.layout.available("sites"), "zz-autoconfig.server.tld.conf").exists()
    assert not apache.publish().plan.changes


def test_ours_stand_beside_neighbours_with_an_address_of_their_own(apache: FakeApache) -> None:
    apache.add_site("000-www", "<VirtualHost 203.0.113.7:80>\nServerName www.tld\n</VirtualHost>\n")
    apache.publish()
    assert apache.loaded is not None
    for ip in ("203.0.113.7", "192.0.2.1"):
        chosen = apache.loaded.chosen(Question("http", "autoconfig.server.tld", 80, ip=ip))
        assert chosen is not None
        assert Path(chosen.file).name == "autoconfig.server.tld.conf"


def test_an_address_that_would_take_requests_from_others_is_refused(apache: FakeApache) -> None:
    apache.add_site("www", "<VirtualHost *:80>\nServerName www.tld\n</VirtualHost>\n")
    (problem,) = problems(apache, listen=["203.0.113.7"])
    assert problem.startswith("listen: a virtual host on 203.0.113.7:80 takes all requests to that address")


def test_a_wildcard_name_that_catches_ours_is_refused(apache: FakeApache) -> None:
    apache.add_site("000-www", "<VirtualHost 203.0.113.7:80>\nServerName www.tld\nServerAlias *.server.tld\n</VirtualHost>\n")
    for options in ({}, {"listen": ["203.0.113.7"]}):
        (problem,) = problems(apache, **options)
        assert "has the name *.server.tld, which catches autoconfig.server.tld, autodiscover.server.tld, and comes" in problem


# -- very many names ----------------------------------------------------------------------------------------------------


def many(prefix: str, count: int) -> Options:
    """A provider with so many domains, of two names each."""
    return provider(*(f"{prefix}{number}.tld" for number in range(count)))


def test_a_wildcard_stands_for_very_many_names(apache: FakeApache) -> None:
    written = sites(apache.publish(providers=[many("a", 200)]))
    assert list(written) == ["autoconfig.a0.tld.conf"]
    assert "ServerAlias autodiscover.a199.tld" in written["autoconfig.a0.tld.conf"]
    plan = apache.publish(providers=[many("a", 201)]).plan
    text = Path(apache.layout.available("sites"), "zzz-autoconfig.a0.tld.conf").read_text()
    assert [line.strip() for line in text.splitlines() if "Server" in line][:3] == [
        "ServerName autoconfig.a0.tld",
        "ServerAlias autoconfig.*",
        "ServerAlias autodiscover.*",
    ]
    assert r"SetEnvIfNoCase Host ^(?:autoconfig|autodiscover)\.a(?:0\.tld|1(?:\.tld|" in text
    assert plan.disable["sites"] == ("autoconfig.a0.tld",)
    assert not apache.publish(providers=[many("a", 201)]).plan.changes


def test_only_one_provider_of_a_server_has_a_wildcard(apache: FakeApache) -> None:
    apache.publish(providers=[many("a", 201), many("b", 202)])
    assert apache.enabled("sites") == ["autoconfig.a0.tld.conf", "zzz-autoconfig.b0.tld.conf"]
    # A later run that does not name it leaves it the wildcard.
    apache.publish(providers=[many("c", 300)])
    assert apache.enabled("sites") == ["autoconfig.a0.tld.conf", "autoconfig.c0.tld.conf", "zzz-autoconfig.b0.tld.conf"]
    apache.publish(providers=[many("c", 300)], purge=True)
    assert apache.enabled("sites") == ["zzz-autoconfig.c0.tld.conf"]


def test_a_site_that_is_read_later_keeps_its_names(apache: FakeApache) -> None:
    apache.add_site("zzzz", "<VirtualHost *:80>\nServerName autoconfig.own.tld\n</VirtualHost>\n")
    assert "ServerAlias autoconfig.a1.tld" in next(iter(sites(apache.prepare(providers=[many("a", 201)])).values()))


# -- the domains' own sites ---------------------------------------------------------------------------------------------


def test_the_snippet_for_the_domains_own_sites_is_written_and_enabled(apache: FakeApache) -> None:
    preparation = apache.publish(well_known=True)
    assert preparation.plan.enable["conf"] == ("autoconfig.server.tld-well-known",)
    assert "lua" in preparation.plan.enable["mods"]
    conf = Path(apache.layout.available("conf"))
    (script,) = conf.glob("autoconfig.server.tld-*.lua")
    assert f"LuaHookTranslateName {script} " in (conf / "autoconfig.server.tld-well-known.conf").read_text()
    assert f'"{apache.document_root}/server.tld/mail/config-v1.1.xml"' in script.read_text()
    asked = {request.url for request in preparation.requests if "//server.tld/" in request.url}
    assert asked == {
        "https://server.tld/.well-known/autoconfig/mail/config-v1.1.xml",
        "https://server.tld/autodiscover/autodiscover.xml",
    }
    assert not apache.publish(well_known=True).plan.changes


def test_without_https_the_domains_own_sites_are_asked_over_http(apache: FakeApache) -> None:
    requests = apache.prepare(well_known=True, https=False).requests
    assert {request.url.partition(":")[0] for request in requests} == {"http"}


def test_without_the_snippet_nobody_is_sent_to_the_domains_own_sites(apache: FakeApache) -> None:
    assert not [request for request in apache.prepare().requests if "//server.tld/" in request.url]


def test_the_snippet_can_be_taken_away(apache: FakeApache) -> None:
    apache.publish(well_known=True, responder="none")
    plan = apache.publish(responder="none").plan
    assert plan.disable["conf"] == ("autoconfig.server.tld-well-known",)
    assert sorted(Path(path).suffix for path in plan.remove) == [".conf", ".lua"]
    assert apache.enabled("conf") == []


def test_the_responder_comes_and_goes_and_leaves_nothing(apache: FakeApache) -> None:
    static = apache.publish(responder="none").plan
    assert "lua" not in static.enable["mods"]
    before = sorted(path.name for path in Path(apache.layout.available("conf")).iterdir())
    personal = apache.publish().plan
    scripts, templates, profiles = (
        [path for path in personal.write if re.search(pattern, path)]
        for pattern in (r"/autoconfig\.server\.tld-\w{8}\.lua$", r"/autodiscover-\w{8}\.xml$", r"/personal-\w{8}\.mobileconfig$")
    )
    assert all(b"%EMAILADDRESS%" in personal.write[path].content for path in (*templates, *profiles))
    removed = apache.publish(responder="none").plan.remove
    assert set(removed) >= {*scripts, *templates, *profiles}
    assert len(scripts) == len(templates) == len(profiles) == 1
    assert sorted(path.name for path in Path(apache.layout.available("conf")).iterdir()) == before
    assert not apache.publish(responder="none").plan.changes


def test_no_file_that_a_running_script_reads_is_ever_written_anew(apache: FakeApache) -> None:
    """Old configuration goes on with the old script and the old templates until the reload."""
    html = "<html><body>%EMAILADDRESS%</body></html>"
    pages = [{"provider": "server.tld", "language": "en", "html": html}]
    first = apache.publish(setup_pages=pages, well_known=True).plan
    pages[0]["html"] = html.replace("body", "div")
    second = apache.publish(setup_pages=pages, well_known=True, mail_host="new.tld").plan
    both = {path.removeprefix(str(apache.root)) for path in set(first.write) & set(second.write)}
    assert both == {
        "/etc/apache2/conf-available/autoconfig.server.tld-well-known.conf",
        "/etc/apache2/sites-available/autoconfig.server.tld.conf",
        "/var/www/autoconfig/server.tld/mail/config-v1.1.xml",
    }
    assert len([path for path in second.remove if path.endswith(".lua")]) == 1
    third = apache.publish(setup_pages=pages, well_known=True, mail_host="new.tld", responder="auto").plan
    assert not third.changes


def test_without_mod_lua_the_answer_is_static_unless_the_responder_is_asked_for(apache: FakeApache) -> None:
    Path(apache.layout.available("mods"), "lua.load").unlink()
    preparation = apache.prepare()
    assert about(preparation, "Outlook gets no login name")
    assert not [path for path in preparation.plan.write if path.endswith(".lua")]
    for options in ({"responder": "lua"}, {"well_known": True}):
        with pytest.raises(InputError, match=f"{next(iter(options))}: Apache's module lua is not available"):
            apache.prepare(**options)


# -- the report ---------------------------------------------------------------------------------------------------------


def test_the_requests_of_every_client_are_reported_for_every_domain(apache: FakeApache) -> None:
    preparation = apache.prepare(providers=[provider("server.tld", "other.tld")], https=False)
    for domain in ("server.tld", "other.tld"):
        mine = [request for request in preparation.requests if request.url.split("/")[2].endswith(domain)]
        assert [(request.method, request.url) for request in mine] == [
            ("GET", f"http://autoconfig.{domain}/mail/config-v1.1.xml?emailaddress={{address}}"),
            ("GET", f"http://autoconfig.{domain}/mail/config-v1.1.xml"),
            ("POST", f"http://autodiscover.{domain}/autodiscover/autodiscover.xml"),
            ("POST", f"http://autodiscover.{domain}/Autodiscover/Autodiscover.xml"),
            ("GET", f"http://autodiscover.{domain}/autodiscover/autodiscover.xml"),
            ("GET", f"http://autoconfig.{domain}/mail.mobileconfig?emailaddress={{address}}"),
        ]
        assert all(set(request.to_dict()) == {"client", "method", "url"} for request in mine)


def test_clients_ask_on_the_usual_ports_wherever_the_sites_listen(apache: FakeApache) -> None:
    assert apache.prepare(http_port=8080, https_port=8443).requests == apache.prepare().requests


def test_the_records_of_all_providers_are_reported(apache: FakeApache) -> None:
    preparation = apache.prepare(providers=[provider("server.tld"), provider("other.tld")], addresses=["203.0.113.7"], dns_ttl=60)
    assert {record.owner for record in preparation.records if record.type == "A"} == {
        f"{label}.{domain}." for label in ("autoconfig", "autodiscover") for domain in ("server.tld", "other.tld")
    }
    assert {record.ttl for record in preparation.records} == {60}


def test_warnings_name_the_provider(apache: FakeApache) -> None:
    wrong = provider("other.tld", incoming=[{"type": "pop3", "hostname": "mail.server.tld"}])
    preparation = apache.prepare(providers=[provider("server.tld"), wrong], responder="none")
    assert all(warning.startswith(("server.tld: ", "other.tld: ", "server.tld, other.tld: ")) for warning in preparation.warnings)
    (warning,) = about(preparation, "there is no IMAP server")
    assert warning.startswith("other.tld: ")
    (warning,) = about(preparation, "Outlook gets no login name")
    assert warning.startswith("server.tld, other.tld: ")


def test_preparing_writes_nothing_and_only_asks(apache: FakeApache) -> None:
    apache.add_certificate("server.tld", *NAMES)
    before = apache.footprint()
    apache.prepare(well_known=True)
    apache.prepare(state="absent")
    apache.check()
    assert apache.footprint() == before
    assert {command[0] for command in apache.commands} == {"openssl", "sh", "apache2ctl"}
    assert all("-t" in command for command in apache.commands if command[0] == "apache2ctl")


# -- several providers, several runs ------------------------------------------------------------------------------------


def documents(apache: FakeApache) -> list[str]:
    """The documents, without the digests in their names."""
    paths = (str(path.relative_to(apache.document_root)) for path in apache.document_root.rglob("*.xml"))
    return sorted(re.sub(r"-[0-9a-f]{8}\.", ".", path) for path in paths)


def test_two_providers_live_side_by_side(apache: FakeApache) -> None:
    apache.publish(providers=[provider("server.tld", "extra.tld", id="first.tld"), provider("other.tld")])
    assert documents(apache) == [
        "first.tld/autodiscover/autodiscover.xml",
        "first.tld/mail/config-v1.1.xml",
        "other.tld/autodiscover/autodiscover.xml",
        "other.tld/mail/config-v1.1.xml",
    ]
    assert apache.enabled("sites") == ["autoconfig.other.tld.conf", "autoconfig.server.tld.conf"]


def test_a_dropped_domain_leaves_the_sites(apache: FakeApache) -> None:
    apache.add_certificate("server.tld", *NAMES)
    apache.publish(providers=[provider("server.tld", "extra.tld")])
    assert "autoconfig.extra.tld.conf" in apache.enabled("sites")
    apache.publish(providers=[provider("server.tld")], removed_domains=["extra.tld"])
    assert apache.enabled("sites") == ["autoconfig.server.tld-ssl.conf", "autoconfig.server.tld.conf"]
    assert not Path(apache.layout.available("sites"), "autoconfig.extra.tld.conf").exists()
    assert not apache.publish(providers=[provider("server.tld")]).plan.changes


@pytest.mark.parametrize("way", [{}, {"check": True}])
def test_a_domain_does_not_go_unsaid_and_nothing_is_written(apache: FakeApache, way: Options) -> None:
    apache.publish(providers=[provider("server.tld", "extra.tld"), provider("other.tld")])
    before = apache.footprint()
    with pytest.raises(InputError) as refused:
        apache.publish(way=way, providers=[provider("server.tld")], purge=True)
    (problem,) = refused.value.problems
    assert problem.startswith("provider server.tld: extra.tld is served on this host and is not among its domains any more")
    assert apache.footprint() == before
    assert apache.publish(way=way, providers=[provider("server.tld")], allow_removal=True).changed


def test_a_provider_that_is_not_named_stays_until_it_is_purged(apache: FakeApache) -> None:
    apache.publish(providers=[provider("server.tld"), provider("other.tld")])
    assert not apache.publish().plan.changes
    apache.publish(purge=True, domain="server.tld")
    assert documents(apache) == ["server.tld/autodiscover/autodiscover.xml", "server.tld/mail/config-v1.1.xml"]
    assert apache.enabled("sites") == ["autoconfig.server.tld.conf"]


def test_a_domain_does_not_move_to_a_new_provider_unasked(apache: FakeApache) -> None:
    apache.publish(providers=[provider("server.tld", id="old.tld")])
    (claim,) = problems(apache)
    assert claim.startswith("provider server.tld: server.tld is served on this host by provider old.tld of an earlier run")
    apache.publish(purge=True, domain="server.tld")
    assert documents(apache) == ["server.tld/autodiscover/autodiscover.xml", "server.tld/mail/config-v1.1.xml"]
    assert not apache.publish().plan.changes


def test_a_domain_moves_between_two_named_providers(apache: FakeApache) -> None:
    apache.publish(providers=[provider("a.tld", "moves.tld"), provider("b.tld")])
    apache.publish(providers=[provider("a.tld"), provider("b.tld", "moves.tld")])
    sites_directory = Path(apache.layout.available("sites"))
    assert "autoconfig.moves.tld" not in (sites_directory / "autoconfig.a.tld.conf").read_text()
    assert "autoconfig.moves.tld" in (sites_directory / "autoconfig.b.tld.conf").read_text()
    assert apache.enabled("sites") == ["autoconfig.a.tld.conf", "autoconfig.b.tld.conf"]


def test_removal_takes_the_named_provider_only(apache: FakeApache) -> None:
    apache.publish(providers=[provider("server.tld"), provider("other.tld")])
    plan = apache.remove().plan
    assert plan.needs_reload
    assert documents(apache) == ["other.tld/autodiscover/autodiscover.xml", "other.tld/mail/config-v1.1.xml"]
    assert apache.enabled("sites") == ["autoconfig.other.tld.conf"]
    assert not apache.remove().plan.changes


def test_removal_with_purge_takes_all(apache: FakeApache) -> None:
    apache.publish(providers=[provider("server.tld"), provider("other.tld")], well_known=True)
    apache.remove(purge=True)
    assert documents(apache) == []
    assert apache.enabled("sites") == apache.enabled("conf") == []
    assert not apache.remove(purge=True).plan.changes


def test_what_was_edited_by_hand_survives_the_removal_and_is_named(apache: FakeApache) -> None:
    apache.publish()
    site = Path(apache.layout.available("sites"), "autoconfig.server.tld.conf")
    site.write_text("# edited\n")
    warnings = apache.remove().warnings
    assert warnings == (f"{site} was changed by somebody since the last run; it is kept, remove it by hand",)
    assert site.read_text() == "# edited\n"
    assert apache.enabled("sites") == []


def test_removing_what_was_never_there_changes_nothing(apache: FakeApache) -> None:
    before = apache.footprint()
    assert not apache.remove().plan.changes
    assert apache.footprint() == before


def test_removing_a_domain_that_a_provider_of_another_name_serves_is_refused(apache: FakeApache) -> None:
    apache.publish(providers=[provider("server.tld", id="first.tld")])
    with pytest.raises(InputError, match="is served on this host by provider"):
        apache.remove()


# -- setup pages --------------------------------------------------------------------------------------------------------


def test_setup_pages_come_and_go(apache: FakeApache) -> None:
    html = "<!DOCTYPE html>\n<html><body data-state='%STATE%'></body></html>\n"
    pages = [{"provider": "server.tld", "language": language, "html": html} for language in ("de", "en")]
    preparation = apache.publish(setup_pages=pages)
    directory = apache.document_root / "server.tld/page"
    assert sorted(path.name.partition("-")[0] for path in directory.iterdir()) == ["de", "en"]
    assert "http://autoconfig.server.tld/" in [request.url for request in preparation.requests]
    assert "RedirectMatch 404 ^/$" not in sites(preparation)["autoconfig.server.tld.conf"]
    (script,) = (path.read_text() for path in Path(apache.layout.available("conf")).glob("*.lua"))
    assert '["language"] = "de"' in script
    assert not apache.publish(setup_pages=pages).plan.changes
    plan = apache.publish().plan
    assert not directory.exists()
    assert (
        "RedirectMatch 404 ^/$" in plan.write[f"{apache.layout.available('sites')}/autoconfig.server.tld.conf"].content.decode()
    )


def test_pages_and_signing_need_the_responder(apache: FakeApache) -> None:
    pages = [{"provider": "server.tld", "language": "en", "html": "<html></html>"}]
    assert problems(apache, responder="none", setup_pages=pages) == [
        "setup_pages: needs the responder, which needs Apache's module lua (responder: lua)"
    ]


# -- PACC ---------------------------------------------------------------------------------------------------------------


def digests(preparation: Ran) -> list[str]:
    """The digests in the records of server.tld."""
    texts = [record.rdata for record in preparation.records if record.owner == "_ua-auto-config.server.tld."]
    return [text.rpartition("d=")[2].strip('"') for text in texts]


def served_digest(apache: FakeApache) -> str:
    content = (apache.document_root / "server.tld/pacc/user-agent-configuration.json").read_bytes()
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def test_pacc_comes_with_a_host_and_goes_without_a_trace(apache: FakeApache) -> None:
    apache.add_certificate("server.tld", *NAMES, "ua-auto-config.server.tld")
    before = apache.prepare().records
    preparation = apache.publish(pacc=True)
    assert digests(preparation) == [served_digest(apache)]
    assert "https://ua-auto-config.server.tld/.well-known/user-agent-configuration.json" in [
        request.url for request in preparation.requests
    ]
    assert "ServerAlias ua-auto-config.server.tld" in sites(preparation)["autoconfig.server.tld-ssl.conf"]
    assert about(preparation, "no certificate names") == []
    assert not apache.publish(pacc=True).plan.changes
    assert apache.publish().records == before
    assert not (apache.document_root / "server.tld/pacc").exists()


def test_old_and_new_digest_stand_side_by_side_until_the_run_after_a_change(apache: FakeApache) -> None:
    apache.add_certificate("server.tld", *NAMES, "ua-auto-config.server.tld")
    options = {"pacc": True, "dns_zone_file": str(apache.root / "all.zone")}
    apache.publish(providers=[provider("server.tld")], **options)
    old = served_digest(apache)
    changed = [provider("server.tld", display_name="Another name")]
    # Check mode says what to publish before anything is changed on the host.
    beforehand = digests(apache.prepare(providers=changed, **options))
    assert digests(apache.publish(providers=changed, **options)) == beforehand
    new = served_digest(apache)
    assert old != new
    assert sorted(beforehand) == sorted([old, new])
    last = apache.publish(providers=changed, **options)
    assert digests(last) == [new]
    assert list(last.plan.write) == [options["dns_zone_file"]]
    assert not apache.publish(providers=changed, **options).plan.changes


def test_the_run_after_a_changed_document_is_no_change_without_a_zone_file(apache: FakeApache) -> None:
    apache.add_certificate("server.tld", *NAMES, "ua-auto-config.server.tld")
    apache.publish(providers=[provider("server.tld")], pacc=True)
    changed = [provider("server.tld", display_name="Another name")]
    assert len(digests(apache.publish(providers=changed, pacc=True))) == 2
    last = apache.publish(providers=changed, pacc=True)
    assert (len(digests(last)), last.changed) == (1, False)
    # The new one's record is the one that goes with the customer.
    gone = apache.remove(providers=changed, pacc=True).result["dns_records_obsolete"]
    assert [entry["rdata"] for entry in gone if entry["type"] == "TXT"] == [
        record.rdata for record in last.records if record.type == "TXT"
    ]


def test_without_a_certificate_of_its_host_pacc_is_not_announced(apache: FakeApache) -> None:
    apache.add_certificate("server.tld", *NAMES)
    preparation = apache.publish(pacc=True)
    assert digests(preparation) == []
    assert about(preparation, "PACC") == [
        "server.tld: PACC is over HTTPS alone: without a certificate that names it, a host of it is not announced"
    ]
    assert not [request for request in preparation.requests if "ua-auto-config" in request.url]
    # The host has its place in DNS and on the server all the same, or it would never get a certificate.
    assert "ua-auto-config.server.tld." in {
        record.owner for record in apache.prepare(pacc=True, addresses=["203.0.113.7"]).records
    }
    assert "ua-auto-config.server.tld.conf" in sites(preparation)


def test_a_renamed_provider_keeps_the_digest_of_its_old_document(apache: FakeApache) -> None:
    names = ("ua-auto-config.server.tld", "ua-auto-config.other.tld")
    apache.add_certificate("server.tld", *NAMES, *names)
    apache.publish(providers=[provider("server.tld", "other.tld")], pacc=True)
    old = served_digest(apache)
    renamed = [provider("server.tld", "other.tld", id="mail.server.tld", display_name="New")]
    found = digests(apache.prepare(providers=renamed, pacc=True, purge=True))
    assert len(found) == 2
    assert old in found


def test_removal_returns_the_records_that_belonged_to_the_settings(apache: FakeApache) -> None:
    options = {"providers": [provider("server.tld")], "addresses": ["203.0.113.7"]}
    published = apache.publish(**options)
    assert apache.remove(**options).records == published.records


# -- records that nobody wants any more ---------------------------------------------------------------------------------

HERE = {"addresses": ["203.0.113.7"]}


def obsolete(ran: Ran) -> set[tuple[str, str]]:
    return {(entry["owner"], entry["type"]) for entry in ran.result["dns_records_obsolete"]}


def told(ran: Ran) -> list[Options]:
    """The records of a run as another run names them."""
    return [{name: value for name, value in record.to_dict().items() if name != "fields"} for record in ran.records]


def test_the_records_of_a_customer_who_leaves_are_told_until_they_are_gone(apache: FakeApache) -> None:
    both = apache.publish(providers=[provider("server.tld", "extra.tld")], **HERE)
    expected = {(record.owner, record.type) for record in both.records if record.domain == "extra.tld"}
    alone = {"providers": [provider("server.tld")], "removed_domains": ["extra.tld"], **HERE}
    assert obsolete(both) == set()
    assert obsolete(apache.check(**alone)) == expected
    left = apache.publish(**alone)
    assert obsolete(left) == expected
    assert left.result["dns_records_obsolete"] == [entry for entry in told(both) if entry["domain"] == "extra.tld"]
    assert about(left, "dns_records_obsolete")[0].startswith("extra.tld: DNS records of before are not wanted any more")
    # It is not said again, and changes nothing.
    again = apache.publish(**alone)
    assert (obsolete(again), again.changed, about(again, "dns_records_obsolete")) == (expected, False, [])
    some = {("autoconfig.extra.tld.", "A")}
    part = apache.publish(**alone, dns_records_gone=[{"owner": "autoconfig.extra.tld.", "type": "A"}])
    assert (obsolete(part), part.changed) == (expected - some, True)
    assert obsolete(apache.publish(**alone, dns_records_gone=[{"domain": "extra.tld"}])) == set()
    last = apache.publish(**alone, dns_records_gone=[{"domain": "extra.tld"}])
    assert (obsolete(last), last.changed) == (set(), False)


def test_the_records_of_a_customer_who_comes_back_are_not_obsolete(apache: FakeApache) -> None:
    both = [provider("server.tld"), provider("other.tld")]
    apache.publish(providers=both, **HERE)
    left = apache.publish(providers=both[:1], purge=True, **HERE)
    assert {owner for owner, _kind in obsolete(left)} >= {"autoconfig.other.tld.", "_imaps._tcp.other.tld."}
    # What is said to be gone and is wanted is wanted.
    back = apache.publish(providers=both, dns_records_gone=[{"domain": "other.tld"}], **HERE)
    assert obsolete(back) == set()
    # A run that does not name a provider does not take it for one that has left.
    assert obsolete(apache.publish(providers=both[:1], **HERE)) == set()
    removed = apache.remove(providers=both[1:], **HERE)
    assert obsolete(removed) == obsolete(left)
    assert obsolete(apache.publish(providers=both[:1], **HERE)) == obsolete(left)


def test_addresses_that_become_an_alias_are_obsolete_and_those_that_are_others_are_not(apache: FakeApache) -> None:
    apache.publish(**HERE, dns_mx=[{"host": "mx.server.tld"}])
    assert obsolete(apache.publish(addresses=["203.0.113.8"])) == set()
    alias = apache.publish(dns_host="www.tld")
    assert obsolete(alias) == {
        ("autoconfig.server.tld.", "A"),
        ("autodiscover.server.tld.", "A"),
        ("_autodiscover._tcp.server.tld.", "SRV"),
    }
    assert {entry["rdata"] for entry in alias.result["dns_records_obsolete"] if entry["type"] == "A"} == {"203.0.113.8"}
    assert obsolete(apache.publish(**HERE)) == {(f"{name}.", "CNAME") for name in NAMES}


def test_who_takes_all_away_is_told_all_and_nothing_is_left(apache: FakeApache) -> None:
    many = [f"d{number}.tld" for number in range(201)]
    before = apache.publish(providers=[provider("server.tld", *many)], **HERE)
    assert "dns_records_obsolete" not in before.result
    fewer = apache.publish(providers=[provider("server.tld")], allow_removal=True, **HERE)
    assert "dns_records_obsolete" not in fewer.result
    wanted = {"lists": ("dns_records_obsolete",)}
    listed = apache.publish(way=wanted, providers=[provider("server.tld")], **HERE).result["dns_records_obsolete"]
    assert len(listed) == 201 * len([entry for entry in told(before) if entry["domain"] == "d0.tld"])
    gone = apache.remove(purge=True)
    assert len(gone.result["dns_records_obsolete"]) == len(before.records)
    assert not (apache.state / "manifest.json").exists()
    assert obsolete(apache.remove(purge=True)) == set()


def test_a_provider_of_which_pacc_can_say_nothing_has_no_host_of_it(apache: FakeApache) -> None:
    servers = {
        "incoming": [{"type": "imap", "hostname": "mail.server.tld", "port": 143}],
        "outgoing": [{"type": "smtp", "hostname": "mail.server.tld", "port": 587}],
    }
    preparation = apache.prepare(providers=[{"domains": ["server.tld"], **servers}], pacc=True)
    assert about(preparation, "PACC") == [
        "server.tld: PACC can say nothing of it (servers with TLS on the default port, the address as user name): there is no "
        "document"
    ]
    assert "ua-auto-config" not in sites(preparation)["autoconfig.server.tld.conf"]
    assert digests(preparation) == []


# -- forms of further domains -------------------------------------------------------------------------------------------


def test_a_domain_by_srv_alone_has_no_host_to_serve_or_to_warn_of(apache: FakeApache) -> None:
    apache.add_certificate("server.tld", *NAMES)
    preparation = apache.publish(
        providers=[provider("server.tld", "customer.tld")], dns_further_domains="srv", addresses=["203.0.113.7"]
    )
    assert sorted(sites(preparation)) == ["autoconfig.server.tld-ssl.conf", "autoconfig.server.tld.conf"]
    assert not [text for text in sites(preparation).values() if "customer.tld" in text]
    assert about(preparation, "no certificate names") == []
    (script,) = (path.read_text() for path in Path(apache.layout.available("conf")).glob("*.lua"))
    assert "|customer.tld|" in script
    assert ("Outlook, Thunderbird (by the SRV record)", "https://autodiscover.server.tld/autodiscover/autodiscover.xml") in [
        (request.client, request.url) for request in preparation.requests
    ]


def test_keys_are_in_the_records_if_asked_for(apache: FakeApache) -> None:
    apache.add_certificate("server.tld", *NAMES)
    digest = hashlib.sha256(f"{apache.root}/live/server.tld/fullchain.pem".encode()).digest()
    preparation = apache.prepare(dns_tlsa=True)
    expected = f"3 1 1 {hashlib.sha256(digest).hexdigest()}"
    assert {record.owner: record.rdata for record in preparation.records if record.type == "TLSA"} == {
        f"_443._tcp.{name}.": expected for name in NAMES
    }
    assert len([command for command in apache.commands if command[0] == "openssl"]) == 1
    assert not [record for record in apache.prepare().records if record.type == "TLSA"]


# -- zone files ---------------------------------------------------------------------------------------------------------


def test_zone_files_come_and_go_by_domain_without_a_word_to_apache(apache: FakeApache) -> None:
    zones = apache.root / "zones"
    zones.mkdir()
    options = {"dns_zone_file": f"{zones}/{{domain}}.zone", "addresses": ["203.0.113.7"]}
    apache.publish(providers=[provider("server.tld", "other.tld")], **options)
    assert sorted(path.name for path in zones.iterdir()) == ["other.tld.zone", "server.tld.zone"]
    assert "autoconfig.other.tld.\t300\tIN\tA\t203.0.113.7\n" in (zones / "other.tld.zone").read_text()
    plan = apache.publish(providers=[provider("server.tld", "other.tld")], **{**options, "dns_ttl": 60}).plan
    assert sorted(plan.write) == [f"{zones}/other.tld.zone", f"{zones}/server.tld.zone"]
    assert not plan.needs_reload
    warnings = apache.publish(providers=[provider("server.tld", "other.tld")]).warnings
    # A zone that includes a file would not load without it.
    assert {path.read_text().strip() for path in zones.iterdir()} == {f"; {HEADER.text}"}
    left = "has no records any more; it is left empty for a zone that includes it: remove its $INCLUDE, then it"
    assert [line for line in warnings if "$INCLUDE" in line] == [
        f"{zones}/{domain}.zone {left}" for domain in ("other.tld", "server.tld")
    ]
    assert not apache.publish(providers=[provider("server.tld", "other.tld")]).changed
    assert apache.publish(providers=[provider("server.tld", "other.tld")], **options).plan.write
    assert "203.0.113.7" in (zones / "other.tld.zone").read_text()


def test_one_zone_file_holds_the_records_of_all(apache: FakeApache) -> None:
    file = apache.root / "all.zone"
    options = {"providers": [provider("server.tld"), provider("other.tld")], "dns_zone_file": str(file)}
    apache.publish(**options)
    text = file.read_text()
    assert text.startswith("; Managed by Ansible")
    assert "_imaps._tcp.other.tld." in text
    assert "_imaps._tcp.server.tld." in text
    assert not apache.publish(**options).plan.changes


def test_a_file_of_several_providers_is_lost_to_none_of_them(apache: FakeApache) -> None:
    file = apache.root / "all.zone"
    options = {"dns_zone_file": str(file)}
    both = [provider("server.tld"), provider("other.tld")]
    apache.publish(providers=both, **options)
    # A run that knows one of them alone would write the records of that one.
    (problem,) = problems(apache, providers=both[:1], **options)
    assert problem.startswith(f"{file}: holds what an earlier run made for provider other.tld; name that provider too")
    kept = f"{file} holds the records of other providers too and is kept; their next run writes it anew"
    assert kept in apache.remove(providers=both[:1]).warnings
    assert "_imaps._tcp.other.tld." in file.read_text()
    apache.publish(providers=both[1:], **options)
    assert "server.tld." not in re.sub("mail.server.tld", "", file.read_text())
    gone = f"{file} has no records any more; it is left empty for a zone that includes it: remove its $INCLUDE, then it"
    assert gone in apache.remove(providers=both[1:]).warnings
    assert file.read_text().strip() == f"; {HEADER.text}"


def test_a_zone_file_of_somebody_else_is_not_touched(apache: FakeApache) -> None:
    file = apache.root / "db.server.tld"
    file.write_text("; mine\n")
    (problem,) = problems(apache, dns_zone_file=str(file))
    assert problem.startswith(f"{file}: is there and was not made by this collection")


# -- what is not as Apache has read it ----------------------------------------------------------------------------------


def test_a_certificate_that_was_replaced_without_a_reload_is_reloaded(apache: FakeApache) -> None:
    directory = apache.add_certificate("server.tld", *NAMES)
    apache.publish()
    apache.answering = shows_until_reloaded(apache, "0" * 64)
    apache.read_at = (directory / "fullchain.pem").stat().st_ctime + 5
    assert apache.publish().changed is False  # older than what Apache has read, and nobody is asked
    apache.read_at -= 10
    checked = apache.check()
    assert (checked.changed, checked.result["needs_reload"]) == (True, True)
    assert about(checked, f"{directory}/fullchain.pem was replaced, and Apache still showed the certificate of before")
    before = apache.workers
    ran = apache.publish()
    assert (ran.changed, ran.result["reloaded"], apache.workers == before) == (True, True, False)
    assert apache.publish().changed is False


def shows_until_reloaded(apache: FakeApache, fingerprint: str) -> t.Callable[[Question], Answer | None]:
    before = apache.workers
    return lambda question: Answer(200, certificate=fingerprint) if apache.workers == before else None


def test_what_somebody_changed_and_nobody_read_is_told_where_a_run_reloads(
    apache: FakeApache, monkeypatch: pytest.MonkeyPatch
) -> None:
    apache.add_site("shop", "<VirtualHost *:80>\nServerName shop.tld\n</VirtualHost>\n")
    apache.publish()
    apache.read_at = 5
    monkeypatch.setattr(filesystem, "_changed_at", lambda path: 10 if "/sites-" in path else 0)
    unchanged, changed = apache.publish(), apache.publish(extra_directives="Timeout 5")
    assert not about(unchanged, "somebody has changed")
    (warning,) = about(changed, "somebody has changed")
    assert f"changed {apache.layout.enabled('sites')}/shop.conf since" in warning


def test_sites_of_others_that_fail_already_are_named(apache: FakeApache) -> None:
    apache.add_site("shop", "<VirtualHost *:80>\nServerName shop.tld\n</VirtualHost>\n")
    apache.answering = lambda question: Answer(503) if question.host == "shop.tld" else None
    assert about(apache.publish(), "were not compared: GET http://shop.tld/")


def test_a_timer_that_a_run_has_left_behind_is_told_by_the_next(
    apache: FakeApache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debian, "_TIMERS", f"{tmp_path}/{{}}-{{}}.timer")
    assert apache.publish().result["timers"] == ()
    (tmp_path / "signing-apache2.timer").touch()
    ran = apache.publish()
    assert (ran.result["changed"], ran.result["timers"]) == (False, ("signing",))
