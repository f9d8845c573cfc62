"""A run that orders certificates: its turns, with a mod_md that does what the real one was seen to do."""

from __future__ import annotations

import json
import os
import re
import shutil
import typing as t
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import filesystem, interrupts, managed
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.transaction import ApplyError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.reading import InputError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.orders import Addresses

from tests.unit.test_run import provider

if t.TYPE_CHECKING:
    from tests.unit.fake_apache import FakeApache, Options, Ran

NAMES = ("autoconfig.server.tld", "autodiscover.server.tld")
OPTIONS: Options = {"certificates": "mod_md", "acme_agreement": True, "acme_contact": "admin@server.tld", "acme_wait_seconds": 2}


class ModMd:
    """What mod_md does at a reload.

    :ivar issues: whether the authority issues anything
    :ivar reloads: how many there were
    """

    def __init__(self, apache: FakeApache) -> None:
        self._apache = apache
        self.store = Path(apache.layout.config_directory) / "md"
        self.issues = True
        self.reloads = 0
        self._is_initialised = False
        apache.reloading = self._reload

    def _reload(self) -> None:
        self.reloads += 1
        enabled = Path(self._apache.layout.enabled("conf"))
        if not (Path(self._apache.layout.enabled("mods")) / "md.load").exists():
            return
        # The first reload with the module is a dry run.
        was_initialised, self._is_initialised = self._is_initialised, True
        if was_initialised:
            for path in enabled.glob("*-certificates.conf"):
                for names in re.findall(r"<MDomainSet (.*)>", path.read_text()):
                    self._sync(names.split())

    def _sync(self, names: list[str]) -> None:
        domain, staging = self.store / "domains" / names[0], self.store / "staging" / names[0]
        domain.mkdir(parents=True, exist_ok=True)
        (domain / "md.json").write_text(json.dumps({"name": names[0], "domains": names}))
        if (staging / "pubcert.pem").exists():
            for name in ("pubcert.pem", "privkey.pem"):
                (staging / name).replace(domain / name)
            self._apache.certificates[str(domain / "pubcert.pem")] = names
            shutil.rmtree(staging)
        elif (staging / "job.json").exists():
            # It begins anew, but not before the time that it had set itself.
            shutil.rmtree(staging)
            return
        known = self._apache.certificates.get(str(domain / "pubcert.pem"), names)
        is_whole = not isinstance(known, list) or set(names) <= set(known)
        if not (is_whole and (domain / "pubcert.pem").exists()):
            self.stage(names[0])

    def stage(self, name: str) -> None:
        """Order a certificate."""
        staging = self.store / "staging" / name
        staging.mkdir(parents=True, exist_ok=True)
        job: dict[str, t.Any] = {"finished": self.issues, "errors": 0 if self.issues else 2}
        if self.issues:
            for file in ("pubcert.pem", "privkey.pem"):
                (staging / file).write_text("PEM")
        else:
            job["last"] = {"detail": "it is down", "activity": "Contacting ACME server for x"}
        (staging / "job.json").write_text(json.dumps(job))


@pytest.fixture
def mod_md(apache: FakeApache) -> ModMd:
    return ModMd(apache)


def sites(apache: FakeApache) -> list[str]:
    return sorted(name.removesuffix(".conf") for name in apache.enabled("sites") if "default" not in name)


def orders(ran: Ran) -> dict[str, str]:
    return {entry["domain"]: entry["state"] for entry in ran.result["certificate_orders"]}


def test_one_run_from_nothing_to_https_and_the_next_does_nothing(apache: FakeApache, mod_md: ModMd) -> None:
    ran = apache.publish(**OPTIONS)
    # Everything over HTTP; the one behind the dry run; the certificate is in use; HTTPS.
    assert mod_md.reloads == 4
    assert sites(apache) == ["autoconfig.server.tld", "autoconfig.server.tld-ssl"]
    assert orders(ran) == {"server.tld": "there"}
    assert (ran.result["changed"], ran.result["reloaded"], ran.result["certificates_managed"]) == (True, True, True)
    assert set(ran.result["enabled"]["mods"]) >= {"md", "ssl"}
    assert apache.progress[-1] == "1 of 1 certificates are there"
    assert not [line for line in ran.warnings if "certificate" in line and "signing" not in line]
    site = Path(apache.layout.available("sites"), "autoconfig.server.tld-ssl.conf").read_text()
    # Without its definition or its module mod_md has no certificate for it, and Apache would not start.
    definition = Path(apache.layout.enabled("conf")) / "autoconfig.server.tld-certificates.conf"
    mark = "MAIL_AUTOCONFIG_MANAGED_autoconfig.server.tld"
    assert f"Define {mark}\n" in definition.read_text()
    assert site.index("<IfModule md_module>") < site.index(f"<IfDefine {mark}>") < site.index("<VirtualHost")
    assert "SSLCertificateFile" not in site
    before = apache.footprint()
    again = apache.publish(**OPTIONS)
    assert (again.result["changed"], mod_md.reloads, apache.footprint()) == (False, 4, before)


