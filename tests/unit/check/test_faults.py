"""Broken on purpose: one fault at a time, and the report names exactly that one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check import options, run

from tests.unit.check.conftest import Faulty
from tests.unit.check.world import ADDRESS, DOMAIN, PASSWORD, XML, World, world
from tools.loopback import NameServer

Data = dict[str, Any]
AUTOCONFIG = ("autoconfig", "/mail/config-v1.1.xml")
AUTODISCOVER = ("autodiscover", "/autodiscover/autodiscover.xml")
HTML = (200, {"Content-Type": "text/html"}, b"<!DOCTYPE html><html><body>Welcome to our shop</body></html>")


def check(made: World, wanted: bool = True, **more: Any) -> Data:
    params = made.params(**{**(made.wanted() if wanted else {}), **more})
    (data,) = run.run(options.read(params))
    return data


def codes(data: Data, *severities: str) -> set[str]:
    return {finding["code"] for finding in data["findings"] if finding["severity"] in (severities or ("error", "warning"))}


def page(made: World, key: tuple[str, str], reply: Any) -> None:
    made.web.pages[made.page(*key)] = reply


def edit(made: World, key: tuple[str, str], *changes: tuple[str, str]) -> None:
    """Change what a document says."""
    old = made.web.pages[made.page(*key)]

    def reply(method: str, target: str, body: bytes) -> Any:
        status, headers, content = old(method, target, body) if callable(old) else old
        text = content.decode()
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        return status, headers, text.encode()

    page(made, key, reply)


def typed(made: World, key: tuple[str, str], media_type: str) -> None:
    old = made.web.pages[made.page(*key)]

    def reply(method: str, target: str, body: bytes) -> Any:
        status, _headers, content = old(method, target, body) if callable(old) else old
        return status, {"Content-Type": media_type}, content

    page(made, key, reply)


def record(owner: str, kind: str, *rdatas: str) -> Callable[[World], None]:
    """Have other records, or none, at a name below the domain."""
    name = f"{owner}.{DOMAIN}" if owner else DOMAIN

    def change(made: World) -> None:
        made.dns.records[name, kind] = [rdata.format(imap=made.imap.port, smtp=made.smtp.port) for rdata in rdatas]

    return change


def certificate(host: str, names: tuple[str, ...] = (), **how: Any) -> Callable[[World], None]:
    """Have a host show another certificate."""
    name = f"{host}.{DOMAIN}" if host else DOMAIN

    def change(made: World) -> None:
        faulty = made.certificates
        assert isinstance(faulty, Faulty)
        made.web.contexts[name] = faulty.shown(faulty.pair(*(names or (name,)), **how))

    return change


def no_intermediate(made: World) -> None:
    faulty = made.certificates
    assert isinstance(faulty, Faulty)
    intermediate = faulty.pair("Intermediate", authority=True)
    made.web.contexts[f"autoconfig.{DOMAIN}"] = faulty.shown(faulty.pair(f"autoconfig.{DOMAIN}", issuer=intermediate))


def unknown_authority(made: World) -> None:
    faulty = made.certificates
    assert isinstance(faulty, Faulty)
    other = faulty.pair("Somebody", authority=True, by_itself=True)
    made.web.contexts[f"autodiscover.{DOMAIN}"] = faulty.shown(faulty.pair(f"autodiscover.{DOMAIN}", issuer=other), other[0])


def loop(made: World) -> None:
    url = f"https://autoconfig.{DOMAIN}/mail/config-v1.1.xml"
    page(made, AUTOCONFIG, (302, {"Location": url}, b""))


def mail_certificate(which: str, names: tuple[str, ...] = (f"mail.{DOMAIN}",), **how: Any) -> Callable[[World], None]:
    def change(made: World) -> None:
        faulty = made.certificates
        assert isinstance(faulty, Faulty)
        getattr(made, which).context = faulty.shown(faulty.pair(*names, **how))

    return change


def old_tls(made: World) -> None:
    made.web.only_old_tls = True


def closed(which: str) -> Callable[[World], None]:
    """Nobody listens on the port of a mail server."""

    def change(made: World) -> None:
        getattr(made, which).close()

    return change


def other_mode(which: str, mode: str) -> Callable[[World], None]:
    def change(made: World) -> None:
        getattr(made, which).tls = mode

    return change


def mechanisms(which: str, *names: str) -> Callable[[World], None]:
    def change(made: World) -> None:
        getattr(made, which).mechanisms = list(names)

    return change


def local_part_logs_in(made: World) -> None:
    for server in (made.imap, made.smtp):
        server.accounts = {"anna": PASSWORD}


def another_password(made: World) -> None:
    for server in (made.imap, made.smtp):
        server.accounts = {ADDRESS: "another"}


def cached(made: World) -> None:
    made.dns.zone_records[f"_imaps._tcp.{DOMAIN}", "SRV"] = list(made.dns.records[f"_imaps._tcp.{DOMAIN}", "SRV"])
    made.dns.records[f"_imaps._tcp.{DOMAIN}", "SRV"] = [f"0 1 993 old.{DOMAIN}."]


def each(*changes: Callable[[World], None]) -> Callable[[World], None]:
    def change(made: World) -> None:
        for one in changes:
            one(made)

    return change


def on(key: tuple[str, str], reply: Any) -> Callable[[World], None]:
    return lambda made: page(made, key, reply)


def says(key: tuple[str, str], *changes: tuple[str, str]) -> Callable[[World], None]:
    return lambda made: edit(made, key, *changes)


def has_type(key: tuple[str, str], media_type: str) -> Callable[[World], None]:
    return lambda made: typed(made, key, media_type)


WELL_KNOWN = ("", "/.well-known/autoconfig/mail/config-v1.1.xml")
APEX = ("", "/autodiscover/autodiscover.xml")
PROFILE = ("autoconfig", "/mail.mobileconfig")
BOMB = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><clientConfig>&b;</clientConfig>'
SPACES = ("<username>%EMAILADDRESS%</username>", "<username>\n%EMAILADDRESS%\n</username>")
EVERYWHERE = (AUTOCONFIG, ("autoconfig", "/.well-known/mail-v1.xml"), WELL_KNOWN)


def in_file(*changes: tuple[str, str]) -> Callable[[World], None]:
    """Change Mozilla's file wherever it is."""
    return each(*(says(key, *changes) for key in EVERYWHERE))


