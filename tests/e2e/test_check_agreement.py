"""What the check says of Thunderbird and Delta Chat, and what a real one does with the same fault."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.documents import thunderbird as document
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import Provider

from tests.conftest import need
from tests.unit.check.conftest import Faulty
from tests.unit.check.parsing.test_hostile import NESTED
from tests.unit.check.test_faults import (
    APEX,
    AUTOCONFIG,
    AUTODISCOVER,
    BY_ITSELF,
    FAULTS,
    WELL_KNOWN,
    check,
    each,
    in_file,
    mechanisms,
    on,
    other_mode,
    says,
)
from tests.unit.check.world import ADDRESS, DOMAIN, PASSWORD, XML, World
from tools.delta_chat import DeltaChat, Server
from tools.thunderbird import SSL, STARTTLS, Thunderbird

# An address of loopback on which nobody else listens, nor another process of these tests.
LOOPBACK = f"127.88.{os.getpid() >> 8 & 255}.{os.getpid() & 255 or 1}"
SOCKETS = {"tls": SSL, "starttls": STARTTLS, "none": 0}
# What is wrong with mail servers is none of discovery; a domain of which only the name itself does not exist cannot be.
OTHERS = (
    "nothing listens",
    "the IMAP",
    "the submission",
    "IMAP",
    "submission",
    "the local part",
    "the password is",
    "the domain does",
)
BREAKS = {
    **{name: fault[0] for name, fault in FAULTS.items() if not name.startswith(OTHERS)},
    **{f"by itself: {name}": fault[0] for name, fault in BY_ITSELF.items() if not name.startswith(OTHERS)},
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Faulty:
    return Faulty(tmp_path_factory.mktemp("agreement"))


@pytest.fixture(scope="module")
def thunderbird(certificates: Faulty, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Thunderbird]:
    need("thunderbird", "unshare")
    need_root()
    with Thunderbird(tmp_path_factory.mktemp("thunderbird"), name_server=LOOPBACK) as program:
        program.trust(certificates.authority.certificate)
        yield program


def need_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may take the ports that clients ask")


def filled(username: str) -> str:
    return username.replace("%EMAILLOCALPART%@%EMAILDOMAIN%", ADDRESS).replace("%EMAILADDRESS%", ADDRESS)


def told(found: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """What Thunderbird would use."""
    servers = [found[way] for way in ("incoming", "outgoing")] if found.get("incoming") else []
    return {each["type"]: (each["hostname"], each["port"], each["socketType"], filled(each["username"])) for each in servers}


def expected(client: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """The same, as the check says it of Thunderbird."""
    services = client["settings"] if client["winner"] else []
    return {
        each["protocol"]: (each["host"], each["port"], SOCKETS[each["tls"]], filled(each["username"].replace("?", "\n")))
        for each in services
    }


@pytest.mark.parametrize("name", BREAKS)
def test_a_real_thunderbird_agrees(thunderbird: Thunderbird, certificates: Faulty, name: str) -> None:
    made = World(certificates, address=LOOPBACK, usual_ports=True)
    try:
        wanted = made.wanted()
        BREAKS[name](made)
        data = check(made, wanted=False, **wanted, address=ADDRESS)
        (ours,) = (client for client in data["clients"] if client["client"] == "thunderbird")
        found = thunderbird.discover(ADDRESS)
    finally:
        made.close()
    assert told(found) == expected(ours)


@pytest.mark.parametrize("others", [["hosting.example"], ["another.example"]], ids=["with the id", "without it"])
def test_a_real_thunderbird_needs_no_list_of_domains(thunderbird: Thunderbird, certificates: Faulty, others: list[str]) -> None:
    made = World(certificates, address=LOOPBACK, usual_ports=True)
    try:
        provider = Provider.from_dict({**made.options, "id": "hosting.example", "domains": [*others, DOMAIN]})
        content = document.render(provider, list_domains=False).content
        assert DOMAIN.encode() not in content.replace(f"mail.{DOMAIN}".encode(), b"")
        made.web.pages.clear()
        made.web.pages["https", f"autoconfig.{DOMAIN}", "/mail/config-v1.1.xml"] = (200, {"Content-Type": XML}, content)
        found = thunderbird.discover(ADDRESS)
    finally:
        made.close()
    assert told(found) == {
        kind: (f"mail.{DOMAIN}", server.port, SSL, ADDRESS) for kind, server in (("imap", made.imap), ("smtp", made.smtp))
    }


# -- Delta Chat -----------------------------------------------------------------------------------------------------------
# It logs in as well, so that what is wrong with mail servers counts too.

NOT_HERE = (404, {}, b"")
FILE = (
    b'<clientConfig version="1.1"><emailProvider id="server.tld"><domain>server.tld</domain>%s%s</emailProvider></clientConfig>'
)
NAME = "<username>%EMAILADDRESS%</username>\n      <authentication>password-cleartext</authentication>\n    "
OLD_PAGE = (200, {"Content-Type": "text/html"}, b"<html><head><meta charset=utf-8></head><body>Welcome<br></body></html>")


def only_autodiscover(*changes: tuple[str, str]) -> Callable[[World], None]:
    return each(on(AUTOCONFIG, NOT_HERE), on(WELL_KNOWN, NOT_HERE), *(says(key, *changes) for key in (AUTODISCOVER, APEX)))


def file_says(text: bytes) -> Callable[[World], None]:
    return on(AUTOCONFIG, (200, {"Content-Type": XML}, text))


def moved(location: str) -> Callable[[World], None]:
    """The file is elsewhere, and what it leads to has it."""

    def change(made: World) -> None:
        pages = made.web.pages
        pages["https", f"autoconfig.{DOMAIN}", "/elsewhere.xml"] = pages[made.page(*AUTOCONFIG)]
        pages[made.page(*AUTOCONFIG)] = (302, {"Location": location}, b"")
        pages[made.page(*WELL_KNOWN)] = NOT_HERE
        pages[made.page(*APEX)] = pages[made.page(*AUTODISCOVER)] = NOT_HERE

    return change


def another_for_sending(*, first: bool) -> Callable[[World], None]:
    """Two servers for sending are published, and wanted; at one of them nobody listens."""

    def change(made: World) -> None:
        outgoing = made.options["outgoing"]
        assert isinstance(outgoing, list)
        outgoing.insert(0 if first else 1, {**outgoing[0], "port": 1})
        made.publish(Provider.from_dict(made.options))

    return change


def redirected(made: World) -> None:
    """Autodiscover's answer names another URL, which has the settings."""
    made.web.pages["https", DOMAIN, "/elsewhere.xml"] = made.web.pages[made.page(*APEX)]
    account = f"<Account><Action>redirectUrl</Action><RedirectUrl>https://{DOMAIN}/elsewhere.xml</RedirectUrl></Account>"
    answer = f"<Autodiscover><Response>{account}</Response></Autodiscover>"
    made.web.pages[made.page(*APEX)] = (200, {"Content-Type": XML}, answer.encode())