def test_a_store_of_before_does_not_hide_that_the_first_reload_did_nothing(apache: FakeApache, mod_md: ModMd) -> None:
    (mod_md.store / "domains" / NAMES[0]).mkdir(parents=True)
    (mod_md.store / "domains" / NAMES[0] / "md.json").write_text(json.dumps({"domains": list(NAMES)}))
    assert orders(apache.publish(**OPTIONS)) == {"server.tld": "there"}


def test_dns_is_asked_once_for_each_name_and_not_for_those_that_have_a_certificate(apache: FakeApache, mod_md: ModMd) -> None:
    apache.publish(**OPTIONS)
    assert sorted(apache.looked_up) == sorted(NAMES)
    apache.looked_up.clear()
    apache.publish(**OPTIONS)
    assert apache.looked_up == []


def test_without_an_address_here_nothing_is_ordered(apache: FakeApache, mod_md: ModMd) -> None:
    apache.dns = dict.fromkeys(NAMES, Addresses(("192.0.2.1",)))
    ran = apache.publish(**OPTIONS)
    assert sites(apache) == ["autoconfig.server.tld"]
    assert (orders(ran), ran.result["certificates_managed"], mod_md.reloads) == ({}, False, 1)
    assert any("leads to 192.0.2.1, which is not this host" in line for line in ran.warnings)
    # An address that the administrator publishes leads here, by a router in front.
    ran = apache.publish(**OPTIONS, addresses=["192.0.2.1"])
    assert orders(ran) == {"server.tld": "there"}


def test_an_alias_that_the_administrator_publishes_leads_here(apache: FakeApache, mod_md: ModMd) -> None:
    apache.dns = dict.fromkeys((*NAMES, "gate.server.tld"), Addresses(("192.0.2.1",)))
    assert orders(apache.publish(**OPTIONS, dns_host="gate.server.tld")) == {"server.tld": "there"}


def test_pacc_has_a_name_in_the_certificate(apache: FakeApache, mod_md: ModMd) -> None:
    ran = apache.publish(**OPTIONS, pacc=True)
    (order,) = ran.result["certificate_orders"]
    assert order["names"] == [*NAMES, "ua-auto-config.server.tld"]


def test_names_are_validated_over_tls_by_sites_that_wait(apache: FakeApache, mod_md: ModMd) -> None:
    options = {**OPTIONS, "acme_challenges": ["tls-alpn-01"], "providers": [provider("server.tld", "dead.tld")]}
    apache.dns = dict.fromkeys(("autoconfig.dead.tld", "autodiscover.dead.tld"), Addresses())
    mod_md.issues = False
    apache.publish(**options)
    assert sites(apache) == ["autoconfig.server.tld", "autoconfig.server.tld-waiting"]
    waiting = Path(apache.layout.available("sites"), "autoconfig.server.tld-waiting.conf")
    assert "dead.tld" not in waiting.read_text()
    assert "SSLEngine on" in waiting.read_text()
    mod_md.issues = True
    apache.publish(**options)
    assert sites(apache) == ["autoconfig.dead.tld", "autoconfig.server.tld", "autoconfig.server.tld-ssl"]
    assert "acme-tls/1" in Path(apache.layout.available("sites"), "autoconfig.server.tld-ssl.conf").read_text()
    before = apache.footprint()
    assert not apache.publish(**options).result["changed"]
    assert apache.footprint() == before
    apache.publish(**{**options, "acme_challenges": ["http-01"]})
    assert "acme-tls/1" not in Path(apache.layout.available("sites"), "autoconfig.server.tld-ssl.conf").read_text()


