"""A run that has certbot order certificates: its turns, with a certbot that leaves files as the real one does."""

from __future__ import annotations

import dataclasses
import json
import os
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.certificates import PairFacts
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import interrupts
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.commands import Result
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.transaction import ApplyError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.reading import InputError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.orders import Addresses

from tests.unit.test_ordering import full, orders, sites
from tests.unit.test_run import provider

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.fake_apache import FakeApache, Options, Ran

DAY = 86400
NAMES = ["autoconfig.server.tld", "autodiscover.server.tld"]
OPTIONS: Options = {"certificates": "certbot", "acme_agreement": True, "acme_contact": "admin@server.tld"}


class Certbot:
    """certbot and its authority.

    :ivar refuses: mail domains for which there is no certificate
    :ivar calls: the host names of each call
    """

    def __init__(self, apache: FakeApache) -> None:
        self._apache = apache
        self.refuses: set[str] = set()
        self.calls: list[list[str]] = []
        apache.calling = self._call

    def _call(self, command: Sequence[str]) -> Result:
        words = list(command)
        hosts = [words[index + 1] for index, word in enumerate(words) if word == "--domain"]
        self.calls.append(hosts)
        if self.refuses & {host.partition(".")[2] for host in hosts}:
            return Result(1, "", "Error creating new order :: too many failed authorizations recently")
        name, root = words[words.index("--cert-name") + 1], self._apache.certbot
        live, archive, renewal = root / "live" / name, root / "archive" / name, root / "renewal"
        for directory in (live, archive, renewal):
            directory.mkdir(parents=True, exist_ok=True)
        number = len(list(archive.glob("cert*.pem"))) + 1
        for file in ("cert", "fullchain", "privkey"):
            (archive / f"{file}{number}.pem").write_text("PEM")
            (live / f"{file}.pem").unlink(missing_ok=True)
            (live / f"{file}.pem").symlink_to(archive / f"{file}{number}.pem")
        webroot = words[words.index("--webroot-path") + 1]
        parts = [f"{part} = {live}/{part}.pem" for part in ("cert", "privkey", "chain", "fullchain")]
        lines = [
            *parts,
            "[renewalparams]",
            "authenticator = webroot",
            "[[webroot_map]]",
            *(f"{host} = {webroot}" for host in hosts),
        ]
        (renewal / f"{name}.conf").write_text("\n".join(lines))
        self._apache.certificates[str(live / "fullchain.pem")] = hosts
        return Result(0, "", "")


@pytest.fixture
def certbot(apache: FakeApache) -> Certbot:
    return Certbot(apache)


def test_one_run_from_nothing_to_https_and_the_next_does_not_call_certbot(apache: FakeApache, certbot: Certbot) -> None:
    ran = apache.publish(**OPTIONS)
    assert certbot.calls == [NAMES]
    assert sites(apache) == ["autoconfig.server.tld", "autoconfig.server.tld-ssl"]
    assert (orders(ran), ran.result["changed"], ran.result["reloaded"]) == ({"server.tld": "there"}, True, True)
    assert (ran.result["certificates_managed"], ran.result["certificate_store"]) == (False, "")
    assert "md" not in ran.result["enabled"]["mods"]
    assert apache.progress == ["certbot was asked for 1 of 1 certificates, 0 failed"]
    before = apache.footprint()
    again = apache.publish(**OPTIONS)
    assert (again.result["changed"], certbot.calls, apache.footprint()) == (False, [NAMES], before)


def test_one_that_fails_keeps_no_other_and_is_left_alone_for_an_hour(apache: FakeApache, certbot: Certbot) -> None:
    options = {**OPTIONS, "providers": [provider("a.tld", "b.tld")]}
    certbot.refuses = {"a.tld"}
    ran = apache.publish(**options)
    assert orders(ran) == {"a.tld": "failed", "b.tld": "there"}
    assert any(line.startswith("certbot has no certificate for a.tld: Error creating new order") for line in ran.warnings)
    before = apache.footprint()
    again = apache.publish(**options)
    assert (orders(again), again.result["changed"], len(certbot.calls)) == (orders(ran), False, 2)
    assert apache.footprint() == before
    notes = apache.state / "failed-orders.json"
    known = json.loads(notes.read_text())
    known["a.tld"]["until"] -= 3601
    notes.write_text(json.dumps(known))
    certbot.refuses = set()
    assert orders(apache.publish(**options)) == {"a.tld": "there", "b.tld": "there"}
    assert not notes.exists()


