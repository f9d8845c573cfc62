"""What an authority or the place of its certificates may do to orders, and what happens then, to us and to a neighbour.

A stand-in in front of Pebble answers chosen requests with a fault, or late.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import need
from tests.faults.harness import privately
from tools.certificates import Authority
from tools.faulty_authority import CERTIFICATE, DIRECTORY, NEW_ORDER, Fault, FaultyAuthority
from tools.http_client import Client
from tools.pebble import PROGRAMS, Pebble
from tools.private_apache import PrivateApache

from .conftest import until
from .test_acme import CONFIG, LIFETIME, Host, names
from .test_certbot import CertbotHost
from .test_private_apache import tree

NAMES = names("server.tld")
KINDS = "urn:ietf:params:acme:error:"
LIMIT = Fault(NEW_ORDER, 429, "rateLimited", "too many new orders from this account", {"Retry-After": "7200"})
TROUBLE = [
    (Fault(NEW_ORDER, 500, "serverInternal", "out of order"), f"{KINDS}serverInternal: out of order"),
    (Fault(NEW_ORDER, 503), "503"),
    (Fault(DIRECTORY, 503), "503"),
]


class Load:
    """Requests for sites one after the other until it is closed; what went wrong.

    :arg asks: raises an exception, or says what is wrong with an answer
    """

    def __init__(self, **asks: Callable[[], str]) -> None:
        self.count = dict.fromkeys(asks, 0)
        self.wrong: list[str] = []
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=item, daemon=True) for item in asks.items()]
        for thread in self._threads:
            thread.start()

    def _run(self, name: str, ask: Callable[[], str]) -> None:
        while not self._is_over.is_set():
            try:
                wrong = ask()
            except OSError as exc:
                wrong = repr(exc)
            self.count[name] += 1
            if wrong:
                self.wrong.append(f"{time.strftime('%H:%M:%S')} {name}: {wrong}")
            time.sleep(0.01)

    def close(self) -> None:
        """End it."""
        self._is_over.set()
        for thread in self._threads:
            thread.join()


# mod_md tries again by itself after half a minute, more or less by half of it (md_job_delay_on_errors in md_status.c).
OWN_PAUSE = 12


@pytest.fixture
def pebble(tmp_path: Path, apache: PrivateApache) -> Iterator[Pebble]:
    need(*PROGRAMS)
    if os.geteuid() != 0:
        pytest.skip("a name server on port 53, and a resolv.conf of one's own, need root")
    settings = {"certificateValidityPeriod": LIFETIME}
    with Pebble(tmp_path / "pebble", apache.http_port, apache.https_port, settings, bad_nonces=0) as pebble:
        pebble.lead(names("server.tld", "new.tld"))
        yield pebble


@pytest.fixture
def gate(pebble: Pebble) -> Iterator[FaultyAuthority]:
    with FaultyAuthority(pebble) as gate:
        yield gate


@pytest.fixture
def host(tmp_path: Path, apache: PrivateApache, pebble: Pebble) -> Host:
    return Host(tmp_path, apache, pebble)


@pytest.fixture
def certbot_host(tmp_path: Path, apache: PrivateApache, pebble: Pebble) -> CertbotHost:
    need("certbot")
    return CertbotHost(tmp_path, apache, pebble)


@pytest.fixture(params=["mod_md", "certbot"])
def either(request: pytest.FixtureRequest) -> Host:
    """Whoever orders."""
    found = request.getfixturevalue("host" if request.param == "mod_md" else "certbot_host")
    assert isinstance(found, Host)
    return found


@pytest.fixture
def neighbour(apache: PrivateApache, pebble: Pebble) -> Iterator[Load]:
    """Requests to a neighbour's site as long as the test lasts; none of them may be lost."""
    shop = apache.directory / "var/www/shop"
    shop.mkdir()
    (shop / "index.html").write_text("the shop")
    apache.add_site(
        "shop.example",
        f"<VirtualHost *:{apache.http_port}>\n ServerName shop.example\n DocumentRoot {shop}\n"
        f" <Directory {shop}>\n  Require all granted\n </Directory>\n</VirtualHost>\n",
    )
    apache.reload()
    client = Client("127.0.0.1", pebble.ca_file, {"http": apache.http_port})

    def ask() -> str:
        answer = client.request("http://shop.example/")
        return "" if (answer.status, answer.body) == (200, b"the shop") else str(answer)

    load = Load(shop=ask)
    yield load
    load.close()
    assert load.count["shop"] > 10
    assert load.wrong == []