def test_further_names_are_in_the_certificate_and_told(apache: FakeApache, mod_md: ModMd) -> None:
    extra = {"certificate_extra_names": ["mail.{domain}"]}
    apache.publish(**OPTIONS)
    ran = apache.publish(**OPTIONS, **extra)
    assert [order["names"] for order in ran.result["certificate_orders"]] == [[*NAMES, "mail.server.tld"]]
    told = {entry["name"]: entry["reason"] for entry in ran.result["certificate_names"]}
    assert told["mail.server.tld"] == "mod_md orders and renews it"
    apache.dns = {"mail.server.tld": Addresses(("192.0.2.1",))}
    before = apache.footprint()
    assert not apache.publish(**OPTIONS, **extra).result["changed"]
    assert apache.footprint() == before


def test_more_than_the_authority_takes_is_left_to_later_runs(apache: FakeApache, mod_md: ModMd) -> None:
    options = {**OPTIONS, "providers": [provider("a.tld", "b.tld", "c.tld")], "acme_new_orders": 2}
    ran = apache.publish(**options)
    assert orders(ran) == {"a.tld": "there", "b.tld": "there", "c.tld": "later"}
    assert ran.result["certificate_orders"][2]["next"]
    assert apache.publish(**options).result["changed"] is False
    # Three hours later; the time of the store is that of its files.
    for path in mod_md.store.glob("domains/*/pubcert.pem"):
        os.utime(path, (0, 0))
    assert orders(apache.publish(**options)) == {"a.tld": "there", "b.tld": "there", "c.tld": "there"}


def test_while_the_authority_is_down_it_is_http_and_each_run_tries_again(apache: FakeApache, mod_md: ModMd) -> None:
    mod_md.issues = False
    ran = apache.publish(**OPTIONS)
    assert sites(apache) == ["autoconfig.server.tld"]
    assert orders(ran) == {"server.tld": "failed"}
    assert any("no certificate yet for autoconfig.server.tld: it is down" in line for line in ran.warnings)
    mod_md.issues = True
    ran = apache.publish(**OPTIONS)
    assert orders(ran) == {"server.tld": "there"}
    assert sites(apache) == ["autoconfig.server.tld", "autoconfig.server.tld-ssl"]


def test_a_failed_order_is_tried_at_once_after_a_change(apache: FakeApache, mod_md: ModMd) -> None:
    mod_md.issues = False
    apache.publish(**OPTIONS)
    mod_md.issues = True
    ran = apache.publish(**{**OPTIONS, "acme_contact": "other@server.tld"})
    assert orders(ran) == {"server.tld": "there"}


def test_a_certificate_of_before_serves_until_there_is_one(apache: FakeApache, mod_md: ModMd) -> None:
    apache.add_certificate("server.tld", *NAMES)
    mod_md.issues = False
    apache.publish(**OPTIONS)
    site = Path(apache.layout.available("sites"), "autoconfig.server.tld-ssl.conf")
    assert f"SSLCertificateFile {apache.root}/live/server.tld/fullchain.pem" in site.read_text()
    # mod_md puts its own before it at whichever reload it comes.
    assert apache.ready is not None
    assert {item.certificate for item in apache.ready.inspection.expectations} == {""}
    mod_md.issues = True
    apache.publish(**OPTIONS)
    assert "SSLCertificateFile" not in site.read_text()


def test_a_staged_renewal_is_a_reload_and_nothing_else(apache: FakeApache, mod_md: ModMd) -> None:
    apache.publish(**OPTIONS)
    mod_md.stage(NAMES[0])
    ran = apache.publish(**OPTIONS)
    assert (ran.result["changed"], ran.result["changed_files"], mod_md.reloads) == (True, [], 5)
    assert not (mod_md.store / "staging" / NAMES[0]).exists()


def test_check_mode_and_a_run_that_may_not_reload_do_not_wait(apache: FakeApache, mod_md: ModMd) -> None:
    ran = apache.check(**OPTIONS)
    assert (orders(ran), apache.progress, mod_md.reloads) == ({"server.tld": "ordered"}, [], 0)
    ran = apache.publish(way={"reload": False}, **OPTIONS)
    assert (apache.progress, mod_md.reloads) == ([], 0)
    assert any(line.startswith("certificates are not ordered") for line in ran.warnings)