def in_autodiscover(*changes: tuple[str, str]) -> Callable[[World], None]:
    return each(*(says(key, *changes) for key in (AUTODISCOVER, APEX)))


# name -> what is broken, the one finding, one client that must be among those that it hits (or none)
FAULTS: dict[str, tuple[Callable[[World], None], str, str]] = {
    # records
    "autoconfig has no record": (record("autoconfig", "A"), "dns.autoconfig.missing", "thunderbird"),
    "autodiscover has no record": (record("autodiscover", "A"), "dns.autodiscover.missing", "outlook-cloud"),
    "autoconfig leads to another host": (record("autoconfig", "A", "127.0.0.2"), "dns.autoconfig.differs", "thunderbird"),
    "autodiscover leads to another host": (record("autodiscover", "A", "127.0.0.2"), "dns.autodiscover.differs", ""),
    "autoconfig is an alias of nothing": (
        each(record("autoconfig", "A"), record("autoconfig", "CNAME", "gone.example.")),
        "dns.autoconfig.dangling",
        "k9",
    ),
    "autodiscover is an alias of nothing": (
        each(record("autodiscover", "A"), record("autodiscover", "CNAME", "gone.example.")),
        "dns.autodiscover.dangling",
        "",
    ),
    "autoconfig is an alias in a circle": (
        each(
            record("autoconfig", "A"),
            record("autoconfig", "CNAME", "other.server.tld."),
            record("other", "CNAME", "autoconfig.server.tld."),
        ),
        "dns.autoconfig.dangling",
        "k9",
    ),
    "no _imaps": (record("_imaps._tcp", "SRV"), "dns.srv.missing", "fairemail"),
    "no _submissions": (record("_submissions._tcp", "SRV"), "dns.srv.missing", "fairemail"),
    "no _autodiscover": (record("_autodiscover._tcp", "SRV"), "dns.srv.missing", ""),
    "_imaps names another port": (record("_imaps._tcp", "SRV", "0 1 143 mail.server.tld."), "dns.srv.differs", "fairemail"),
    "_imaps names another host": (record("_imaps._tcp", "SRV", "0 1 {imap} autoconfig.server.tld."), "dns.srv.differs", ""),
    "_submissions names another port": (record("_submissions._tcp", "SRV", "0 1 2 mail.server.tld."), "dns.srv.differs", ""),
    "_imaps says that it is not offered": (record("_imaps._tcp", "SRV", "0 0 0 ."), "dns.srv.refused", "fairemail"),
    "a stale _pop3s": (record("_pop3s._tcp", "SRV", "0 1 995 old.example."), "dns.srv.unwanted", "claws"),
    "_autodiscover names another port": (
        record("_autodiscover._tcp", "SRV", "0 0 8443 autodiscover.server.tld."),
        "dns.srv.differs",
        "",
    ),
    "_autodiscover twice": (
        record("_autodiscover._tcp", "SRV", "0 0 443 autodiscover.server.tld.", "0 1 443 autoconfig.server.tld."),
        "dns.srv.differs",
        "",
    ),
    "the target of SRV is an alias": (
        each(record("mail", "A"), record("mail", "CNAME", "host.server.tld."), record("host", "A", "127.0.0.1")),
        "dns.srv.alias",
        "",
    ),
    "no MX": (record("", "MX"), "dns.mx.missing", ""),
    "a stale MX": (record("", "MX", "10 mail.server.tld.", "20 gone.example."), "dns.mx.dangling", ""),
    "MS= is left over": (record("", "TXT", '"MS=ms12345678"'), "dns.ms_txt", "outlook"),
    "CAA forbids every authority": (record("autoconfig", "CAA", '0 issue ";"'), "dns.caa.forbids", ""),
    "TLSA names another key": (record("_443._tcp.autoconfig", "TLSA", f"3 1 1 {'ab' * 32}"), "dns.tlsa.differs", ""),
    "the name server refuses autoconfig": (
        lambda made: made.dns.codes.update({f"autoconfig.{DOMAIN}": "SERVFAIL"}),
        "dns.autoconfig.failed",
        "thunderbird",
    ),
    "a server of the zone is none": (lambda made: setattr(made.dns, "authoritative", False), "dns.server_silent", ""),
    "IPv6 leads nowhere": (record("autoconfig", "AAAA", "::1"), "http.ipv6_unreachable", "thunderbird"),
    # certificates
    "the certificate of autoconfig has expired": (certificate("autoconfig", begins=-90, ends=-1), "tls.expired", "thunderbird"),
    "the certificate of autodiscover has expired": (certificate("autodiscover", begins=-90, ends=-1), "tls.expired", ""),
    "a certificate is not valid yet": (certificate("autoconfig", begins=1), "tls.not_yet_valid", "k9"),
    "a certificate names another host": (certificate("autoconfig", names=("shop.example",)), "tls.wrong_name", "geary"),
    "a certificate names no autodiscover": (certificate("autodiscover", names=(DOMAIN,)), "tls.wrong_name", ""),
    "a wildcard is one label short": (certificate("autoconfig", names=("*.tld",)), "tls.wrong_name", ""),
    "a certificate signed by itself": (certificate("autoconfig", by_itself=True), "tls.self_signed", "deltachat"),
    "a certificate of an unknown authority": (unknown_authority, "tls.unknown_authority", ""),
    "an intermediate is missing": (no_intermediate, "tls.chain", "thunderbird"),
    "a certificate should have been renewed": (certificate("autoconfig", begins=-85, ends=5), "tls.expires_soon", ""),
    "TLS is too old": (old_tls, "tls.handshake", "thunderbird"),
    "the apex has a certificate of the shop": (certificate("", names=("shop.example",)), "tls.wrong_name", "outlook"),
    # answers
    "no file": (on(AUTOCONFIG, (404, {}, b"")), "http.not_found", "thunderbird"),
    "no Autodiscover": (on(AUTODISCOVER, (404, {}, b"")), "http.not_found", "outlook-cloud"),
    "no profile": (on(PROFILE, (404, {}, b"")), "http.not_found", "apple"),
    "the file is empty": (on(AUTOCONFIG, (200, {"Content-Type": XML}, b"")), "document.empty", "thunderbird"),
    "a web page in place of the file": (on(AUTOCONFIG, HTML), "http.web_page", "thunderbird"),
    "a web page in place of Autodiscover": (on(AUTODISCOVER, HTML), "http.web_page", "outlook-cloud"),
    "the apex sends Autodiscover to the shop": (on(APEX, HTML), "http.web_page", "outlook"),
    "the apex redirects to a shop": (
        on(WELL_KNOWN, (302, {"Location": "https://shop.example/"}, b"")),
        "http.no_address",
        "",
    ),
    "a password for the file": (on(AUTOCONFIG, (401, {"WWW-Authenticate": "Basic"}, b"")), "http.authentication", "k9"),
    "a password for Autodiscover": (
        on(AUTODISCOVER, (401, {"WWW-Authenticate": "Basic"}, b"")),
        "http.authentication",
        "outlook-cloud",
    ),
    "access is forbidden": (on(AUTOCONFIG, (403, {}, b"")), "http.authentication", "thunderbird"),
    "an error of the server": (on(AUTOCONFIG, (500, {}, b"")), "http.server_error", "thunderbird"),
    "method not allowed": (on(AUTODISCOVER, (405, {}, b"")), "http.status", ""),
    "redirects without end": (loop, "http.redirect_loop", "thunderbird"),
    "redirects to nonsense": (on(AUTOCONFIG, (302, {"Location": "http://["}, b"")), "http.redirect_nowhere", ""),
    "no HTTP": (on(AUTOCONFIG, b"SSH-2.0-nonsense\r\n\r\n"), "http.not_http", "thunderbird"),
    "the wrong type of the file": (has_type(AUTOCONFIG, "text/plain"), "http.content_type", "thunderbird"),
    "the wrong type of Autodiscover": (has_type(AUTODISCOVER, "text/html"), "http.content_type", "outlook-cloud"),
    "the wrong type of the profile": (has_type(PROFILE, "text/xml"), "http.content_type", "apple"),
    "an answer that never comes": (
        lambda made: made.web.slow.update({made.page(*AUTOCONFIG): 4}),
        "http.timeout",
        "thunderbird",
    ),
    # documents
    "no XML": (on(AUTOCONFIG, (200, {"Content-Type": XML}, b"<clientConfig><oops>")), "document.not_xml", "thunderbird"),
    "an entity bomb": (on(AUTOCONFIG, (200, {"Content-Type": XML}, BOMB)), "document.doctype", "thunderbird"),
    "another root": (on(AUTOCONFIG, (200, {"Content-Type": XML}, b"<feed/>")), "document.wrong_root", ""),
    "a placeholder as the id": (in_file((f'id="{DOMAIN}"', 'id="%EMAILDOMAIN%"')), "document.id", "k9"),
    "no domain": (in_file((f"<domain>{DOMAIN}</domain>", "")), "document.no_domain", "thunderbird"),
    "spaces in the user name": (in_file(SPACES), "document.odd", "evolution"),
    "a mixed user name": (in_file(("%EMAILADDRESS%", "%EMAILLOCALPART%@%EMAILDOMAIN%")), "document.username", "aerc"),
    "no authentication": (
        in_file(("<authentication>password-cleartext</authentication>", "")),
        "document.authentication",
        "k9",
    ),
    "an unknown socketType": (
        in_file(("<socketType>SSL</socketType>", "<socketType>TLS</socketType>")),
        "document.socket_type",
        "k9",
    ),
    "https namespaces": (
        in_autodiscover(
            (
                "http://schemas.microsoft.com/exchange/autodiscover/outlook",
                "https://schemas.microsoft.com/exchange/autodiscover/outlook",
            )
        ),
        "document.namespace",
        "outlook",
    ),
    "SPA is on": (in_autodiscover(("<SPA>off</SPA>", "<SPA>on</SPA>")), "document.spa", "outlook"),
    "no LoginName": (in_autodiscover((f"<LoginName>{ADDRESS}</LoginName>", "")), "document.login_name", "outlook"),
    "true in place of on": (in_autodiscover(("<SSL>on</SSL>", "<SSL>true</SSL>")), "document.on_off", "thunderbird"),
    "Encryption TLS for implicit TLS": (
        in_autodiscover(("<Encryption>SSL</Encryption>", "<Encryption>TLS</Encryption>")),
        "settings.differ",
        "outlook",
    ),
    "settings in capitals": (in_autodiscover(("<Action>settings", "<Action>Settings")), "document.account_type", "fairemail"),
    "the profile has no UseSSL": (
        says(
            PROFILE, ("<key>IncomingMailServerUseSSL</key>\n\t\t\t<true/>", "<key>IncomingMailServerUseSSL</key>\n\t\t\t<false/>")
        ),
        "document.plain",
        "apple",
    ),
    # two truths
    "the file names another host": (
        in_file((f"<hostname>mail.{DOMAIN}", f"<hostname>autoconfig.{DOMAIN}")),
        "settings.differ",
        "thunderbird",
    ),
    "Autodiscover has another user name": (
        lambda made: edit_later(made, "LoginName", "anna"),
        "settings.username",
        "outlook",
    ),
    # mail servers
    "nothing listens on the IMAP port": (closed("imap"), "server.unreachable", "thunderbird"),
    "nothing listens on the submission port": (closed("smtp"), "server.unreachable", "deltachat"),
    "the IMAP port speaks STARTTLS": (other_mode("imap", "starttls"), "server.tls_missing", "thunderbird"),
    "the submission port speaks without TLS": (other_mode("smtp", "none"), "server.tls_missing", "k9"),
    "the IMAP certificate has expired": (
        mail_certificate("imap", begins=-90, ends=-1),
        "server.certificate_expired",
        "thunderbird",
    ),
    "the submission certificate is another host's": (
        mail_certificate("smtp", names=("other.example",)),
        "server.certificate_wrong_name",
        "deltachat",
    ),
    "the IMAP certificate is signed by itself": (
        mail_certificate("imap", by_itself=True),
        "server.certificate_self_signed",
        "",
    ),
    "IMAP offers no password": (mechanisms("imap", "GSSAPI"), "server.authentication", "thunderbird"),
    "submission offers no authentication": (mechanisms("smtp"), "server.authentication", "thunderbird"),
    "the local part logs in": (local_part_logs_in, "server.login_name", "thunderbird"),
    "the password is another": (another_password, "server.login_refused", "thunderbird"),
}


