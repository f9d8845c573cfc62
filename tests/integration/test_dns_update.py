"""The module that pushes records, against two real name servers: BIND and Knot."""

from __future__ import annotations

import base64
import re
import signal
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.update
import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_dns import push, records
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_dns.exchange import Exchange, ServerError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_dns.plan import Plan
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_dns.server import NameServer as Server

from tests.conftest import Playbook, need
from tools.name_servers import ADDRESS, Bind, Knot, NameServer
from tools.private_apache import PrivateApache

Options = dict[str, Any]
Start = Callable[..., NameServer]

MODULE = "mail_autoconfig_dns"
# What was there before and must stay.
OTHERS = """\
@ MX 10 mail
@ TXT "v=spf1 mx -all"
mail A 192.0.2.25
www CNAME mail
"""


@pytest.fixture(params=[Bind, Knot], ids=["bind", "knot"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Start]:
    """Starts a server with zones."""
    need(request.param.program)
    running: list[NameServer] = []

    def starter(zones: dict[str, str] | None = None, **options: Any) -> NameServer:
        server: NameServer = request.param(tmp_path / f"server{len(running)}", zones or {"server.tld": OTHERS}, **options)
        running.append(server)
        server.start()
        return server

    yield starter
    for server in running:
        server.signal(signal.SIGCONT)
        server.stop()


@pytest.fixture
def module(tmp_path: Path) -> Callable[..., Options]:
    """Runs the module in a play."""
    playbook = Playbook(tmp_path, {})

    def run(options: Options, *arguments: str) -> Options:
        return playbook.module(options, *arguments, name=MODULE)

    return run


Module = Callable[..., Options]


def domain_records(domain: str, address: str = "192.0.2.80", ttl: int = 300) -> list[Options]:
    """What mail_autoconfig returns for a domain with its addresses known."""
    entries = [
        (f"_autodiscover._tcp.{domain}.", "SRV", f"0 0 443 autodiscover.{domain}."),
        (f"_caldavs._tcp.{domain}.", "TXT", '"path=/cal/"'),
        (f"_imaps._tcp.{domain}.", "SRV", f"0 1 993 mail.{domain}."),
        (f"_submissions._tcp.{domain}.", "SRV", f"0 1 465 mail.{domain}."),
        (f"autoconfig.{domain}.", "A", address),
        (f"autoconfig.{domain}.", "AAAA", "2001:db8::80"),
        (f"autodiscover.{domain}.", "A", address),
    ]
    return [{"owner": owner, "type": kind, "ttl": ttl, "rdata": rdata} for owner, kind, rdata in entries]


def options_for(server: NameServer, entries: list[Options], **more: Any) -> Options:
    return {**server.module_options(), "records": entries, **more}


def held(server: NameServer, owner: str, kind: str) -> list[str]:
    """TTL and data of an RRset."""
    rrset = server.query(owner, kind)
    return [] if rrset is None else sorted(f"{rrset.ttl} {rdata}" for rdata in rrset)


def change(server: NameServer, zone: str, *lines: tuple[str, str, str]) -> None:
    """Somebody else sets RRsets."""
    message = dns.update.UpdateMessage(f"{zone}.", keyring=server.key.tsig())
    for owner, kind, rdata in lines:
        message.replace(dns.name.from_text(owner), 60, kind, rdata)
    assert dns.query.tcp(message, ADDRESS, port=server.port, timeout=5).rcode() == dns.rcode.NOERROR


def push_with(options: Options, between: Callable[[Sequence[Plan]], object] = lambda plans: None) -> list[Options]:
    """What the module does, with something happening between reading and writing."""
    wanted = records.read({"timeout": 5, **options})
    with Exchange(wanted.server, wanted.port, wanted.key, wanted.timeout) as exchange:
        server = Server(exchange)
        plans = push.prepare(wanted, server).plans
        between(plans)
        return push.push(plans, server)


def failure(options: Options, between: Callable[[Sequence[Plan]], object] = lambda plans: None) -> str:
    """Why the one zone has failed."""
    (report,) = push_with(options, between)
    return str(report["failed"])


# -- what is pushed ---------------------------------------------------------------------------------------------------


def test_records_are_pushed_and_a_second_run_sends_nothing(start: Start, module: Module) -> None:
    server = start()
    options = options_for(server, domain_records("server.tld"), zones=["server.tld"])
    result = module(options)
    assert result["changed"], result
    (zone,) = result["zones"]
    assert (zone["zone"], zone["replaced"], zone["removed"], zone["kept"]) == ("server.tld.", [], [], [])
    assert len(zone["added"]) == 7
    for record in options["records"]:
        assert held(server, record["owner"], record["type"]) == [f"300 {record['rdata']}"]
    serial = server.serial("server.tld")
    again = module(options)
    assert not again["changed"]
    assert again["diff"] == []
    assert server.serial("server.tld") == serial


def test_other_records_stay_and_more_of_the_same_set_do_not(start: Start) -> None:
    server = start()
    change(server, "server.tld", ("autoconfig.server.tld.", "A", "192.0.2.1"), ("autoconfig.server.tld.", "TXT", "mine"))
    entries = [*domain_records("server.tld"), {**domain_records("server.tld")[4], "rdata": "192.0.2.81"}]
    (report,) = push_with(options_for(server, entries))
    assert report["replaced"] == ["autoconfig.server.tld. A"]
    assert held(server, "autoconfig.server.tld.", "A") == ["300 192.0.2.80", "300 192.0.2.81"]
    assert held(server, "autoconfig.server.tld.", "TXT") == ['60 "mine"']
    assert held(server, "server.tld.", "MX") == ["3600 10 mail.server.tld."]
    assert held(server, "server.tld.", "TXT") == ['3600 "v=spf1 mx -all"']
    assert held(server, "www.server.tld.", "CNAME") == ["3600 mail.server.tld."]


def test_another_ttl_is_a_change(start: Start) -> None:
    server = start()
    push_with(options_for(server, domain_records("server.tld")))
    (report,) = push_with(options_for(server, domain_records("server.tld", ttl=600)))
    assert len(report["replaced"]) == 7
    assert held(server, "autoconfig.server.tld.", "A") == ["600 192.0.2.80"]


def test_names_are_compared_without_regard_to_case(start: Start) -> None:
    server = start({"server.tld": "_imaps._tcp 300 SRV 0 1 993 MAIL.Server.TLD.\n"})
    entry = {"owner": "_IMAPS._tcp.server.tld.", "type": "SRV", "ttl": 300, "rdata": "0 1 993 mail.server.tld."}
    assert push_with(options_for(server, [entry]))[0]["changed"] is False
    # The condition of the update is what the server has, in its own spelling.
    assert push_with(options_for(server, [{**entry, "rdata": "0 1 993 imap.server.tld."}]))[0]["changed"] is True


def test_check_mode_changes_nothing_and_tells_the_same(start: Start, module: Module) -> None:
    server = start()
    change(server, "server.tld", ("autoconfig.server.tld.", "A", "192.0.2.1"))
    serial = server.serial("server.tld")
    options = options_for(server, domain_records("server.tld"))
    foretold = module(options, "--check", "--diff")
    assert server.serial("server.tld") == serial
    assert held(server, "_imaps._tcp.server.tld.", "SRV") == []
    done = module(options, "--diff")
    assert {key: foretold[key] for key in ("changed", "zones", "diff")} == {
        key: done[key] for key in ("changed", "zones", "diff")
    }
    (diff,) = done["diff"]
    assert diff["before"] == "autoconfig.server.tld. 60 IN A 192.0.2.1\n"
    assert "autoconfig.server.tld. 300 IN A 192.0.2.80\n" in diff["after"]
    assert len(diff["after"].splitlines()) == 7


def test_absent_removes_what_is_unchanged_and_names_the_rest(start: Start, module: Module) -> None:
    server = start()
    options = options_for(server, domain_records("server.tld"))
    push_with(options)
    change(server, "server.tld", ("_imaps._tcp.server.tld.", "SRV", "0 1 993 elsewhere.tld."))
    result = module({**options, "state": "absent"})
    (zone,) = result["zones"]
    assert zone["kept"] == ["_imaps._tcp.server.tld. SRV"]
    assert len(zone["removed"]) == 6
    assert any("_imaps._tcp.server.tld. SRV" in warning for warning in result["warnings"])
    assert held(server, "autoconfig.server.tld.", "A") == []
    assert held(server, "_imaps._tcp.server.tld.", "SRV") == ["60 0 1 993 elsewhere.tld."]
    assert held(server, "server.tld.", "MX") == ["3600 10 mail.server.tld."]
    assert push_with({**options, "state": "absent"})[0]["changed"] is False


@pytest.mark.parametrize("may_transfer", [True, False])
def test_an_update_that_is_too_large_for_a_message_is_split(start: Start, may_transfer: bool) -> None:
    server = start(may_transfer=may_transfer)
    entries = [record for number in range(500) for record in domain_records(f"d{number}.server.tld")]
    options = options_for(server, entries, zones=["server.tld"])
    serial = server.serial("server.tld")
    (report,) = push_with(options)
    assert len(report["added"]) == 3500
    assert 1 < server.serial("server.tld") - serial < 20
    for record in entries[::97]:
        assert held(server, record["owner"], record["type"]) == [f"300 {record['rdata']}"]
    assert push_with(options)[0]["changed"] is False
    (report,) = push_with({**options, "state": "absent"})
    assert len(report["removed"]) == 3500
    assert held(server, "server.tld.", "MX") == ["3600 10 mail.server.tld."]


def test_the_zone_of_each_owner_is_found(start: Start) -> None:
    server = start({"server.tld": "sub NS ns\n_tcp.alias CNAME mail\n", "sub.server.tld": "", "other.tld": "@ A 192.0.2.1\n"})
    names = ["server.tld", "sub.server.tld", "other.tld"]
    entries = [record for name in names for record in domain_records(name)]
    reports = push_with(options_for(server, entries))
    assert [report["zone"] for report in reports] == ["other.tld.", "server.tld.", "sub.server.tld."]
    assert all(len(report["added"]) == 7 for report in reports)
    entry = {**domain_records("server.tld")[0], "owner": "_tcp.alias.server.tld."}
    assert failure(options_for(server, [entry])).startswith("_tcp.alias.server.tld. SRV: the server has CNAME at")


# -- wildcards --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["A 192.0.2.80", "A 192.0.2.99", "CNAME mail"])
def test_what_only_a_wildcard_answers_is_not_there(start: Start, data: str) -> None:
    server = start({"server.tld": f"* 300 {data}\nmail A 192.0.2.25\n"})
    entries = [record for record in domain_records("server.tld") if record["type"] == "A"]
    options = options_for(server, entries)
    assert push_with({**options, "state": "absent"})[0]["changed"] is False
    (report,) = push_with(options)
    assert report["added"] == ["autoconfig.server.tld. A", "autodiscover.server.tld. A"]
    assert push_with(options)[0]["changed"] is False
    (report,) = push_with({**options, "state": "absent"})
    assert len(report["removed"]) == 2
    assert held(server, "anything.server.tld.", data.split(maxsplit=1)[0]) != []


# -- aliases ----------------------------------------------------------------------------------------------------------


def test_a_record_beside_an_alias_is_refused_with_its_zone(start: Start, module: Module) -> None:
    server = start({"server.tld": "autoconfig CNAME mail\nmail A 192.0.2.25\n", "other.tld": ""})
    serial = server.serial("server.tld")
    result = module(options_for(server, [*domain_records("server.tld"), *domain_records("other.tld")]))
    assert result["failed"]
    assert result["changed"]
    head, line = result["msg"].splitlines()
    assert head == "1 of 2 zones failed, and the others are as wanted:"
    assert line.startswith("zone server.tld.: autoconfig.server.tld. A: the server has CNAME at autoconfig.server.tld.")
    assert [(zone["zone"], zone["changed"]) for zone in result["zones"]] == [("other.tld.", True), ("server.tld.", False)]
    assert server.serial("server.tld") == serial


@pytest.mark.parametrize("may_transfer", [True, False])
def test_an_alias_beside_a_record_is_refused(start: Start, may_transfer: bool) -> None:
    server = start(may_transfer=may_transfer)
    alias = {"owner": "mail.server.tld.", "type": "CNAME", "ttl": 300, "rdata": "www.other.tld."}
    fillers = [{**alias, "owner": f"a{number}.server.tld."} for number in range(60)]
    for entries in ([alias], [alias, *fillers]):
        assert failure(options_for(server, entries)).startswith("mail.server.tld. CNAME: the server has A at")


@pytest.mark.parametrize("may_transfer", [True, False])
def test_aliases_are_made_changed_and_removed(start: Start, may_transfer: bool) -> None:
    server = start({"server.tld": "below.autoconfig TXT x\n"}, may_transfer=may_transfer)
    alias = {"owner": "autoconfig.server.tld.", "type": "CNAME", "ttl": 300, "rdata": "www.other.tld."}
    assert push_with(options_for(server, [alias]))[0]["added"] == ["autoconfig.server.tld. CNAME"]
    other = {**alias, "rdata": "www.third.tld."}
    assert push_with(options_for(server, [other]))[0]["replaced"] == ["autoconfig.server.tld. CNAME"]
    assert push_with(options_for(server, [alias], state="absent"))[0]["kept"] == ["autoconfig.server.tld. CNAME"]
    assert push_with(options_for(server, [other], state="absent"))[0]["removed"] == ["autoconfig.server.tld. CNAME"]


@pytest.mark.parametrize("may_transfer", [True, False])
def test_a_record_becomes_an_alias_and_back_in_one_update(start: Start, module: Module, may_transfer: bool) -> None:
    server = start({"server.tld": "mail A 192.0.2.25\n", "other.tld": ""}, may_transfer=may_transfer)
    records = [{**entry, "domain": "server.tld"} for entry in domain_records("server.tld")]
    hosts = [entry for entry in records if entry["owner"].startswith("auto")]
    names = sorted({entry["owner"] for entry in hosts})
    aliases = [{"owner": name, "type": "CNAME", "ttl": 300, "rdata": "mail.server.tld."} for name in names]
    # So many that the zone is fetched as a whole where it may be.
    fillers = [{**hosts[0], "owner": f"f{number}.server.tld."} for number in range(60)]
    push_with(options_for(server, [*records, *fillers]))
    serial = server.serial("server.tld")
    result = module(options_for(server, [*aliases, *fillers], obsolete=[*records, {**hosts[0], "owner": "a.gone.tld."}]))
    assert not result["failed"], result
    (zone,) = result["zones"]
    assert zone["added"] == [f"{name} CNAME" for name in names]
    assert len(zone["removed"]) == 7
    assert server.serial("server.tld") == serial + 1
    assert [held(server, name, "CNAME") for name in names] == [["300 mail.server.tld."]] * 2
    assert held(server, "_imaps._tcp.server.tld.", "SRV") == []
    assert held(server, "mail.server.tld.", "A") == ["3600 192.0.2.25"]
    assert [(entry["owner"], entry["type"]) for entry in result["gone"]] == [(entry["owner"], entry["type"]) for entry in records]
    assert {entry["domain"] for entry in result["gone"]} == {"server.tld"}
    assert any("are left: a.gone.tld. A" in line for line in result["warnings"])
    again = module(options_for(server, [*aliases, *fillers], obsolete=records))
    assert (again["changed"], again["gone"]) == (False, result["gone"])
    (report,) = push_with(options_for(server, records, obsolete=aliases))
    assert (len(report["added"]), len(report["removed"]), report["failed"]) == (7, 2, "")
    assert held(server, "autoconfig.server.tld.", "A") == ["300 192.0.2.80"]
    assert server.serial("server.tld") == serial + 2


def test_check_mode_tells_what_would_be_gone(start: Start, module: Module) -> None:
    server = start()
    obsolete = domain_records("server.tld")
    push_with(options_for(server, obsolete))
    change(server, "server.tld", ("_imaps._tcp.server.tld.", "SRV", "0 1 993 elsewhere.tld."))
    serial = server.serial("server.tld")
    foretold = module(options_for(server, [], obsolete=obsolete), "--check", "--diff")
    assert server.serial("server.tld") == serial
    done = module(options_for(server, [], obsolete=obsolete), "--diff")
    assert {key: foretold[key] for key in ("changed", "zones", "gone", "diff")} == {
        key: done[key] for key in ("changed", "zones", "gone", "diff")
    }
    assert done["zones"][0]["kept"] == ["_imaps._tcp.server.tld. SRV"]
    assert len(done["gone"]) == 6
    assert held(server, "_imaps._tcp.server.tld.", "SRV") == ["60 0 1 993 elsewhere.tld."]


def test_a_customer_leaves_the_host_and_then_the_zone(start: Start, apache: PrivateApache, playbook: Playbook) -> None:
    server = start({"server.tld": "", "former.tld": "@ MX 10 mx\nmx A 192.0.2.25\n"})
    servers = {kind: [{"type": of, "hostname": "mail.server.tld"}] for kind, of in (("incoming", "imap"), ("outgoing", "smtp"))}
    given = {**apache.module_options(), "addresses": ["192.0.2.80"]}
    both = {**given, "providers": [{"domains": ["server.tld", "former.tld"], **servers}]}
    alone = {**given, "providers": [{"domains": ["server.tld"], **servers}]}

    def pushed(result: Options) -> Options:
        options = options_for(server, result["dns_records"], obsolete=result["dns_records_obsolete"])
        return playbook.module(options, name=MODULE)

    pushed(playbook.module(both))
    assert held(server, "autoconfig.former.tld.", "A") == ["300 192.0.2.80"]
    assert "removed_domains" in playbook.module(alone)["msg"]
    left = playbook.module({**alone, "removed_domains": ["former.tld"]})
    assert {entry["domain"] for entry in left["dns_records_obsolete"]} == {"former.tld"}
    gone = pushed(left)
    assert len(gone["gone"]) == len(left["dns_records_obsolete"]) > 0
    assert held(server, "autoconfig.former.tld.", "A") == held(server, "_imaps._tcp.former.tld.", "SRV") == []
    assert held(server, "former.tld.", "MX") == ["3600 10 mx.former.tld."]
    assert held(server, "autoconfig.server.tld.", "A") == ["300 192.0.2.80"]
    assert not pushed(playbook.module({**alone, "removed_domains": ["former.tld"]}))["changed"]
    forgotten = playbook.module({**alone, "dns_records_gone": gone["gone"]})
    assert (forgotten["changed"], forgotten["reloaded"], forgotten["dns_records_obsolete"]) == (True, False, [])
    again = playbook.module(alone)
    assert (again["changed"], again["dns_records_obsolete"]) == (False, [])


# -- changes in between -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owner", "kind", "rdata", "message"),
    [
        (
            "autoconfig.server.tld.",
            "A",
            "192.0.2.77",
            r"autoconfig\.server\.tld\. A: expected 192\.0\.2\.1 .* found 192\.0\.2\.77",
        ),
        (
            "_imaps._tcp.server.tld.",
            "SRV",
            "0 1 993 x.tld.",
            r"_imaps\._tcp\.server\.tld\. SRV: expected none, found 0 1 993 x\.tld\.",
        ),
        ("autodiscover.server.tld.", "CNAME", "www.server.tld.", r"somebody changed it .* \(YXRRSET\)"),
    ],
)
def test_a_change_between_reading_and_writing_is_not_overwritten(
    start: Start, owner: str, kind: str, rdata: str, message: str
) -> None:
    server = start()
    change(server, "server.tld", ("autoconfig.server.tld.", "A", "192.0.2.1"))
    options = options_for(server, domain_records("server.tld"))
    assert re.search(message, failure(options, lambda _plans: change(server, "server.tld", (owner, kind, rdata))))
    assert held(server, owner, kind) == [f"60 {rdata}"]
    assert held(server, "_submissions._tcp.server.tld.", "SRV") == []