SIGNER = "profiles.server.tld"


def test_what_signs_is_ordered_led_to_a_site_of_ours_and_forgotten(apache: FakeApache, certbot: Certbot) -> None:
    snippet = Path(apache.layout.available("conf")) / f"{SIGNER}-challenges.conf"
    certbot.refuses = {"server.tld"}
    ran = apache.publish(signing_host=SIGNER, **OPTIONS)
    assert orders(ran) == {SIGNER: "failed", "server.tld": "failed"}
    assert "http://autoconfig.server.tld%{REQUEST_URI}" in snippet.read_text()
    assert set(json.loads((apache.state / "failed-orders.json").read_text())) == {SIGNER, "server.tld"}
    apache.remove(**OPTIONS)
    assert (list(apache.state.iterdir()), snippet.exists()) == ([], False)


def test_runs_for_one_provider_after_the_other_lead_to_the_same_site(apache: FakeApache, certbot: Certbot) -> None:
    for domain in ("server.tld", "a.tld", "server.tld"):
        apache.publish(signing_host=SIGNER, **OPTIONS, providers=[provider(domain)])
    snippet = Path(apache.layout.available("conf")) / f"{SIGNER}-challenges.conf"
    assert "http://autoconfig.a.tld%" in snippet.read_text()
    ran = apache.publish(signing_host=SIGNER, **OPTIONS, providers=[provider("server.tld")])
    assert not ran.result["changed"]
    apache.publish(signing_host=SIGNER, **OPTIONS, providers=[provider("server.tld")], purge=True)
    assert "http://autoconfig.server.tld%" in snippet.read_text()


def test_further_names_are_in_the_lineage_and_told(apache: FakeApache, certbot: Certbot) -> None:
    extra = {"certificate_extra_names": ["mail.{domain}"]}
    apache.publish(**OPTIONS)
    apache.read_at = os.stat(apache.certbot / "live/autoconfig.server.tld/fullchain.pem").st_mtime - 1
    ran = apache.publish(**OPTIONS, **extra)
    assert certbot.calls == [NAMES, [*NAMES, "mail.server.tld"]]
    told = {entry["name"]: entry["reason"] for entry in ran.result["certificate_names"]}
    assert told["mail.server.tld"] == "certbot orders and renews it"
    assert (
        "http://autoconfig.server.tld%"
        in (Path(apache.layout.available("conf")) / "autoconfig.server.tld-challenges.conf").read_text()
    )


def test_what_failed_is_forgotten_with_its_domain(apache: FakeApache, certbot: Certbot) -> None:
    certbot.refuses = {"server.tld"}
    apache.publish(**OPTIONS)
    assert (apache.state / "failed-orders.json").exists()
    apache.remove(**OPTIONS)
    assert list(apache.state.iterdir()) == []


def test_check_mode_and_a_run_that_may_not_reload_do_not_call_certbot(apache: FakeApache, certbot: Certbot) -> None:
    apache.publish(**{**OPTIONS, "certificates": "found"})
    ran = apache.check(**OPTIONS)
    assert (orders(ran), ran.result["changed"]) == ({"server.tld": "ordered"}, True)
    ran = apache.publish(way={"reload": False}, **OPTIONS)
    assert any(line.startswith("nothing is ordered for server.tld: Apache has to answer") for line in ran.warnings)
    assert (ran.result["changed"], certbot.calls) == (False, [])


def test_a_record_that_comes_later_is_served_by_the_lineage_that_is_there(apache: FakeApache, certbot: Certbot) -> None:
    apache.dns = {NAMES[1]: Addresses(("192.0.2.1",))}
    apache.publish(**OPTIONS)
    apache.read_at = os.stat(apache.certbot / "live/autoconfig.server.tld/fullchain.pem").st_mtime - 1
    apache.dns = {}
    ran = apache.publish(**OPTIONS)
    assert certbot.calls == [NAMES[:1], NAMES]
    assert (orders(ran), ran.result["changed"], ran.result["reloaded"]) == ({"server.tld": "there"}, True, True)
    assert [path.name for path in (apache.certbot / "live").iterdir()] == ["autoconfig.server.tld"]


