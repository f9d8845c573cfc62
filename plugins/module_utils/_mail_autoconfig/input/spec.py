"""The options of the module mail_autoconfig, by type; their values are judged by ``settings`` and ``model``.

PRIVATE to the collection. In the lists nothing is ``required`` and words such as socket types have no ``choices``, because
Ansible reports the first mistake only and without its place in the list.
"""

from __future__ import annotations

import typing as t

Spec = dict[str, t.Any]


def _dict(**options: Spec) -> Spec:
    return {"type": "dict", "options": options}


def _list(**options: Spec) -> Spec:
    return {"type": "list", "elements": "dict", "options": options}


def _public(option: Spec) -> Spec:
    """An option that is no secret, although its name sounds like one: everything here is published."""
    return {**option, "no_log": False}


_TEXT: Spec = {"type": "str"}
_TEXTS: Spec = {"type": "list", "elements": "str"}
_INTEGER: Spec = {"type": "int"}
_BOOLEAN: Spec = {"type": "bool"}
_LINKS = _list(url=_TEXT, texts=_list(text=_TEXT, lang=_TEXT))
_FIELD = _dict(id=_TEXT, name=_TEXT)

_DAV = _dict(url=_TEXT, username=_TEXT)
_SERVERS = _list(
    type=_TEXT,
    hostname=_TEXT,
    port=_INTEGER,
    socket_type=_TEXT,
    authentication=_TEXTS,
    username=_TEXT,
    url=_TEXT,
    owa_url=_TEXT,
    ews_url=_TEXT,
    eas_url=_TEXT,
    pop3=_dict(
        leave_messages_on_server=_BOOLEAN,
        download_on_biff=_BOOLEAN,
        days_to_leave_messages_on_server=_INTEGER,
        check_interval=_INTEGER,
    ),
    restriction=_TEXTS,
    add_this_server=_BOOLEAN,
)
_PROVIDERS = _list(
    id=_TEXT,
    domains=_TEXTS,
    display_name=_TEXT,
    short_name=_TEXT,
    incoming=_SERVERS,
    outgoing=_SERVERS,
    documentation=_LINKS,
    instructions=_LINKS,
    enable=_LINKS,
    webmail=_dict(
        login_page=_TEXT,
        login_form=_dict(url=_TEXT, username=_TEXT, username_field=_FIELD, password_field=_public(_FIELD), login_button=_FIELD),
    ),
    oauth2=_dict(issuer=_TEXT, scope=_TEXT, auth_url=_TEXT, token_url=_public(_TEXT)),
    caldav=_DAV,
    carddav=_DAV,
    jmap=_DAV,
    managesieve=_dict(hostname=_TEXT, port=_INTEGER, socket_type=_TEXT),
    input_fields=_list(key=_public(_TEXT), label=_TEXT, value=_TEXT),
    config_update_url=_TEXT,
    profile=_dict(
        organization=_TEXT,
        description=_TEXT,
        consent=_list(text=_TEXT, lang=_TEXT),
        removal_disallowed=_BOOLEAN,
        removal_date=_TEXT,
    ),
    logo=_TEXT,
)


def argument_spec() -> Spec:
    """The argument spec for AnsibleModule."""
    return {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "domain": _TEXT,
        "mail_host": _TEXT,
        "providers": _PROVIDERS,
        "responder": {"type": "str", "choices": ["auto", "lua", "none"], "default": "auto"},
        "https": {"type": "bool", "default": True},
        "certificate_file": {"type": "path"},
        "certificate_key_file": _public({"type": "path"}),
        "signing_certificate": {"type": "path"},
        "signing_chain": {"type": "path"},
        "signing_key": _public({"type": "path"}),
        "signing_with_tls_key": _public({"type": "bool", "default": False}),
        "setup_pages": {**_list(provider=_TEXT, language=_TEXT, html=_TEXT), "default": []},
        "pacc": {"type": "bool", "default": False},
        "document_root": {"type": "path", "default": "/var/www/autoconfig"},
        "server_admin": _TEXT,
        "listen": {**_TEXTS, "default": ["*"]},
        "http_port": {"type": "int", "default": 80},
        "https_port": {"type": "int", "default": 443},
        "php": {"type": "str", "choices": ["none", "mod_php", "fpm"], "default": "none"},
        "well_known": {"type": "bool", "default": False},
        "log_directory": {"type": "path"},
        "log_queries": {"type": "bool", "default": False},
        "extra_directives": _TEXT,
        "addresses": {**_TEXTS, "default": []},
        "dns_ttl": {"type": "int", "default": 300},
        "dns_host": _TEXT,
        "dns_further_domains": {"type": "str", "choices": ["own", "cname", "srv"], "default": "own"},
        "dns_not_offered": {"type": "bool", "default": False},
        "dns_mx": {**_list(preference=_INTEGER, host=_TEXT), "default": []},
        "dns_caa": {**_TEXTS, "default": []},
        "dns_tlsa": {"type": "bool", "default": False},
        "dns_zone_file": {"type": "path"},
        "config_directory": {"type": "path", "default": "/etc/apache2"},
        "state_directory": {"type": "path", "default": "/var/lib/mail_autoconfig"},
        "adopt": {"type": "bool", "default": False},
        "purge": {"type": "bool", "default": False},
        "apache_is_coming": {"type": "bool", "default": False},
    }
