"""What the unit tests share: made-up providers, and an Apache that is only files and a runner."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Callable
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input import settings
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import Provider

from tests.unit.fake_apache import FakeApache

Options = dict[str, t.Any]
ProviderOptions = st.SearchStrategy[Options]

# The same examples in every run, so that a failure is a change; HYPOTHESIS_PROFILE=thorough looks for new ones.
hypothesis.settings.register_profile("quick", max_examples=60, deadline=None, derandomize=True, database=None)
hypothesis.settings.register_profile("thorough", max_examples=2000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


# Files of others that tests read: see the README beside them.
DATA = Path(__file__).parents[1] / "data"


# -- providers ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def make_provider() -> Callable[..., Provider]:
    """Makes a provider with IMAP and submission from a few options."""

    def make(**options: t.Any) -> Provider:
        base: Options = {
            "domains": ["server.tld"],
            "incoming": [{"type": "imap", "hostname": "mail.server.tld"}],
            "outgoing": [{"type": "smtp", "hostname": "mail.server.tld"}],
        }
        return Provider.from_dict({**base, **options})

    return make


def _some(**fields: st.SearchStrategy[t.Any]) -> st.SearchStrategy[Options]:
    """Mappings with some of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


def _with(strategy: st.SearchStrategy[Options], **fields: st.SearchStrategy[t.Any]) -> st.SearchStrategy[Options]:
    """Mappings that have the fields besides."""
    return st.builds(lambda first, second: {**first, **second}, strategy, st.fixed_dictionaries(fields))


@pytest.fixture(scope="session")
def texts() -> st.SearchStrategy[str]:
    """Texts for people: anything that XML can carry, and what is dangerous in it."""
    characters = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")
    dangerous = st.sampled_from(["<b>&amp;'\"", "]]>", "--><!--", "%EMAILADDRESS%", "a & b", "<![CDATA[x]]>", "  two  blanks "])
    return st.one_of(st.text(characters, min_size=1, max_size=30), dangerous).filter(lambda text: bool(text.strip()))


@pytest.fixture(scope="session")
def provider_options(texts: st.SearchStrategy[str]) -> ProviderOptions:
    """Valid options of one provider, of every kind."""
    hosts = st.lists(st.from_regex(r"[a-z]([a-z0-9-]{0,5}[a-z0-9])?", fullmatch=True), min_size=2, max_size=3).map(".".join)
    server_hosts = st.one_of(hosts, hosts.map("%EMAILDOMAIN%.{}".format), st.just("%EMAILDOMAIN%"))
    paths = st.text("abc/&<>\"'%=?#-._~", max_size=12)
    urls = st.builds("{}://{}/{}".format, st.sampled_from(["http", "https"]), hosts, paths)
    ports = st.integers(1, 65535)
    sockets = st.sampled_from(["SSL", "STARTTLS", "plain"])
    user_names = st.one_of(st.sampled_from(["%EMAILADDRESS%", "%EMAILLOCALPART%", "%EMAILLOCALPART%.%EMAILDOMAIN%"]), texts)
    methods = [
        "password-cleartext",
        "password-encrypted",
        "OAuth2",
        "GSSAPI",
        "NTLM",
        "TLS-client-cert",
        "client-IP-address",
        "none",
    ]

    def servers(types: list[str], words: list[str], **required: st.SearchStrategy[t.Any]) -> st.SearchStrategy[Options]:
        common = _some(
            port=ports,
            socket_type=sockets,
            authentication=st.lists(st.sampled_from(words), unique=True, min_size=1, max_size=3),
            username=user_names,
            restriction=st.lists(texts.map(lambda text: " ".join(text.split())), unique=True, max_size=2),
            add_this_server=st.booleans(),
        )
        return _with(common, type=st.sampled_from(types), **required)

    pop3 = st.fixed_dictionaries(
        {"leave_messages_on_server": st.booleans()},
        optional={
            "download_on_biff": st.booleans(),
            "days_to_leave_messages_on_server": st.integers(1, 365),
            "check_interval": st.integers(1, 10080),
        },
    )
    incoming = st.one_of(
        servers(["imap", "nntp"], methods, hostname=server_hosts),
        servers(["pop3"], methods, hostname=server_hosts, pop3=pop3),
        servers(["jmap", "ews", "owa", "graph", "activeSync"], methods, url=urls),
        servers(["exchange"], methods, hostname=server_hosts, owa_url=urls, ews_url=urls, eas_url=urls),
    )
    outgoing = servers(["smtp"], [*methods, "smtp-after-pop"], hostname=server_hosts)
    links = st.lists(
        _with(_some(texts=st.lists(_with(_some(lang=st.sampled_from(["en", "de", "pt-BR"])), text=texts), max_size=2)), url=urls),
        max_size=2,
    )
    form_field = _some(id=texts, name=texts)
    login_form = _with(
        _some(username=user_names, username_field=form_field, password_field=form_field, login_button=form_field), url=urls
    )
    dav = _with(_some(username=user_names), url=urls)
    optional = _some(
        id=hosts,
        display_name=texts,
        short_name=texts,
        documentation=links,
        instructions=links,
        enable=links,
        webmail=_with(_some(login_form=login_form), login_page=urls),
        oauth2=_with(_some(scope=texts), issuer=hosts, auth_url=urls, token_url=urls),
        caldav=dav,
        carddav=dav,
        jmap=dav,
        managesieve=_with(_some(port=ports, socket_type=sockets), hostname=server_hosts),
        input_fields=st.lists(_with(_some(value=texts), key=texts, label=texts), max_size=2),
        config_update_url=urls,
        profile=_some(
            organization=texts,
            description=texts,
            consent=st.lists(_with(_some(lang=st.sampled_from(["en", "de"])), text=texts), max_size=2),
            removal_disallowed=st.booleans(),
            removal_date=st.dates().map(str),
        ),
        logo=texts,
    )
    return _with(
        optional,
        domains=st.lists(hosts, unique=True, min_size=1, max_size=3),
        incoming=st.lists(incoming, min_size=1, max_size=3),
        outgoing=st.lists(outgoing, min_size=1, max_size=2),
    )


# -- Apache -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def apache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeApache:
    """An Apache with the modules of a fresh installation and no site; certificates are looked for below its root."""
    monkeypatch.setattr(settings, "LETS_ENCRYPT_FILE", f"{tmp_path}/host/live/{{domain}}/fullchain.pem")
    monkeypatch.setattr(settings, "LETS_ENCRYPT_KEY", f"{tmp_path}/host/live/{{domain}}/privkey.pem")
    return FakeApache(tmp_path / "host")