def order_of(result: dict[str, Any], domain: str = "server.tld") -> dict[str, Any]:
    """What became of the order of a domain in a run that did not fail."""
    assert not result["failed"], result
    (found,) = (order for order in result["certificate_orders"] if order["domain"] == domain)
    return dict(found)


# -- the authority --------------------------------------------------------------------------------------------------------


def test_certbot_asks_once_where_the_authority_has_had_enough(
    certbot_host: CertbotHost, gate: FaultyAuthority, neighbour: Load
) -> None:
    gate.fault = LIMIT
    result = certbot_host.run("server.tld", "new.tld", acme_directory=gate.url)
    order = order_of(result)
    assert (order["state"], order["reason"]) == ("failed", f"{KINDS}rateLimited: {LIMIT.detail}")
    assert order["next"] > time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 7000))
    assert any(f"{LIMIT.detail}; " in line and f"not tried again before {order['next']}" in line for line in result["warnings"])
    assert (gate.count(NEW_ORDER), order_of(result, "new.tld")["state"]) == (1, "ordered")
    certbot_host.over_http(*names("server.tld", "new.tld"))
    # The fault is over, the limit not: the next run orders for the other one alone.
    gate.fault = None
    result = certbot_host.run("server.tld", "new.tld", acme_directory=gate.url)
    assert (order_of(result), order_of(result, "new.tld")["state"]) == (order, "there")
    certbot_host.serves(*names("new.tld"))
    # Two hours later.
    notes = certbot_host.apache.state_directory / "failed-orders.json"
    known = json.loads(notes.read_text())
    known["server.tld"]["until"] -= 7200
    notes.write_text(json.dumps(known))
    certbot_host.done("server.tld", "new.tld", acme_directory=gate.url)
    certbot_host.serves(*names("server.tld", "new.tld"))


def test_mod_md_is_not_waited_for_where_the_authority_has_had_enough(host: Host, gate: FaultyAuthority, neighbour: Load) -> None:
    gate.fault = LIMIT
    order = order_of(host.run("server.tld", acme_directory=gate.url))
    assert (order["state"], order["reason"]) == ("failed", f"{KINDS}rateLimited: {LIMIT.detail}")
    assert order["next"]
    # Neither a run nor a change begins it anew; what mod_md does by itself is its own.
    again = host.run("server.tld", acme_directory=gate.url)
    assert (again["changed"], order_of(again)["reason"]) == (False, order["reason"])
    changed = host.run("server.tld", acme_directory=gate.url, acme_contact="other@server.tld")
    assert (changed["changed"], order_of(changed)["reason"]) == (True, order["reason"])
    assert gate.at_once(NEW_ORDER, OWN_PAUSE) == 1
    host.over_http(*NAMES)
    gate.fault = None
    until((host.store / "staging" / NAMES[0] / "pubcert.pem").exists, 180)
    host.done("server.tld", acme_directory=gate.url, acme_contact="other@server.tld")
    host.serves(*NAMES)


@pytest.mark.parametrize(
    ("either", "fault", "words"), [("mod_md", *TROUBLE[0]), *(("certbot", *item) for item in TROUBLE)], indirect=["either"]
)
def test_trouble_of_the_authority_is_told_and_asked_of_again_in_the_next_run(
    either: Host, gate: FaultyAuthority, neighbour: Load, fault: Fault, words: str
) -> None:
    gate.fault = fault
    order = order_of(either.run("server.tld", "new.tld", acme_directory=gate.url, acme_wait_seconds=20))
    assert order["state"] == "failed"
    assert words in order["reason"]
    # certbot tries one domain, mod_md each of them, and again by itself a while later.
    if isinstance(either, CertbotHost):
        assert gate.count(fault.path) <= 1
    else:
        assert gate.at_once(fault.path, OWN_PAUSE) <= 2
    either.over_http(*names("server.tld", "new.tld"))
    gate.fault = None
    either.done("server.tld", "new.tld", acme_directory=gate.url)
    either.serves(*names("server.tld", "new.tld"))


def test_an_authority_that_is_slow_is_gone_on_with_in_a_later_run(either: Host, gate: FaultyAuthority, neighbour: Load) -> None:
    gate.fault = Fault(NEW_ORDER, seconds=12)
    result = either.run("server.tld", acme_directory=gate.url, acme_wait_seconds=4)
    order = order_of(result)
    assert order["state"] in ("ordered", "failed")
    assert any("in time; until then served over HTTP" in line or "did not end within 4 s" in line for line in result["warnings"])
    either.over_http(*NAMES)
    gate.fault = None
    either.done("server.tld", acme_directory=gate.url)
    either.serves(*NAMES)