def edit_later(made: World, element: str, value: str) -> None:
    for key in (AUTODISCOVER, APEX):
        edit(made, key, (f"<{element}>{ADDRESS}</{element}>", f"<{element}>{value}</{element}>"))


@pytest.mark.parametrize("name", FAULTS)
def test_exactly_this_fault(certificates: Faulty, name: str) -> None:
    breaks, code, client = FAULTS[name]
    with world(certificates) as made:
        wish = made.wanted()
        breaks(made)
        data = check(made, wanted=False, **wish, address=ADDRESS, password=PASSWORD)
        assert codes(data) == {code}
        finding = next(each for each in data["findings"] if each["code"] == code)
        assert finding["mends"]
        assert all(finding["mends"])
        assert not client or client in finding["clients"]
        assert PASSWORD not in str(data)


@pytest.mark.parametrize("key", [APEX, WELL_KNOWN])
def test_what_is_wrong_at_the_domain_itself_is_mended_on_its_own_site(certificates: Faulty, key: tuple[str, str]) -> None:
    with world(certificates) as made:
        page(made, key, (302, {"Location": f"https://{DOMAIN}{key[1]}"}, b""))
        data = check(made)
    (finding,) = [each for each in data["findings"] if each["code"] == "http.redirect_loop"]
    assert finding["mends"][0].startswith("mail_autoconfig_well_known: true")