ERROR = b"<Autodiscover><Response><Error><ErrorCode>600</ErrorCode><Message>Invalid</Message></Error></Response></Autodiscover>"
# It looks up addresses and nothing else, and reads no profile; what it minds less than the check is in STRICTER.
NOT_ASKED = ("dns.srv", "dns.mx", "dns.ms_txt", "dns.caa", "dns.tlsa", "dns.server")
ASKED = {name for name, fault in FAULTS.items() if not fault[1].startswith(NOT_ASKED) and "profile" not in name}
ASKED.discard("submission offers no authentication")
BREAKS_OF_DELTA_CHAT = {
    **{name: fault[0] for name, fault in FAULTS.items() if name in ASKED},
    **{f"by itself: {name}": fault[0] for name, fault in BY_ITSELF.items() if not name.startswith(("_", "the domain does"))},
    "Autodiscover alone": only_autodiscover(),
    "Autodiscover alone, with types in lower case": only_autodiscover(("<Type>IMAP</Type>", "<Type>imap</Type>")),
    "Autodiscover alone, at its own host": each(only_autodiscover(), on(APEX, NOT_HERE)),
    "Autodiscover alone, without a server for sending": only_autodiscover(("<Type>SMTP</Type>", "<Type>EXPR</Type>")),
    "Autodiscover alone, with POP3 alone": only_autodiscover(("<Type>IMAP</Type>", "<Type>POP3</Type>")),
    "Autodiscover alone, with a redirect": each(only_autodiscover(), redirected),
    "Autodiscover alone, with an error": each(only_autodiscover(), on(APEX, (200, {"Content-Type": XML}, ERROR))),
    "the first of two servers for sending does not answer": another_for_sending(first=True),
    "the second of two servers for sending does not answer": another_for_sending(first=False),
    "a web page that is no XML": on(AUTOCONFIG, OLD_PAGE),
    "a web page that is no XML, everywhere": each(*(on(key, OLD_PAGE) for key in (AUTOCONFIG, WELL_KNOWN, APEX, AUTODISCOVER))),
    **{f"the file is {text!r}": file_says(text) for text in NESTED},
    "a file without servers": file_says(FILE % (b"", b"")),
    "no user name for sending": in_file((f"{NAME}</outgoingServer>", "</outgoingServer>")),
    "a redirect within the host, in full": moved(f"https://autoconfig.{DOMAIN}/elsewhere.xml"),
    "a redirect within the host, by its path": moved("/elsewhere.xml"),
}


