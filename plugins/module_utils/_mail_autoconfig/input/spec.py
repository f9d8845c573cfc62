"""The options of the module mail_autoconfig, by type; their values are judged by ``settings`` and ``model``.

Made by ./dev docs from plugins/modules/mail_autoconfig.py and tools/role_options.yml.

PRIVATE to the collection. In the lists nothing is ``required`` and words such as socket types have no ``choices``, because
Ansible reports the first mistake only and without its place in the list. ``no_log`` is off where Ansible would take a name for
that of a secret, which it is not.
"""

from __future__ import annotations

import typing as t

Spec = dict[str, t.Any]

_DAV: Spec = {
    "url": {"type": "str"},
    "username": {"type": "str"},
}
_FIELD: Spec = {
    "id": {"type": "str"},
    "name": {"type": "str"},
}
_LINKS: Spec = {
    "url": {"type": "str"},
    "texts": {
        "type": "list",
        "elements": "dict",
        "options": {
            "text": {"type": "str"},
            "lang": {"type": "str"},
        },
    },
}
_SERVER: Spec = {
    "type": {"type": "str"},
    "hostname": {"type": "str"},
    "port": {"type": "int"},
    "socket_type": {"type": "str"},
    "authentication": {"type": "list", "elements": "str"},
    "username": {"type": "str"},
    "url": {"type": "str"},
    "owa_url": {"type": "str"},
    "ews_url": {"type": "str"},
    "eas_url": {"type": "str"},
    "pop3": {
        "type": "dict",
        "options": {
            "leave_messages_on_server": {"type": "bool"},
            "download_on_biff": {"type": "bool"},
            "days_to_leave_messages_on_server": {"type": "int"},
            "check_interval": {"type": "int"},
        },
    },
    "restriction": {"type": "list", "elements": "str"},
    "add_this_server": {"type": "bool"},
}
_PROVIDERS: Spec = {
    "id": {"type": "str"},
    "domains": {"type": "list", "elements": "str"},
    "display_name": {"type": "str"},
    "short_name": {"type": "str"},
    "incoming": {"type": "list", "elements": "dict", "options": _SERVER},
    "outgoing": {"type": "list", "elements": "dict", "options": _SERVER},
    "documentation": {"type": "list", "elements": "dict", "options": _LINKS},
    "instructions": {"type": "list", "elements": "dict", "options": _LINKS},
    "enable": {"type": "list", "elements": "dict", "options": _LINKS},
    "webmail": {
        "type": "dict",
        "options": {
            "login_page": {"type": "str"},
            "login_form": {
                "type": "dict",
                "options": {
                    "url": {"type": "str"},
                    "username": {"type": "str"},
                    "username_field": {"type": "dict", "options": _FIELD},
                    "password_field": {"type": "dict", "no_log": False, "options": _FIELD},
                    "login_button": {"type": "dict", "options": _FIELD},
                },
            },
        },
    },
    "oauth2": {
        "type": "dict",
        "options": {
            "issuer": {"type": "str"},
            "scope": {"type": "str"},
            "auth_url": {"type": "str"},
            "token_url": {"type": "str", "no_log": False},
        },
    },
    "caldav": {"type": "dict", "options": _DAV},
    "carddav": {"type": "dict", "options": _DAV},
    "jmap": {"type": "dict", "options": _DAV},
    "managesieve": {
        "type": "dict",
        "options": {
            "hostname": {"type": "str"},
            "port": {"type": "int"},
            "socket_type": {"type": "str"},
        },
    },
    "input_fields": {
        "type": "list",
        "elements": "dict",
        "options": {
            "key": {"type": "str", "no_log": False},
            "label": {"type": "str"},
            "value": {"type": "str"},
        },
    },
    "config_update_url": {"type": "str"},
    "profile": {
        "type": "dict",
        "options": {
            "organization": {"type": "str"},
            "description": {"type": "str"},
            "consent": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "text": {"type": "str"},
                    "lang": {"type": "str"},
                },
            },
            "removal_disallowed": {"type": "bool"},
            "removal_date": {"type": "str"},
        },
    },
    "certificates": {"type": "str"},
    "certificate_extra_names": {"type": "list", "elements": "str"},
    "certificate_content": {"type": "str", "no_log": True},
    "certificate_key_content": {"type": "str", "no_log": True},
    "logo": {"type": "str"},
}
_SETUP_PAGES: Spec = {
    "provider": {"type": "str"},
    "language": {"type": "str"},
    "html": {"type": "str"},
}
_DNS_MX: Spec = {
    "preference": {"type": "int"},
    "host": {"type": "str"},
}
_DNS_VALIDATION_PERSIST: Spec = {
    "issuer": {"type": "str"},
    "accounturi": {"type": "str"},
    "wildcard": {"type": "bool"},
    "until": {"type": "int"},
}
_DNS_RECORDS_GONE: Spec = {
    "domain": {"type": "str"},
    "owner": {"type": "str"},
    "type": {"type": "str"},
    "ttl": {"type": "int"},
    "rdata": {"type": "str"},
}