def test_a_circle_of_aliases_is_told_once_round(certificates: Faulty) -> None:
    with world(certificates) as made:
        FAULTS["autoconfig is an alias in a circle"][0](made)
        (found,) = (each for each in check(made, wanted=False)["findings"] if each["code"] == "dns.autoconfig.dangling")
        assert found["what"] == f"autoconfig.{DOMAIN} is an alias that leads in a circle"
        assert found["seen"] == f"autoconfig.{DOMAIN} -> other.{DOMAIN} -> autoconfig.{DOMAIN}"


def test_of_whom_a_web_page_ends_the_search(certificates: Faulty) -> None:
    with world(certificates) as made:
        for key in (AUTOCONFIG, AUTODISCOVER):
            page(made, key, HTML)
        found = [each for each in check(made, wanted=False)["findings"] if each["code"] == "http.web_page"]
        told = {each["where"]: each["what"] for each in found}
        (of_file,) = (what for where, what in told.items() if where.endswith("config-v1.1.xml"))
        (of_autodiscover,) = (what for where, what in told.items() if where.endswith("autodiscover.xml"))
        assert of_file.endswith(", which ends the search of KMail, Delta Chat")
        assert of_autodiscover == "a web page comes where settings belong"


# -- of a domain of which nobody says what is wanted ----------------------------------------------------------------------