def test_an_alias_is_not_set_where_data_came_in_between(start: Start) -> None:
    server = start()
    alias = {"owner": "autoconfig.server.tld.", "type": "CNAME", "ttl": 300, "rdata": "www.other.tld."}
    somebody = ("autoconfig.server.tld.", "TXT", "x")
    said = failure(options_for(server, [alias]), lambda _plans: change(server, "server.tld", somebody))
    assert said.startswith("somebody changed it")


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"key_secret": base64.b64encode(b"another secret").decode()}, "BADSIG"),
        ({"key_name": "another-key"}, "BADKEY"),
        ({"key_algorithm": "hmac-sha512"}, "BADKEY"),
    ],
)
def test_a_wrong_key_is_named(start: Start, module: Module, changed: Options, code: str) -> None:
    server = start()
    result = module({**options_for(server, domain_records("server.tld")), **changed})
    assert result["failed"]
    assert result["msg"].startswith("Nothing was changed: ")
    assert code in result["msg"]
    assert changed.get("key_secret", server.key.secret) not in str(result)


def test_a_wrong_clock_is_named(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    server = start()
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - 3600)
    with pytest.raises(ServerError, match=r"BADTIME.*clocks") as error:
        push_with(options_for(server, domain_records("server.tld")))
    assert error.value.code == "BADTIME"