def argument_spec() -> Spec:
    """The argument spec for AnsibleModule."""
    return {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "domain": {"type": "str"},
        "mail_host": {"type": "str"},
        "providers": {"type": "list", "elements": "dict", "options": _PROVIDERS},
        "responder": {"type": "str", "choices": ["auto", "lua", "none"], "default": "auto"},
        "logins": {"type": "dict", "default": {}},
        "https": {"type": "bool", "default": True},
        "certificates": {"type": "str", "choices": ["found", "given", "mod_md", "certbot"], "default": "found"},
        "certificate_extra_names": {"type": "list", "elements": "str", "default": []},
        "acme_agreement": {"type": "bool", "default": False},
        "acme_contact": {"type": "str"},
        "acme_directory": {"type": "str", "default": "https://acme-v02.api.letsencrypt.org/directory"},
        "acme_profile": {"type": "str"},
        "acme_challenges": {
            "type": "list",
            "elements": "str",
            "choices": ["http-01", "dns-01", "tls-alpn-01"],
            "default": ["http-01"],
        },
        "acme_dns_command": {"type": "path"},
        "acme_eab_file": {"type": "path"},
        "acme_ca_file": {"type": "path"},
        "acme_wait_seconds": {"type": "int", "default": 300},
        "acme_new_orders": {"type": "int", "default": 250},
        "certbot_directory": {"type": "path", "default": "/etc/letsencrypt"},
        "certificate_file": {"type": "path"},
        "certificate_key_file": {"type": "path", "no_log": False},
        "certificate_content": {"type": "str", "no_log": True},
        "certificate_key_content": {"type": "str", "no_log": True},
        "signing_certificate": {"type": "path"},
        "signing_key": {"type": "path", "no_log": False},
        "signing_chain": {"type": "path"},
        "signing_host": {"type": "str"},
        "signing_with_tls_key": {"type": "bool", "default": False, "no_log": False},
        "setup_pages": {"type": "list", "elements": "dict", "default": [], "options": _SETUP_PAGES},
        "pacc": {"type": "bool", "default": False},
        "document_root": {"type": "path", "default": "/var/www/autoconfig"},
        "server_admin": {"type": "str"},
        "listen": {"type": "list", "elements": "str", "default": ["*"]},
        "http_port": {"type": "int", "default": 80},
        "https_port": {"type": "int", "default": 443},
        "php": {"type": "str", "choices": ["none", "mod_php", "fpm"], "default": "none"},
        "well_known": {"type": "bool", "default": False},
        "log_directory": {"type": "path"},
        "log_queries": {"type": "bool", "default": False},
        "extra_directives": {"type": "str"},
        "addresses": {"type": "list", "elements": "str", "default": []},
        "dns_ttl": {"type": "int", "default": 300},
        "dns_host": {"type": "str"},
        "dns_further_domains": {"type": "str", "choices": ["own", "cname", "srv"], "default": "own"},
        "dns_not_offered": {"type": "bool", "default": False},
        "dns_mx": {"type": "list", "elements": "dict", "default": [], "options": _DNS_MX},
        "dns_caa": {"type": "list", "elements": "str", "default": []},
        "dns_validation_persist": {"type": "dict", "default": {}, "options": _DNS_VALIDATION_PERSIST},
        "dns_tlsa": {"type": "bool", "default": False},
        "dns_records_gone": {"type": "list", "elements": "dict", "default": [], "options": _DNS_RECORDS_GONE},
        "dns_zone_file": {"type": "path"},
        "config_directory": {"type": "path", "default": "/etc/apache2"},
        "state_directory": {"type": "path", "default": "/var/lib/mail_autoconfig"},
        "adopt": {"type": "bool", "default": False},
        "purge": {"type": "bool", "default": False},
        "allow_removal": {"type": "bool", "default": False},
        "removed_domains": {"type": "list", "elements": "str", "default": []},
        "reload": {"type": "bool", "default": True},
        "rehearse": {"type": "bool", "default": True},
        "lock_timeout": {"type": "int", "default": 60},
        "return_lists": {
            "type": "list",
            "elements": "str",
            "choices": [
                "urls",
                "dns_records",
                "dns_record_sets",
                "dns_records_obsolete",
                "certificate_names",
                "certificate_orders",
            ],
        },
        "apache_is_coming": {"type": "bool", "default": False},
        "certbot_is_coming": {"type": "bool", "default": False},
    }