@pytest.fixture(scope="module")
def delta_chat(certificates: Faulty, tmp_path_factory: pytest.TempPathFactory) -> DeltaChat:
    need("deltachat-rpc-server", "unshare")
    need_root()
    return DeltaChat(tmp_path_factory.mktemp("delta_chat"), certificates.authority.certificate, LOOPBACK)


def both(
    delta_chat: DeltaChat, certificates: Faulty, breaks: Callable[[World], None], mode: str = "tls"
) -> tuple[Any, Any, World]:
    """What Delta Chat does, what the check says of it, and where."""
    made = World(certificates, mode, LOOPBACK, usual_ports=True)
    try:
        wanted = made.wanted()
        breaks(made)
        data = check(made, wanted=False, **wanted, address=ADDRESS, password=PASSWORD)
        for server in (made.imap, made.smtp):
            server.logins.clear()
        return delta_chat.set_up(ADDRESS, PASSWORD), next(one for one in data["clients"] if one["client"] == "deltachat"), made
    finally:
        made.close()


@pytest.mark.parametrize("name", BREAKS_OF_DELTA_CHAT)
def test_a_real_delta_chat_agrees(delta_chat: DeltaChat, certificates: Faulty, name: str) -> None:
    account, ours, made = both(delta_chat, certificates, BREAKS_OF_DELTA_CHAT[name])
    assert (account.error == "") == (ours["verdict"] == "works"), (account.error, ours["because"])
    if not account.error:
        # It may be on its way to its mail already.
        assert set(made.imap.logins) == set(made.smtp.logins) == {(ADDRESS, PASSWORD)}
        for service in ours["settings"]:
            one = Server(service["host"], service["port"], service["tls"], filled(service["username"]))
            # It tries all that it has been told, and both TLS modes where it has not been told which is right.
            assert one in account.servers[service["protocol"]]
            assert one.port == getattr(made, service["protocol"]).port


def test_a_real_delta_chat_agrees_with_starttls(delta_chat: DeltaChat, certificates: Faulty) -> None:
    account, ours, made = both(delta_chat, certificates, lambda made: None, "starttls")
    assert (account.error, ours["verdict"]) == ("", "works")
    assert {server.tls for servers in account.servers.values() for server in servers} == {"starttls"}
    assert set(made.imap.logins) == set(made.smtp.logins) == {(ADDRESS, PASSWORD)}


STRICTER = {
    "submission offers no authentication": mechanisms("smtp"),
    "nothing has TLS": each(
        only_autodiscover(("<SSL>on</SSL>", "<SSL>off</SSL>")), other_mode("imap", "none"), other_mode("smtp", "none")
    ),
}


@pytest.mark.parametrize("name", STRICTER)
def test_the_check_is_stricter_than_a_real_delta_chat(delta_chat: DeltaChat, certificates: Faulty, name: str) -> None:
    """It sets itself up, and then no mail goes out, or everybody on the way can read the password."""
    account, ours, _made = both(delta_chat, certificates, STRICTER[name])
    assert (account.error, ours["verdict"]) == ("", "fails")
