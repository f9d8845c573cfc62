"""Further host names that ordered certificates are to have: which are ordered, and who stands in the way of the others."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig import extra_names
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.dump import VirtualHost
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.certificates import Certificate, Origin
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.survey import Survey
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input import settings

from .test_publication import facts, ground, live, provider, survey

ORDERS = {"acme_agreement": True, "acme_contact": "admin@server.tld"}
NAMES = ["{domain}", "mail.{domain}"]


def judged(found: Survey, source: str, *providers: t.Any, **options: t.Any) -> extra_names.ExtraNames:
    given = {"certificates": source, "certificate_extra_names": NAMES, **ORDERS, **options}
    return extra_names.judge(settings.read({**given, "providers": list(providers) or [provider("server.tld")]}), found)


def site(port: int, *names: str) -> VirtualHost:
    return VirtualHost(f"*:{port}", names, (), "/etc/apache2/sites-enabled/theirs.conf", 3)


@pytest.mark.parametrize("source", ["mod_md", "certbot"])
def test_names_that_nobody_else_has_are_ordered_for_each_domain(source: str) -> None:
    found = judged(survey(), source, provider("server.tld", "a.tld"))
    assert found.ordered == {"server.tld": ("server.tld", "mail.server.tld"), "a.tld": ("a.tld", "mail.a.tld")}
    assert (found.barred, found.findings.warnings) == ({}, ())


@pytest.mark.parametrize(("source", "port"), [("mod_md", 443), ("mod_md", 8443), ("certbot", 80)])
def test_a_site_that_an_order_would_disturb_keeps_its_names(source: str, port: int) -> None:
    found = judged(survey(ground=ground(site(port, "server.tld", "www.server.tld"))), source)
    assert found.ordered == {"server.tld": ("mail.server.tld",)}
    assert list(found.barred) == ["server.tld"]
    (warning,) = found.findings.warnings
    assert warning.startswith("certificate_extra_names: no certificate is ordered for server.tld: the site at ")
    assert "/etc/apache2/sites-enabled/theirs.conf:3" in warning


@pytest.mark.parametrize(("source", "port"), [("mod_md", 80), ("certbot", 443)])
def test_a_site_that_an_order_does_not_disturb_is_no_reason(source: str, port: int) -> None:
    """mod_md answers for all sites on the port of HTTP; and what certbot orders changes no site with TLS."""
    assert judged(survey(ground=ground(site(port, "server.tld"))), source).barred == {}


@pytest.mark.parametrize("source", ["mod_md", "certbot"])
def test_what_certbot_renews_for_somebody_else_is_left_to_it(source: str) -> None:
    theirs = {live("shop.tld"): facts("server.tld", "shop.tld", origin=Origin.GIVEN)}
    ours = {live("autoconfig.server.tld"): facts("autoconfig.server.tld", "mail.server.tld", origin=Origin.CERTBOT)}
    elsewhere = {Certificate("/tls/mail.pem", "/tls/mail.key"): facts("mail.server.tld")}
    found = judged(survey(pairs={**theirs, **ours, **elsewhere}), source)
    assert found.ordered == {"server.tld": ("mail.server.tld",)}
    assert found.barred["server.tld"].startswith("certbot has it in its lineage shop.tld, which could not be renewed any more")


def test_a_domain_without_hosts_has_no_certificate_for_them() -> None:
    options = {"dns_further_domains": "srv", "addresses": ["203.0.113.7"]}
    found = judged(survey(), "mod_md", provider("server.tld", "a.tld"), **options)
    assert found.ordered["a.tld"] == ()
    assert found.barred["mail.a.tld"] == "nothing is ordered for a.tld, which has no hosts here (dns_further_domains: srv)"