def elsewhere(key: tuple[str, str], url: str) -> Callable[[World], None]:
    """Redirect to another place, where the same document is."""

    def change(made: World) -> None:
        scheme, _slashes, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        old = made.web.pages[made.page(*key)]
        made.web.pages[scheme, host, slash + path] = old
        made.dns.records[host, "A"] = ["127.0.0.1"]
        if host not in made.web.contexts:
            made.web.contexts[host] = made.certificates.context(host)
        page(made, key, (302, {"Location": url}, b""))

    return change


def only_plain_http(made: World) -> None:
    """No certificate anywhere: what there is, is served over plain HTTP."""
    for (scheme, name, path), reply in list(made.web.pages.items()):
        if scheme == "https":
            del made.web.pages[scheme, name, path]
            made.web.pages["http", name, path] = reply
    for label in ("_imaps", "_submissions", "_autodiscover"):
        made.dns.records[f"{label}._tcp.{DOMAIN}", "SRV"] = []


def wrong_digest(made: World) -> None:
    made.publish_pacc()
    made.dns.records[f"_ua-auto-config.{DOMAIN}", "TXT"] = [f'"v=UAAC1; a=sha256; d={"A" * 43}="']


def nothing(made: World) -> None:
    for label in ("autoconfig", "autodiscover"):
        made.dns.records[f"{label}.{DOMAIN}", "A"] = []
    for label in ("_imaps", "_submissions", "_autodiscover"):
        made.dns.records[f"{label}._tcp.{DOMAIN}", "SRV"] = []
    made.web.pages.clear()