def test_zones_that_the_server_does_not_have_fail_alone(start: Start, module: Module) -> None:
    server = start()
    entries = [*domain_records("server.tld"), *domain_records("missing.tld"), *domain_records("inner.server.tld")]
    result = module(options_for(server, entries, zones=["server.tld", "missing.tld", "inner.server.tld"]))
    assert result["failed"]
    inner, missing, there = result["zones"]
    assert " has no zone inner.server.tld.; it is inside of server.tld." in inner["failed"]
    assert " has no zone missing.tld." in missing["failed"]
    assert (there["zone"], there["failed"], len(there["added"])) == ("server.tld.", "", 7)
    assert held(server, "autoconfig.server.tld.", "A") == ["300 192.0.2.80"]
    nowhere, found = push_with(options_for(server, entries))
    assert (nowhere["zone"], found["zone"], len(found["added"])) == ("", "server.tld.", 7)
    assert "missing.tld.: " in nowhere["failed"]
    assert nowhere["failed"].endswith("; and 1 more")


@pytest.mark.parametrize("count", [1, 60])
def test_what_is_delegated_elsewhere_is_refused(start: Start, count: int) -> None:
    server = start({"server.tld": "sub NS ns.elsewhere.tld.\n", "other.tld": ""})
    entries = [{**domain_records("server.tld")[4], "owner": f"a{number}.sub.server.tld."} for number in range(count)]
    others = domain_records("other.tld")
    other, failed = push_with(options_for(server, [*entries, *others], zones=["server.tld", "other.tld"]))
    assert (len(other["added"]), other["failed"]) == (7, "")
    assert re.search(r"not authoritative for a\d+\.sub\.server\.tld\., which is delegated", failed["failed"])
    assert "is delegated to another" in failure(options_for(server, entries))