def test_a_fault_that_ends_while_the_run_waits_is_no_fault(host: Host, gate: FaultyAuthority, neighbour: Load) -> None:
    gate.fault = TROUBLE[0][0]
    run = host.started("server.tld", acme_directory=gate.url)
    until(lambda: gate.count(NEW_ORDER))
    gate.fault = None
    assert run.wait() == 0
    host.serves(*NAMES)
    assert not host.run("server.tld", acme_directory=gate.url)["changed"]


def test_a_run_that_is_killed_during_a_fault_leaves_http_and_the_next_one_goes_on(
    either: Host, gate: FaultyAuthority, neighbour: Load
) -> None:
    gate.fault = Fault(NEW_ORDER, seconds=5)
    run = either.started("server.tld", acme_directory=gate.url)
    until(lambda: gate.count(NEW_ORDER))
    run.kill()
    run.wait()
    either.over_http(*NAMES)
    gate.fault = None
    either.done("server.tld", acme_directory=gate.url)
    either.serves(*NAMES)


def test_mod_md_gets_itself_another_account_where_the_authority_has_lost_the_one(host: Host, neighbour: Load) -> None:
    host.done("server.tld")
    host.pebble.stop()
    host.pebble.start()
    assert order_of(host.done("server.tld", "new.tld"), "new.tld")["state"] == "there"
    host.serves(*names("new.tld"))


def test_certbot_is_told_of_the_account_that_the_authority_has_lost(certbot_host: CertbotHost, neighbour: Load) -> None:
    certbot_host.done("server.tld")
    certbot_host.pebble.stop()
    certbot_host.pebble.start()
    order = order_of(certbot_host.run("server.tld", "new.tld"), "new.tld")
    account = certbot_host.pebble.url.replace("https://", "accounts/")
    assert order["reason"].startswith(f"{KINDS}accountDoesNotExist: Account ")
    assert order["reason"].endswith(f"; delete {account} in certbot's directory")
    assert order["next"] == ""
    certbot_host.over_http(*names("new.tld"))
    shutil.rmtree(certbot_host.directory / account)
    certbot_host.done("server.tld", "new.tld")
    certbot_host.serves(*names("new.tld"))


def test_where_a_clock_is_wrong_the_authority_is_not_trusted(
    either: Host, pebble: Pebble, tmp_path: Path, neighbour: Load
) -> None:
    Authority(pebble.ca_file.parent).issue(tmp_path / "untimely", ["localhost"], later=3)
    with FaultyAuthority(pebble, tmp_path / "untimely") as gate:
        order = order_of(either.run("server.tld", acme_directory=gate.url, acme_wait_seconds=10))
        assert order["state"] == "failed"
        said = "certificate is not yet valid" if isinstance(either, CertbotHost) else "the clock of this host"
        assert said in order["reason"]
        assert gate.asked == []
    either.over_http(*NAMES)
    either.done("server.tld")
    either.serves(*NAMES)


def test_an_order_that_a_neighbours_command_has_stopped_is_begun_anew(host: Host, neighbour: Load) -> None:
    """mod_md asks no authority until the command (``MDMessageCmd``) succeeds, and does not call it again by itself."""
    command = host.apache.directory / "told"
    command.write_text("#!/bin/sh\nexit 1\n")
    command.chmod(0o755)
    (host.apache.config_directory / "conf-enabled/told.conf").write_text(
        f"<IfModule md_module>\nMDMessageCmd {command}\n</IfModule>\n"
    )
    result = host.run("server.tld")
    order = order_of(result)
    assert (order["state"], order["next"]) == ("failed", "")
    assert order["reason"].endswith(f"MDMessageCmd {command} failed with exit code 1.")
    assert any(order["reason"] in line and line.endswith("the next run begins the order anew") for line in result["warnings"])
    host.over_http(*NAMES)
    command.write_text("#!/bin/sh\nexit 0\n")
    host.done("server.tld")
    host.serves(*NAMES)


def test_a_certificate_that_is_not_valid_here_is_not_served_and_not_ordered_once_more(
    certbot_host: CertbotHost, pebble: Pebble, gate: FaultyAuthority, neighbour: Load
) -> None:
    """As the clock of this host sees it, where that is wrong."""
    authority = Authority(pebble.ca_file.parent)
    gate.fault = Fault(CERTIFICATE, change=lambda chain: authority.shifted(chain, 3))
    order = order_of(certbot_host.run("server.tld", acme_directory=gate.url))
    assert order["state"] == "failed"
    assert order["reason"].startswith("what was issued cannot serve: it is not valid before ")
    assert order["next"]
    certbot_host.over_http(*NAMES)
    again = certbot_host.run("server.tld", acme_directory=gate.url)
    assert (again["changed"], order_of(again), gate.count(NEW_ORDER)) == (False, order, 1)
    gate.fault = None
    (certbot_host.apache.state_directory / "failed-orders.json").unlink()
    certbot_host.done("server.tld", acme_directory=gate.url)
    certbot_host.serves(*NAMES)