# The ports of the test are none that PACC can say.
PORTS = ("settings.differ",)
BY_ITSELF: dict[str, tuple[Callable[[World], None], set[str]]] = {
    "nothing is wrong": (lambda made: None, set()),
    "nothing is published": (nothing, {"dns.autoconfig.missing", "dns.autodiscover.missing"}),
    "autoconfig has no record, the apex answers": (record("autoconfig", "A"), set()),
    "autoconfig has no record, nor answers the apex": (
        each(record("autoconfig", "A"), on(WELL_KNOWN, (404, {}, b""))),
        {"dns.autoconfig.missing"},
    ),
    "the domain does not exist": (lambda made: made.dns.codes.update({DOMAIN: "NXDOMAIN"}), {"dns.domain.missing"}),
    "nobody listens at autoconfig": (record("autoconfig", "A", "127.0.0.2"), {"http.refused"}),
    "a web page in place of the file": (on(AUTOCONFIG, HTML), {"http.web_page"}),
    "_imaps says that it is not offered": (record("_imaps._tcp", "SRV", "0 0 0 ."), {"dns.srv.refused"}),
    "_imaps leads to nobody": (record("_imaps._tcp", "SRV", "0 1 1 mail.server.tld."), {"settings.differ"}),
    "_autodiscover names another port": (
        record("_autodiscover._tcp", "SRV", "0 0 8443 autodiscover.server.tld."),
        {"dns.srv.autodiscover_port"},
    ),
    "_autodiscover twice": (
        record("_autodiscover._tcp", "SRV", "0 0 443 autodiscover.server.tld.", "0 1 443 autoconfig.server.tld."),
        {"dns.srv.several"},
    ),
    "_autodiscover leads to nobody": (
        record("_autodiscover._tcp", "SRV", "0 0 443 gone.example."),
        {"dns.srv.dangling"},
    ),
    "Autodiscover redirects to a stranger": (
        elsewhere(AUTODISCOVER, "https://held.example/a.xml"),
        {"http.foreign_redirect"},
    ),
    "the file redirects to plain HTTP": (elsewhere(AUTOCONFIG, f"http://autoconfig.{DOMAIN}/x.xml"), {"http.downgrade"}),
    "everything over plain HTTP": (only_plain_http, {"http.not_found", "http.insecure"}),
    "the digest is another's": (wrong_digest, {"dns.pacc_digest.differs", *PORTS}),
    "there is no digest": (
        each(lambda made: made.publish_pacc(), record("_ua-auto-config", "TXT")),
        {"dns.pacc_digest.missing", *PORTS},
    ),
    "two truths, one of which does not work": (
        in_autodiscover((f"<Server>mail.{DOMAIN}", f"<Server>old.{DOMAIN}")),
        {"settings.differ"},
    ),
    "the certificate of the apex is the shop's": (certificate("", names=("shop.example",)), set()),
    "the apex asks for a password": (on(APEX, (401, {"WWW-Authenticate": "Basic"}, b"")), {"http.authentication"}),
    "the resolver remembers": (cached, {"settings.differ"}),
}