def test_a_zone_that_refuses_keeps_no_other(start: Start, module: Module) -> None:
    server = start({"a.tld": "", "b.tld": "", "c.tld": ""}, closed=["b.tld"])
    entries = [record for name in ("a.tld", "b.tld", "c.tld") for record in domain_records(name)]
    result = module(options_for(server, entries))
    assert result["failed"]
    assert [(zone["zone"], len(zone["added"]), bool(zone["failed"])) for zone in result["zones"]] == [
        ("a.tld.", 7, False),
        ("b.tld.", 0, True),
        ("c.tld.", 7, False),
    ]
    assert result["msg"].splitlines()[1].startswith("zone b.tld.: ")
    assert "REFUSED" in result["msg"] or "BADKEY" in result["msg"]
    assert held(server, "autoconfig.c.tld.", "A") == ["300 192.0.2.80"]


# -- servers that are away --------------------------------------------------------------------------------------------


def test_a_server_that_is_not_there(start: Start, module: Module) -> None:
    server = start()
    server.stop()
    result = module(options_for(server, domain_records("server.tld")))
    assert result["failed"]
    assert f"{ADDRESS} port {server.port} cannot be reached over TCP" in result["msg"]
    assert result["zones"] == []


def test_a_server_that_goes_between_reading_and_writing(start: Start) -> None:
    server = start()
    assert failure(options_for(server, domain_records("server.tld")), lambda _plans: server.stop())