def test_providers_may_differ(apache: FakeApache, mod_md: ModMd) -> None:
    providers = [provider("a.tld", certificates="mod_md"), provider("b.tld", certificates="given")]
    ran = apache.publish(**{**OPTIONS, "certificates": "found", "providers": providers})
    assert orders(ran) == {"a.tld": "there"}
    assert sites(apache) == ["autoconfig.a.tld", "autoconfig.a.tld-ssl", "autoconfig.b.tld"]
    # A run for the other one leaves the orders of this one alone.
    ran = apache.publish(**{**OPTIONS, "certificates": "found", "providers": providers[1:]})
    assert (ran.result["changed"], ran.result["certificates_managed"]) == (False, True)
    gone = apache.remove(**{**OPTIONS, "certificates": "found", "providers": providers})
    assert gone.result["certificates_managed"] is False
    assert "autoconfig.a.tld-certificates.conf" not in apache.enabled("conf")


def test_what_others_have_managed_is_refused_before_anything_is_written(apache: FakeApache, mod_md: ModMd) -> None:
    other = Path(apache.layout.enabled("conf")) / "md.conf"
    other.write_text(f"<IfModule md_module>\nMDomain {NAMES[1]}\n</IfModule>\n")
    before = apache.footprint()
    with pytest.raises(InputError, match=r"md\.conf:2 has autodiscover\.server\.tld managed by mod_md already"):
        apache.publish(**OPTIONS)
    assert apache.footprint() == before


def test_files_that_are_not_there_are_refused_all_at_once(apache: FakeApache, mod_md: ModMd) -> None:
    files = {"acme_ca_file": "/no/ca.pem", "acme_eab_file": "/no/eab.json"}
    with pytest.raises(InputError) as error:
        apache.publish(**OPTIONS, **files)
    assert error.value.problems == (
        "acme_eab_file: /no/eab.json does not exist on this host",
        "acme_ca_file: /no/ca.pem does not exist on this host",
    )


def full(monkeypatch: pytest.MonkeyPatch, *directories: Path) -> None:
    """Let nothing more be written into these directories."""
    monkeypatch.setattr(filesystem, "why_not_writable", lambda path, *_needed: "it is full" if Path(path) in directories else "")


def test_a_store_that_takes_nothing_is_refused_before_apache_ends_of_it(
    apache: FakeApache, mod_md: ModMd, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = apache.footprint()
    full(monkeypatch, mod_md.store)
    for way in ({}, {"check": True}):
        with pytest.raises(InputError) as error:
            apache.publish(way=way, **OPTIONS)
        assert error.value.problems == (f"certificates: {mod_md.store} cannot take what is ordered: it is full",)
    assert apache.footprint() == before
    # Who orders nothing needs no room there, nor a run that reloads nothing.
    apache.publish(**{**OPTIONS, "certificates": "found"})
    monkeypatch.undo()
    apache.publish(**OPTIONS)
    full(monkeypatch, mod_md.store)
    assert apache.publish(**OPTIONS).result["changed"] is False


def test_an_apache_that_does_not_run_orders_nothing(apache: FakeApache, mod_md: ModMd) -> None:
    apache.stop()
    ran = apache.publish(**OPTIONS)
    assert (apache.progress, mod_md.reloads, orders(ran)) == ([], 0, {"server.tld": "ordered"})
    assert any(line.startswith("certificates are not ordered: Apache does that") for line in ran.warnings)


def test_a_store_that_is_somewhere_else_is_told_of(apache: FakeApache, mod_md: ModMd) -> None:
    expected = mod_md.store
    mod_md.store = Path(apache.layout.config_directory) / "md of before"
    ran = apache.publish(**OPTIONS)
    assert (orders(ran), mod_md.reloads) == ({"server.tld": "ordered"}, 2)
    told = [line for line in ran.warnings if "certificate" in line and "signing" not in line]
    assert any(f"nothing of an order was found in {expected}; if MDStoreDir" in line for line in told), told
    assert not [line for line in told if line.startswith("certificates are not ordered")]


def test_a_run_that_is_told_to_stop_while_it_waits_says_what_is_done(
    apache: FakeApache, mod_md: ModMd, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_arguments: t.Any) -> t.NoReturn:
        raise interrupts.Interrupted("the run was told to stop (SIGTERM)")

    monkeypatch.setattr(managed, "wait", stop)
    with pytest.raises(ApplyError, match=r"\(SIGTERM\) while it waited for certificates") as error:
        apache.publish(**OPTIONS)
    assert error.value.rolled_back is False
    assert sites(apache) == ["autoconfig.server.tld"]
    monkeypatch.undo()
    assert orders(apache.publish(**OPTIONS)) == {"server.tld": "there"}