@pytest.mark.parametrize("name", BY_ITSELF)
def test_a_domain_against_itself(certificates: Faulty, name: str) -> None:
    breaks, expected = BY_ITSELF[name]
    with world(certificates) as made:
        breaks(made)
        data = check(made, wanted=False)
    assert codes(data) == expected


def test_with_starttls_the_older_clients_work_too(certificates: Faulty) -> None:
    with world(certificates, mode="starttls") as made:
        # On a port that nobody knows a profile cannot say STARTTLS.
        del made.web.pages[made.page(*PROFILE)]
        data = check(made, wanted=False, address=ADDRESS, password=PASSWORD)
    assert codes(data) == set()
    assert {client["verdict"] for client in data["clients"] if client["client"] in ("aerc", "horde")} == {"works"}


@pytest.mark.parametrize("which", ["imap", "smtp"])
def test_a_password_never_goes_where_starttls_is_not_offered(certificates: Faulty, which: str) -> None:
    with world(certificates, mode="starttls") as made:
        server = getattr(made, which)
        # It takes passwords in the clear, as if somebody in between had taken the offer of STARTTLS away.
        server.tls = "none"
        del made.web.pages[made.page(*PROFILE)]
        for wish in ({}, made.wanted()):
            data = check(made, wanted=False, address=ADDRESS, password=PASSWORD, **wish)
            found = [finding for finding in data["findings"] if finding["code"] == "server.no_starttls"]
            assert [finding["where"] for finding in found] == [f"{which.upper()} mail.{DOMAIN}:{server.port} (starttls)"]
            assert "thunderbird" in found[0]["clients"]
            logins = [each["login"]["outcome"] for each in data["servers"] if each["port"] == server.port]
            assert logins == ["insecure"]
        assert server.logins == []
        assert PASSWORD not in str(data)


def test_what_is_missing_is_given_as_zone_lines(certificates: Faulty) -> None:
    with world(certificates) as made:
        wish = made.wanted()
        port = made.imap.port
        record("_imaps._tcp", "SRV", "0 1 143 old.server.tld.")(made)
        record("autoconfig", "A")(made)
        data = check(made, wanted=False, **wish)
    assert data["zone"] == [
        f"autoconfig.{DOMAIN}. 300 IN A 127.0.0.1",
        f"_imaps._tcp.{DOMAIN}. 300 IN SRV 0 1 {port} mail.{DOMAIN}.",
    ]
    assert data["stale"] == [f"_imaps._tcp.{DOMAIN}. IN SRV 0 1 143 old.{DOMAIN}."]


def test_many_domains_at_once(certificates: Faulty) -> None:
    with world(certificates) as made:
        others = [f"d{number}.example" for number in range(20)]
        data = run.run(options.read(made.params(domains=[DOMAIN, *others])))
    assert [each["domain"] for each in data] == [DOMAIN, *others]
    assert data[0]["verdict"] == "works"
    assert {finding["code"] for each in data[1:] for finding in each["findings"]} == {"dns.domain.missing"}


def test_servers_of_the_zone_that_this_machine_may_not_ask_are_no_fault(certificates: Faulty) -> None:
    with world(certificates) as made:
        made.dns.records[f"ns.{DOMAIN}", "A"] = ["127.0.0.9"]
        data = check(made, wanted=False)
    assert codes(data) == set()
    assert "dns.zone_not_asked" in codes(data, "info")


def test_one_silent_server_of_several_is(certificates: Faulty) -> None:
    with world(certificates) as made:
        made.dns.records[DOMAIN, "NS"] = [f"ns.{DOMAIN}.", f"ns2.{DOMAIN}."]
        made.dns.records[f"ns2.{DOMAIN}", "A"] = ["127.0.0.9"]
        data = check(made, wanted=False)
    assert codes(data) == {"dns.server_silent"}


