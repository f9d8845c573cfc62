"""Clients walk their sequences as they do: what they ask, in which order, and where they end."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.documents import thunderbird
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import Provider
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check import options, run
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.clients import CLIENTS

from tests.unit.check.conftest import Faulty
from tests.unit.check.world import ADDRESS, DOMAIN, PASSWORD, XML, World, world
from tools.loopback import Mail

HTML = (200, {"Content-Type": "text/html"}, b"<!DOCTYPE html><html><body>Shop</body></html>")
FILE = "/mail/config-v1.1.xml"
WELL_KNOWN = "/.well-known/autoconfig/mail/config-v1.1.xml"
POX = "/autodiscover/autodiscover.xml"


def clients(made: World, **more: Any) -> dict[str, dict[str, Any]]:
    (data,) = run.run(options.read(made.params(**more)))
    return {client["client"]: client for client in data["clients"]}


def without(made: World, *hosts: str) -> None:
    for host in hosts:
        for scheme, name, path in list(made.web.pages):
            if name == (f"{host}.{DOMAIN}" if host else DOMAIN):
                del made.web.pages[scheme, name, path]


def test_every_client_has_a_name_a_sequence_and_an_end() -> None:
    assert len({client.id for client in CLIENTS}) == len(CLIENTS) >= 14
    assert all(client.name and client.steps and client.nothing for client in CLIENTS)


def test_requests_are_spelt_as_clients_spell_them(certificates: Faulty) -> None:
    with world(certificates) as made:
        clients(made, address=ADDRESS)
        log, heads = made.web.log, made.web.headers
    base = f"https://autoconfig.{DOMAIN}{FILE}"
    assert f"GET {base}" in log  # K-9, KMail, Geary
    assert f"GET {base}?emailaddress=anna%40{DOMAIN}" in log  # Thunderbird, Delta Chat
    assert f"GET {base}?emailaddress={ADDRESS}&emailmd5=5efd9b59b9a9f2998801d3fab694733d".replace("@", "%40") in log  # Evolution
    assert f"POST https://{DOMAIN}{POX}" in log
    posts = [head for head in heads if head.startswith("POST")]
    # FairEmail sends none.
    assert {"Content-Type: text/xml; charset=utf-8" in head for head in posts} == {True, False}
    assert not any("Authorization" in head for head in heads)


def test_thunderbird_stops_at_the_first_success_whatever_it_says(certificates: Faulty) -> None:
    with world(certificates) as made:
        made.web.pages[made.page("autoconfig", FILE)] = HTML
        found = clients(made)
    # The good file at the other place is not looked at; the Android app reads each place by itself.
    assert found["thunderbird"]["winner"].endswith(POX)
    assert found["k9"]["winner"] == f"https://{DOMAIN}{WELL_KNOWN}"


def test_a_file_that_does_not_name_the_domain_means_the_same_to_every_client(certificates: Faulty) -> None:
    """The placeholder in its place is filled in by those that look at it."""
    with world(certificates) as made:
        named = clients(made)
        provider = Provider.from_dict({**made.options, "domains": [DOMAIN, "other.tld"], "id": "hosting.tld"})
        content = thunderbird.render(provider, list_domains=False).content
        assert f"<domain>{DOMAIN}".encode() not in content
        files = [page for page in made.web.pages if page[2].endswith((FILE, "/mail-v1.xml"))]
        assert len(files) == 3
        made.web.pages.update(dict.fromkeys(files, (200, {"Content-Type": XML}, content)))
        unnamed = clients(made)
    for client in CLIENTS:
        for said in ("verdict", "because", "winner", "settings"):
            assert unnamed[client.id].get(said) == named[client.id].get(said), client.id
    assert named["thunderbird"]["verdict"] == named["k9"]["verdict"] == "works"


def test_kmail_ends_at_a_web_page(certificates: Faulty) -> None:
    with world(certificates) as made:
        made.web.pages[made.page("autoconfig", FILE)] = HTML
        kmail = clients(made)["kmail"]
    assert kmail["verdict"] == "fails"
    assert "its search ends there" in kmail["because"]


def test_delta_chat_ends_at_a_document_without_servers(certificates: Faulty) -> None:
    empty = b'<clientConfig><emailProvider id="server.tld"><domain>server.tld</domain></emailProvider></clientConfig>'
    with world(certificates) as made:
        made.web.pages[made.page("autoconfig", FILE)] = (200, {"Content-Type": XML}, empty)
        found = clients(made)
    assert found["deltachat"]["verdict"] == "fails"
    assert found["k9"]["verdict"] == "works"


# What a real Delta Chat does with each, is in tests/e2e/test_check_agreement.py.
@pytest.mark.parametrize("body", [b"", b"<feed/>", b"<html><body>Shop</body></html>", b"<clientConfig><emailProvider>"])
def test_delta_chat_ends_at_whatever_has_its_tags_nested(certificates: Faulty, body: bytes) -> None:
    with world(certificates) as made:
        made.web.pages[made.page("autoconfig", FILE)] = (200, {"Content-Type": XML}, body)
        client = clients(made)["deltachat"]
    assert (client["verdict"], client["settings"]) == ("fails", [])
    assert client["because"].startswith(f"https://autoconfig.{DOMAIN}{FILE}?")
    assert client["because"].endswith("; its search ends there")


def test_delta_chat_goes_on_after_a_web_page_that_is_no_xml(certificates: Faulty) -> None:
    with world(certificates) as made:
        made.web.pages[made.page("autoconfig", FILE)] = (200, {}, b"<html><body>Shop<br></body></html>")
        client = clients(made)["deltachat"]
    assert (client["verdict"], client["winner"]) == ("works", f"https://{DOMAIN}{WELL_KNOWN}")


def test_delta_chat_ends_at_a_web_page_in_place_of_autodiscover(certificates: Faulty) -> None:
    with world(certificates) as made:
        for label in ("autoconfig", ""):
            del made.web.pages[made.page(label, WELL_KNOWN if not label else FILE)]
        made.web.pages[made.page("", POX)] = HTML
        client = clients(made)["deltachat"]
    assert "it is a web page; its search ends there" in client["because"]


def test_delta_chat_follows_redirects_to_full_urls_only(certificates: Faulty) -> None:
    with world(certificates) as made:
        there = made.page("autoconfig", "/there.xml")
        made.web.pages[there] = made.web.pages[made.page("autoconfig", FILE)]
        made.web.pages[made.page("autoconfig", FILE)] = (302, {"Location": "/there.xml"}, b"")
        found = clients(made)
        made.web.pages[made.page("autoconfig", FILE)] = (302, {"Location": f"https://autoconfig.{DOMAIN}/there.xml"}, b"")
        full = clients(made)["deltachat"]
        without(made, "", "autodiscover")
        made.web.pages[made.page("autoconfig", FILE)] = (302, {"Location": "/there.xml"}, b"")
        nothing = clients(made)["deltachat"]
    assert (found["thunderbird"]["winner"], full["winner"]) == (f"https://autoconfig.{DOMAIN}/there.xml",) * 2
    assert found["deltachat"]["winner"] == f"https://{DOMAIN}{WELL_KNOWN}"
    assert nothing["verdict"] == "fails"
    assert "it does not follow a redirect to a path, only to a full URL" in nothing["because"]


def two_for_sending(made: World) -> None:
    """Nobody listens at the first."""
    outgoing = made.options["outgoing"]
    assert isinstance(outgoing, list)
    outgoing.insert(0, {**outgoing[0], "port": 1})
    made.publish(Provider.from_dict(made.options))


def test_delta_chat_ends_at_the_first_server_that_works(certificates: Faulty) -> None:
    with world(certificates) as made:
        two_for_sending(made)
        (data,) = run.run(options.read(made.params(address=ADDRESS, password=PASSWORD)))
        works = made.smtp.port
        made.smtp.close()
        nowhere = clients(made)["deltachat"]
    found = {client["client"]: client for client in data["clients"]}
    assert (found["thunderbird"]["verdict"], found["deltachat"]["verdict"]) == ("fails", "works")
    assert [service["port"] for service in found["deltachat"]["settings"]] == [made.imap.port, works]
    (finding,) = (each for each in data["findings"] if each["code"] == "server.unreachable")
    assert "thunderbird" in finding["clients"]
    assert "deltachat" not in finding["clients"]
    assert nowhere["verdict"] == "fails"
    assert [service["port"] for service in nowhere["settings"]] == [made.imap.port, 1]


def test_delta_chat_goes_on_where_a_login_is_refused(certificates: Faulty) -> None:
    with world(certificates) as made:
        other = Mail("smtp", "tls", made.mail_context, ("127.0.0.1", 0))
        other.accounts = {ADDRESS: "another"}
        outgoing = made.options["outgoing"]
        assert isinstance(outgoing, list)
        outgoing.insert(0, {**outgoing[0], "port": other.port})
        made.publish(Provider.from_dict(made.options))
        client = clients(made, address=ADDRESS, password=PASSWORD)["deltachat"]
        other.close()
    assert client["verdict"] == "works"
    assert [service["port"] for service in client["settings"]] == [made.imap.port, made.smtp.port]


def test_thunderbird_reads_the_type_and_others_do_not(certificates: Faulty) -> None:
    with world(certificates) as made:
        for key in ((("autoconfig", FILE)), ("", WELL_KNOWN)):
            status, _headers, body = made.web.pages[made.page(*key)]  # type: ignore[misc]
            made.web.pages[made.page(*key)] = (status, {"Content-Type": "text/plain"}, body)
        found = clients(made)
    assert found["thunderbird"]["winner"].endswith(POX)
    assert found["evolution"]["winner"].startswith(f"https://autoconfig.{DOMAIN}{FILE}")


def test_plain_http_is_a_last_resort_and_the_android_app_asks(certificates: Faulty) -> None:
    with world(certificates) as made:
        pages = made.web.pages
        pages["http", f"autoconfig.{DOMAIN}", FILE] = pages[made.page("autoconfig", FILE)]
        for path in (FILE, "/.well-known/mail-v1.xml"):
            del pages[made.page("autoconfig", path)]
        del pages[made.page("", WELL_KNOWN)]
        found = clients(made)
    assert found["thunderbird"]["winner"].startswith("http://")
    assert (found["k9"]["verdict"], "plain HTTP" in found["k9"]["because"]) == ("asks", True)
    assert found["geary"]["verdict"] == "fails"


def moved(made: World, alias: bool = True) -> None:
    """A customer's domain without hosts of its own: MX and SRV lead to the provider's."""
    for label in ("autoconfig", "autodiscover", ""):
        made.dns.records[f"{label}.{DOMAIN}" if label else DOMAIN, "A"] = []
    made.dns.records[DOMAIN, "MX"] = ["10 mail.held.example."]
    made.dns.records[f"_autodiscover._tcp.{DOMAIN}", "SRV"] = ["0 0 443 autodiscover.held.example."]
    made.dns.records["mail.held.example", "A"] = ["127.0.0.1"]
    for label in ("autoconfig", "autodiscover"):
        host = f"{label}.held.example"
        made.dns.records[host, "A"] = ["127.0.0.1"]
        made.web.contexts[host] = made.certificates.context("autoconfig.held.example", "autodiscover.held.example")
        for (scheme, name, path), page in list(made.web.pages.items()):
            if name == f"{label}.{DOMAIN}" and (alias or "mail-v1" not in path):
                made.web.pages[scheme, host, path] = page


def test_a_domain_without_hosts_is_found_through_mx_and_srv(certificates: Faulty) -> None:
    with world(certificates) as made:
        moved(made)
        found = clients(made)
    assert found["thunderbird"]["winner"].startswith("https://autoconfig.held.example/")
    assert found["thunderbird"]["verdict"] == "works"
    assert "DNSSEC" in found["k9"]["because"]
    assert found["evolution"]["verdict"] == "works"
    assert found["goa"]["winner"].startswith("https://autoconfig.held.example/.well-known/mail-v1.xml")
    assert (found["outlook"]["verdict"], "held.example" in found["outlook"]["because"]) == ("asks", True)
    assert found["kmail"]["verdict"] == found["deltachat"]["verdict"] == "fails"
    assert found["fairemail"]["winner"] == f"SRV of {DOMAIN}"


def test_without_the_alias_gnome_finds_nothing_through_the_mx(certificates: Faulty) -> None:
    with world(certificates) as made:
        moved(made, alias=False)
        assert clients(made)["goa"]["verdict"] == "fails"


def test_a_signed_zone_is_trusted(certificates: Faulty) -> None:
    with world(certificates) as made:
        moved(made)
        made.dns.validated = True
        assert clients(made)["k9"]["verdict"] == "works"


def test_outlook_follows_a_redirect_from_plain_http(certificates: Faulty) -> None:
    with world(certificates) as made:
        without(made, "")
        pages = made.web.pages
        answer = pages.pop(made.page("autodiscover", POX))
        pages[made.page("autodiscover", "/elsewhere.xml")] = answer
        url = f"https://autodiscover.{DOMAIN}/elsewhere.xml"
        pages["http", f"autodiscover.{DOMAIN}", POX] = (302, {"Location": url}, b"")
        assert clients(made)["outlook"]["winner"] == url


def test_clients_of_srv_want_submission_by_its_old_name(certificates: Faulty) -> None:
    with world(certificates, mode="starttls") as made:
        found = clients(made)
    assert found["aerc"]["verdict"] == found["horde"]["verdict"] == "works"
    with world(certificates) as made:
        found = clients(made)
    assert found["aerc"]["verdict"] == found["horde"]["verdict"] == "fails"


def test_a_service_that_is_not_offered_is_not_taken(certificates: Faulty) -> None:
    with world(certificates) as made:
        made.dns.records[f"_pop3s._tcp.{DOMAIN}", "SRV"] = ["0 0 0 ."]
        assert clients(made)["fairemail"]["settings"][0]["protocol"] == "imap"


def test_pacc_needs_its_digest(certificates: Faulty) -> None:
    with world(certificates) as made:
        without(made, "autoconfig", "")
        for service in ("_imaps", "_submissions"):
            made.dns.records[f"{service}._tcp.{DOMAIN}", "SRV"] = []
        made.publish_pacc()
        assert clients(made)["himalaya"]["winner"].startswith(f"https://ua-auto-config.{DOMAIN}/")
        made.dns.records[f"_ua-auto-config.{DOMAIN}", "TXT"] = ['"v=UAAC1; a=sha256; d=AAAA"']
        assert clients(made)["himalaya"]["verdict"] == "fails"


def test_the_database_of_mozilla_is_asked_only_on_request(certificates: Faulty) -> None:
    with world(certificates) as made:
        steps = clients(made)["kmail"]["steps"]
    assert [step["answer"] for step in steps if "thunderbird.net" in step["question"]] == ["not asked"]


# -- where a password may go ----------------------------------------------------------------------------------------------


def logins(made: World) -> list[tuple[str, str]]:
    return [*made.imap.logins, *made.smtp.logins]


def test_a_password_goes_to_what_the_domain_itself_says(certificates: Faulty) -> None:
    with world(certificates) as made:
        clients(made, address=ADDRESS, password=PASSWORD)
        assert logins(made) == [(ADDRESS, PASSWORD)] * 2


def test_a_password_never_goes_where_dns_alone_leads(certificates: Faulty) -> None:
    with world(certificates) as made:
        moved(made)
        clients(made, address=ADDRESS, password=PASSWORD)
        assert logins(made) == []


def test_a_password_never_goes_where_plain_http_leads(certificates: Faulty) -> None:
    with world(certificates) as made:
        for (scheme, name, path), page in list(made.web.pages.items()):
            if scheme == "https":
                del made.web.pages[scheme, name, path]
                made.web.pages["http", name, path] = page
        for service in ("_imaps", "_submissions"):
            made.dns.records[f"{service}._tcp.{DOMAIN}", "SRV"] = []
        found = clients(made, address=ADDRESS, password=PASSWORD)
        assert found["thunderbird"]["winner"].startswith("http://")
        assert logins(made) == []


def test_a_password_never_goes_where_a_redirect_to_others_leads(certificates: Faulty) -> None:
    with world(certificates) as made:
        moved(made)
        made.dns.records[f"autoconfig.{DOMAIN}", "A"] = ["127.0.0.1"]
        del made.web.pages[made.page("autoconfig", "/mail.mobileconfig")]
        for path in (FILE, "/.well-known/mail-v1.xml"):
            made.web.pages[made.page("autoconfig", path)] = (302, {"Location": f"https://autoconfig.held.example{FILE}"}, b"")
        made.dns.records["autoconfig.held.example", "A"] = ["127.0.0.1"]
        found = clients(made, address=ADDRESS, password=PASSWORD)
        assert found["thunderbird"]["verdict"] == "works"
        assert logins(made) == []


@pytest.mark.parametrize("how", [{"by_itself": True}, {"names": ("other.example",)}, {"begins": -9, "ends": -1}])
def test_a_password_never_goes_without_a_verified_certificate(certificates: Faulty, how: dict[str, Any]) -> None:
    with world(certificates) as made:
        wanted = made.wanted()
        given = {"names": (f"mail.{DOMAIN}",), **how}
        made.imap.context = made.smtp.context = certificates.shown(certificates.pair(*given.pop("names"), **given))
        clients(made, address=ADDRESS, password=PASSWORD, **wanted)
        assert logins(made) == []


def test_a_password_goes_to_wanted_servers_only(certificates: Faulty) -> None:
    with world(certificates) as made:
        other = [{**made.options, "incoming": [{"type": "imap", "hostname": f"imap.{DOMAIN}"}]}]
        clients(made, address=ADDRESS, password=PASSWORD, providers=other)
        assert made.imap.logins == []
        assert made.smtp.logins == [(ADDRESS, PASSWORD)]