def test_what_the_timer_has_not_renewed_in_time_is_renewed_and_a_change(apache: FakeApache, certbot: Certbot) -> None:
    apache.publish(**OPTIONS)
    chain = str(apache.certbot / "live/autoconfig.server.tld/fullchain.pem")
    apache.certificates[chain] = PairFacts(names=tuple(NAMES), begins=time.time() - 80 * DAY, ends=time.time() + 10 * DAY)
    ran = apache.publish(**OPTIONS)
    assert (certbot.calls, orders(ran), ran.result["changed"]) == ([NAMES, NAMES], {"server.tld": "there"}, True)


def test_a_lineage_that_nobody_has_renewed_is_behind_a_pair_of_others_that_lasts(apache: FakeApache, certbot: Certbot) -> None:
    def serving(ran: Ran) -> set[str]:
        return {entry["certificate_file"] for entry in ran.result["certificate_names"]}

    apache.publish(**OPTIONS)
    own, other = (str(apache.certbot / f"live/{name}/fullchain.pem") for name in ("autoconfig.server.tld", "wild"))
    now = time.time()
    ending = PairFacts(names=tuple(NAMES), begins=now - 80 * DAY, ends=now + 10 * DAY)
    for name in ("fullchain", "privkey"):
        path = apache.certbot / f"live/wild/{name}.pem"
        path.parent.mkdir(exist_ok=True)
        path.write_text("PEM")
    apache.certificates[other] = PairFacts(names=("*.server.tld",), begins=now, ends=now + 90 * DAY)
    assert serving(apache.publish(**OPTIONS)) == {own}
    apache.certificates[own] = ending
    assert serving(apache.publish(**OPTIONS)) == {other}
    # If that should have been renewed as well, it is no better, and what is ordered is preferred.
    apache.certificates[other] = dataclasses.replace(ending, names=("*.server.tld",))
    certbot.refuses = {"server.tld"}
    assert serving(apache.publish(**OPTIONS)) == {own}


def test_what_was_issued_and_cannot_serve_is_not_ordered_once_more(apache: FakeApache, certbot: Certbot) -> None:
    chain, order = str(apache.certbot / "live/autoconfig.server.tld/fullchain.pem"), apache.calling

    def untimely(command: Sequence[str]) -> Result:
        result = order(command)
        apache.certificates[chain] = PairFacts(names=tuple(NAMES), problem="it is not valid before 2030", is_input=False)
        return result

    apache.calling = untimely
    ran = apache.publish(**OPTIONS)
    assert (sites(apache), orders(ran)) == (["autoconfig.server.tld"], {"server.tld": "failed"})
    told = "certbot has no certificate for server.tld: what was issued cannot serve: it is not valid before 2030; is the clock"
    assert any(line.startswith(told) for line in ran.warnings)
    before = apache.footprint()
    again = apache.publish(**OPTIONS)
    assert (orders(again), again.result["changed"], len(certbot.calls)) == ({"server.tld": "failed"}, False, 1)
    assert apache.footprint() == before
    # When the clock is right it serves, without another order.
    apache.certificates[chain] = NAMES
    assert orders(apache.publish(**OPTIONS)) == {"server.tld": "there"}
    assert (sites(apache), len(certbot.calls)) == (["autoconfig.server.tld", "autoconfig.server.tld-ssl"], 1)


@pytest.mark.parametrize("lines", [None, 0, 3, 5])
def test_a_lineage_that_certbot_cannot_renew_gives_way_to_another_one(
    apache: FakeApache, certbot: Certbot, lines: int | None
) -> None:
    apache.publish(**OPTIONS)
    file = apache.certbot / "renewal/autoconfig.server.tld.conf"
    if lines is None:
        file.unlink()
    else:
        file.write_text("\n".join(file.read_text().splitlines()[:lines]))
    foreseen = apache.check(**OPTIONS)
    assert any(line.startswith("certbot cannot renew autoconfig.server.tld: ") for line in foreseen.warnings)
    ran = apache.publish(**OPTIONS)
    assert (certbot.calls, ran.result["reloaded"]) == ([NAMES, NAMES], True)
    other = str(apache.certbot / "live/autoconfig.server.tld-mail_autoconfig/fullchain.pem")
    assert {entry["certificate_file"] for entry in ran.result["certificate_names"]} == {other}
    (told,) = ran.result["certificates_obsolete"]
    assert told["certificate_file"] == str(apache.certbot / "live/autoconfig.server.tld/fullchain.pem")
    # certbot cannot do that either.
    assert told["delete_command"] == ""
    again = apache.publish(**OPTIONS)
    assert (again.result["changed"], len(certbot.calls)) == (False, 2)