def test_a_server_that_does_not_answer(start: Start) -> None:
    server = start()
    server.signal(signal.SIGSTOP)
    with pytest.raises(ServerError, match="did not answer within 1 seconds"):
        push_with(options_for(server, domain_records("server.tld"), timeout=1))


def test_a_server_that_answers_no_more_when_the_update_is_sent(start: Start) -> None:
    server = start()
    options = options_for(server, domain_records("server.tld"), timeout=1)
    said = failure(options, lambda _plans: server.signal(signal.SIGSTOP))
    assert re.search(r"did not answer within 1 seconds; .* whether the zone was changed is not known", said)


class Proxy(socketserver.ThreadingTCPServer):
    """Stands between us and the server, and can lose an update or the answer to it."""

    daemon_threads = True

    def __init__(self, server: NameServer) -> None:
        super().__init__((ADDRESS, 0), _Relay)
        self.target = (ADDRESS, server.port)
        self.lose = ""
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def options(self, options: Options) -> Options:
        return {**options, "port": self.server_address[1]}


class _Relay(socketserver.StreamRequestHandler):
    server: Proxy

    def handle(self) -> None:
        with socket.create_connection(self.server.target, 5) as upstream, upstream.makefile("rb") as answers:
            while message := self.message(self.rfile):
                is_update = message[4] >> 3 & 15 == dns.opcode.UPDATE
                if is_update and self.server.lose == "update":
                    return
                upstream.sendall(message)
                answer = self.message(answers)
                if is_update and self.server.lose == "answer":
                    return
                self.wfile.write(answer)

    @staticmethod
    def message(stream: Any) -> bytes:
        length = stream.read(2)
        return bytes(length + stream.read(int.from_bytes(length, "big")))


@pytest.fixture
def proxy(start: Start) -> Iterator[tuple[Proxy, NameServer]]:
    server = start()
    with Proxy(server) as relay:
        yield relay, server
        relay.shutdown()


def test_an_update_whose_answer_is_lost_is_found_to_be_done(proxy: tuple[Proxy, NameServer]) -> None:
    relay, server = proxy
    relay.lose = "answer"
    (report,) = push_with(relay.options(options_for(server, domain_records("server.tld"))))
    assert len(report["added"]) == 7
    assert held(server, "autoconfig.server.tld.", "A") == ["300 192.0.2.80"]


def test_an_update_that_is_lost_is_reported(proxy: tuple[Proxy, NameServer]) -> None:
    relay, server = proxy
    relay.lose = "update"
    said = failure(relay.options(options_for(server, domain_records("server.tld"))))
    assert re.search(r"closed the connection without an answer; .* the update was not carried out", said)
    assert held(server, "autoconfig.server.tld.", "A") == []


def test_an_idle_connection_is_opened_again(start: Start) -> None:
    server = start()
    (report,) = push_with(options_for(server, domain_records("server.tld")), lambda _plans: time.sleep(2.1))
    assert len(report["added"]) == 7