# -- where certificates are kept ------------------------------------------------------------------------------------------


def mount(directory: Path, options: str, *more: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", *more, "-t", "tmpfs", "-o", options, "tmpfs", str(directory)], check=True)


def test_a_store_that_is_full_or_read_only_is_refused_and_apache_goes_on(either: Host, neighbour: Load) -> None:
    place = either.directory if isinstance(either, CertbotHost) else either.store

    def refused(reason: str, *domains: str) -> None:
        before = tree(either.apache.config_directory), either.apache.generation()
        result = either.run(*domains)
        assert result["problems"] == [
            f"certificates: {path} cannot take what is ordered: {reason}"
            for path in ([place, place / "work", place / "logs"] if isinstance(either, CertbotHost) else [place])
        ]
        assert (tree(either.apache.config_directory), either.apache.generation()) == before

    def body() -> None:
        # Apache, too, has to see what is mounted.
        either.apache.stop()
        mount(place, "size=64k,mode=755")
        either.apache.start()
        neighbour.wrong.clear()
        either.done("server.tld", certificates="found")
        refused("its file system has 64 KiB left, and 1088 may be needed", "server.tld")
        either.over_http(*NAMES)
        mount(place, "remount,size=16m")
        either.done("server.tld")
        either.serves(*NAMES)
        mount(place, "remount,ro")
        # Who orders nothing new may go on, but for what Apache writes there at a reload.
        assert not either.run("server.tld")["changed"]
        refused("its file system is mounted read-only", "server.tld", "new.tld")
        either.serves(*NAMES)
        mount(place, "remount,rw")
        either.done("server.tld", "new.tld")
        either.serves(*names("server.tld", "new.tld"))

    privately(body)


# -- moves ----------------------------------------------------------------------------------------------------------------


def test_moves_between_all_sources_lose_no_request(
    host: Host, certbot_host: CertbotHost, authority: Authority, neighbour: Load, tmp_path: Path
) -> None:
    """found, certbot, mod_md, certbot, found; what is told to be obsolete after each is deleted at the end."""
    live = host.apache.directory / "live/server.tld"
    # It should have been renewed by now, so that certbot orders.
    authority.issue(live, NAMES, later=-15)
    pattern = f"{host.apache.directory}/live/{{domain}}"
    pair = {"certificate_file": f"{pattern}/fullchain.pem", "certificate_key_file": f"{pattern}/privkey.pem"}
    host.done("server.tld", certificates="found", **pair)
    trusted = tmp_path / "both.pem"
    trusted.write_bytes(authority.certificate.read_bytes() + host.pebble.root().read_bytes())
    client = Client("127.0.0.1", trusted, {"http": host.apache.http_port, "https": host.apache.https_port})

    def ask() -> str:
        # A certificate of another name, or of an authority that nobody knows, is an error of TLS.
        answer = client.request(f"https://{NAMES[0]}{CONFIG}")
        return "" if answer.status == 200 else str(answer)

    given, of_mod_md = live / "fullchain.pem", host.store / "domains" / NAMES[0] / "pubcert.pem"
    lineage = certbot_host.chain(NAMES[0])
    load = Load(ours=ask)
    try:
        result = certbot_host.done("server.tld", **pair)
        assert (used(result), obsolete(result)) == ({lineage}, {given})
        result = host.done("server.tld", **pair, certbot_directory=str(certbot_host.directory))
        assert (used(result), obsolete(result)) == ({of_mod_md}, {given, lineage})
        result = certbot_host.done("server.tld")
        assert (used(result), obsolete(result)) == ({lineage}, {given, of_mod_md})
        result = certbot_host.done("server.tld", certificates="found")
        (serving,) = used(result)
        assert serving in (lineage, of_mod_md)
        for path in obsolete(result):
            shutil.rmtree(path.parent)
        host.apache.reload()
        assert obsolete(certbot_host.done("server.tld", certificates="found")) == set()
    finally:
        load.close()
    assert load.wrong == []
    assert load.count["ours"] > 20


def used(result: dict[str, Any]) -> set[Path]:
    return {Path(entry["certificate_file"]) for entry in result["certificate_names"]}


def obsolete(result: dict[str, Any]) -> set[Path]:
    return {Path(entry["certificate_file"]) for entry in result["certificates_obsolete"]}