def test_without_certbot_it_is_refused_but_for_a_check_before_it_is_installed(apache: FakeApache, certbot: Certbot) -> None:
    apache.programs = set()
    before = apache.footprint()
    with pytest.raises(InputError, match="install the package certbot, or let the role do it"):
        apache.publish(**OPTIONS)
    with pytest.raises(InputError, match="install the package certbot"):
        apache.publish(way={"certbot_is_coming": True}, **OPTIONS)
    ran = apache.publish(way={"check": True, "certbot_is_coming": True}, **OPTIONS)
    assert (orders(ran), apache.footprint()) == ({"server.tld": "ordered"}, before)


def test_a_run_that_is_told_to_stop_while_certbot_orders_says_what_is_done(apache: FakeApache, certbot: Certbot) -> None:
    def stop(_command: Sequence[str]) -> t.NoReturn:
        raise interrupts.Interrupted("the run was told to stop (SIGTERM)")

    order, apache.calling = apache.calling, stop
    with pytest.raises(ApplyError, match=r"\(SIGTERM\) while certbot ordered certificates") as error:
        apache.publish(**OPTIONS)
    assert error.value.rolled_back is False
    assert sites(apache) == ["autoconfig.server.tld"]
    apache.calling = order
    assert orders(apache.publish(**OPTIONS)) == {"server.tld": "there"}


def test_what_there_was_no_time_for_is_told(apache: FakeApache, certbot: Certbot) -> None:
    def too_slow(_command: Sequence[str]) -> t.NoReturn:
        raise TimeoutError("certbot did not end within 300 s")

    apache.calling = too_slow
    ran = apache.publish(**OPTIONS, providers=[provider("a.tld", "b.tld")])
    assert orders(ran) == {"a.tld": "failed", "b.tld": "ordered"}
    assert any(line.endswith("later runs order for b.tld") for line in ran.warnings)
    assert Path(apache.state / "failed-orders.json").exists()


def test_what_goes_is_told_with_the_command_that_deletes_it(apache: FakeApache, certbot: Certbot) -> None:
    apache.publish(**OPTIONS)
    (left,) = apache.remove(**OPTIONS).result["certificates_obsolete"]
    assert left["delete_command"] == f"certbot delete --cert-name autoconfig.server.tld --config-dir {apache.certbot}"
    assert (apache.certbot / "live/autoconfig.server.tld/fullchain.pem").exists()


@pytest.mark.parametrize("place", ["", "/logs", "/work"])
def test_directories_that_take_nothing_are_refused(
    apache: FakeApache, certbot: Certbot, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    before, directory = apache.footprint(), Path(f"{apache.certbot}{place}")
    full(monkeypatch, directory)
    with pytest.raises(InputError) as error:
        apache.publish(**OPTIONS)
    assert error.value.problems == (f"certificates: {directory} cannot take what is ordered: it is full",)
    assert (apache.footprint(), certbot.calls) == (before, [])
    monkeypatch.undo()
    apache.publish(**OPTIONS)
    # Where nothing is to be ordered, nothing need be written.
    full(monkeypatch, directory)
    assert apache.publish(**OPTIONS).result["changed"] is False


def test_providers_may_differ(apache: FakeApache, certbot: Certbot) -> None:
    providers = [provider("a.tld", certificates="certbot"), provider("b.tld", certificates="given")]
    ran = apache.publish(**{**OPTIONS, "certificates": "found", "providers": providers})
    assert (orders(ran), sites(apache)) == (
        {"a.tld": "there"},
        ["autoconfig.a.tld", "autoconfig.a.tld-ssl", "autoconfig.b.tld"],
    )


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"acme_agreement": False}, "acme_agreement"),
        ({"acme_contact": ""}, "acme_contact"),
        ({"https": False}, "certificates"),
        ({"acme_profile": "tlsserver"}, "acme_profile"),
        ({"acme_challenges": ["dns-01"], "acme_dns_command": "/x"}, "acme_challenges"),
        ({"acme_eab_file": "/x"}, "acme_eab_file"),
        ({"acme_ca_file": "/nowhere/ca.pem"}, "acme_ca_file"),
    ],
)
def test_what_an_order_needs_and_what_certbot_cannot_is_refused(
    apache: FakeApache, certbot: Certbot, options: Options, option: str
) -> None:
    before = apache.footprint()
    with pytest.raises(InputError, match=f"{option}: "):
        apache.publish(**{**OPTIONS, **options})
    assert (apache.footprint(), certbot.calls) == (before, [])