def test_servers_of_the_zone_that_differ(certificates: Faulty) -> None:
    with world(certificates) as made:
        other = NameServer(("127.0.0.99", made.dns.port))
        try:
            other.records = {key: list(rdatas) for key, rdatas in made.dns.records.items()}
            other.records[DOMAIN, "MX"] = [f"5 old.{DOMAIN}."]
            made.dns.records[DOMAIN, "NS"] = other.records[DOMAIN, "NS"] = [f"ns.{DOMAIN}.", f"ns2.{DOMAIN}."]
            made.dns.records[f"ns2.{DOMAIN}", "A"] = other.records[f"ns2.{DOMAIN}", "A"] = ["127.0.0.99"]
            data = check(made, wanted=False)
        finally:
            other.close()
    assert codes(data) == {"dns.servers_differ"}


def test_a_new_server_is_checked_before_dns_leads_to_it(certificates: Faulty) -> None:
    """The records lead to the old server, on which nobody listens; or there is no DNS at all."""
    with world(certificates) as made:
        given = {name: ["127.0.0.1"] for name in (f"{label}{DOMAIN}" for label in ("", "autoconfig.", "autodiscover.", "mail."))}
        for name in given:
            made.dns.records[name, "A"] = ["127.0.0.2"]
        assert codes(check(made, wanted=False)) != set()
        assert codes(check(made, wanted=False, addresses=given)) == set()


def test_a_new_server_is_checked_without_any_dns(certificates: Faulty) -> None:
    """Nobody waits for a resolver that is not there: two domains at once ask their first question each, one of them for all."""
    with world(certificates) as made:
        given = {name: ["127.0.0.1"] for name in (f"{label}{DOMAIN}" for label in ("", "autoconfig.", "autodiscover.", "mail."))}
        made.dns.unanswered = {"everything"}
        others = [f"d{number}.example" for number in range(20)]
        params = made.params(**made.wanted(), domains=[DOMAIN, *others], addresses=given, parallel=2, timeout=1)
        data, *rest = run.run(options.read(params))
    assert codes(data) == set()
    assert data["verdict"] == "works"
    assert {client["verdict"] for client in data["clients"] if client["client"] in ("thunderbird", "k9")} == {"works"}
    # Of what was not asked nobody can say that it is missing.
    assert (data["zone"], data["stale"]) == ([], [])
    assert {each["state"] for each in data["records"] if each["type"] == "SRV"} == {"unknown"}
    assert {each["verdict"] for each in rest} == {"unknown"}
    assert set(made.dns.asked) <= {*((domain, "SOA") for domain in (DOMAIN, "d0.example")), ("", "NS")}
    assert len(made.dns.asked) <= 3


def test_a_question_that_is_not_answered_says_nothing_of_the_record(certificates: Faulty) -> None:
    with world(certificates) as made:
        made.dns.unanswered = {f"_imaps._tcp.{DOMAIN}"}
        data = check(made, timeout=1)
        assert codes(data) == {"dns.unanswered"}
        assert data["zone"] == []
        made.dns.unanswered, made.dns.codes = set(), {f"_imaps._tcp.{DOMAIN}": "SERVFAIL"}
        data = check(made)
        assert codes(data) == {"dns.unanswered"}
        assert data["findings"][0]["seen"] == "SERVFAIL"


def test_a_domain_of_no_provider_is_told(certificates: Faulty) -> None:
    with world(certificates) as made:
        other = {**made.options, "domains": ["other.tld"]}
        data = check(made, wanted=False, providers=[other])
        assert codes(data) == set()
        assert "check.no_provider" in codes(data, "info")
        for wish in ({}, {"providers": [other, made.options]}):
            assert "check.no_provider" not in codes(check(made, wanted=False, **wish), "info")


def test_records_of_a_domain_of_no_provider_are_held_against_what_was_published(certificates: Faulty) -> None:
    """Its servers alone are not; the finding must not say more."""
    with world(certificates) as made:
        published = made.wanted()["published"]
        del made.dns.records[f"_imaps._tcp.{DOMAIN}", "SRV"]
        other = {**made.options, "domains": ["other.tld"]}
        assert codes(check(made, wanted=False, providers=[other])) == set()
        data = check(made, wanted=False, providers=[other], published=published)
        assert codes(data) == {"dns.srv.missing"}
        (told,) = [finding["what"] for finding in data["findings"] if finding["code"] == "check.no_provider"]
        assert told == "none of the providers has this domain: its servers are held against what it publishes itself"
