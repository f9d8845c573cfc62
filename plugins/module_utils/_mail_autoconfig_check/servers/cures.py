"""What takes away a fault of a mail server: settings of Dovecot 2.3 and 2.4 and of Postfix, records, and what to publish instead.

PRIVATE to the collection. Sources: doc.dovecot.org (2.3 and 2.4), postconf(5), master(5), certbot's documentation. Each string is
formatted with ``host``, ``port``, ``protocol`` (imap), ``PROTOCOL`` (IMAP), ``names`` (of the certificate) and ``service`` (of
Postfix's master.cf).
"""

from __future__ import annotations

import typing as t

_DOVECOT = ("imap", "pop3", "managesieve")
_CERTBOT = "certbot certonly ... -d {host} gives one of Let's Encrypt"
_RELOAD = {
    "dovecot": "then: systemctl reload dovecot (a deploy hook of certbot does it each time)",
    "postfix": "then: systemctl reload postfix (a deploy hook of certbot does it each time)",
}

_BOTH: dict[str, tuple[str, ...]] = {
    "unreachable": ("open TCP port {port} in the firewall of {host} and of its network", "publish a port that is open"),
    "ipv4_unreachable": ("open TCP port {port} for IPv4 in the firewall, or correct the A record of {host}",),
    "ipv6_unreachable": ("open TCP port {port} for IPv6 in the firewall", "remove the AAAA record of {host} until IPv6 works"),
    "silent": ("look into the log of the mail server: it takes connections on port {port} and does not answer",),
    "closed": ("look into the log of the mail server, and whether a firewall or fail2ban blocks this machine",),
    "rejected": ("look into the log of the mail server, and whether it blocks this machine",),
    "garbled": ("look into what listens on port {port} of {host}: ss -ltnp 'sport = :{port}'",),
    "other_protocol": (
        "publish the port on which {PROTOCOL} is served",
        "look into what listens on port {port} of {host}: ss -ltnp 'sport = :{port}'",
    ),
    "injected": ("update the mail server or the proxy in front of it",),
}

_BY_PROGRAM: dict[str, dict[str, tuple[str, ...]]] = {
    "dovecot": {
        "unreachable": (
            "Dovecot: protocols must name {protocol}, and the inet_listener of service {protocol}-login must have port = {port}: "
            "doveconf -n protocols service",
        ),
        "ipv6_unreachable": ("Dovecot: listen = *, ::",),
        "tls_missing": (
            "Dovecot: ssl = yes in the inet_listener with port {port} of service {protocol}-login, and ssl = required for all",
            "publish socket_type STARTTLS for port {port}",
        ),
        "tls_unexpected": (
            "publish socket_type SSL for port {port}",
            "Dovecot: no ssl = yes in the inet_listener with port {port} of service {protocol}-login",
        ),
        "tls_failed": ("Dovecot: doveconf -n ssl, and what its log says of the certificate and the key",),
        "tls_old": ("Dovecot: ssl_min_protocol = TLSv1.2",),
        "no_starttls": (
            "Dovecot: ssl = required, with ssl_cert and ssl_key (2.3) or ssl_server_cert_file and ssl_server_key_file (2.4)",
            "publish port and socket_type SSL of a listener that has TLS from the start",
        ),
        "starttls_failed": ("Dovecot: its log says what is wrong with the certificate or the key",),
        "login_before_tls": ("Dovecot 2.3: disable_plaintext_auth = yes", "Dovecot 2.4: auth_allow_cleartext = no"),
        "no_tls": ("publish socket_type STARTTLS or SSL", "Dovecot: ssl = required"),
        "authentication": ("Dovecot: auth_mechanisms = plain login",),
        "authentication_encrypted": (
            "publish authentication password-cleartext: inside TLS nobody reads it, and Dovecot stores passwords hashed then",
            "Dovecot: auth_mechanisms = plain login cram-md5, which needs passwords stored in clear or as CRAM-MD5",
        ),
        "authentication_other": ("publish the authentication that is offered", "Dovecot: add the mechanism to auth_mechanisms"),
        "certificate": (
            "Dovecot 2.3: ssl_cert = </etc/letsencrypt/live/{host}/fullchain.pem, and ssl_key = <... privkey.pem beside it",
            "Dovecot 2.4: ssl_server_cert_file = /etc/letsencrypt/live/{host}/fullchain.pem and ssl_server_key_file beside it",
        ),
        "login_refused": (
            "Dovecot: doveadm auth test USER, and auth_username_format for the form of the user name; its log says which it got",
        ),
        "login_name": ("Dovecot: auth_username_format, so that it takes the published form too",),
    },
    "postfix": {
        "unreachable": ("Postfix: the service {service} in master.cf must not be commented out: postconf -M",),
        "ipv6_unreachable": ("Postfix: inet_protocols = all, inet_interfaces = all",),
        "tls_missing": (
            "Postfix: -o smtpd_tls_wrappermode=yes for the service of port {port} in master.cf",
            "publish socket_type STARTTLS for port {port}",
        ),
        "tls_unexpected": (
            "publish socket_type SSL for port {port}",
            "Postfix: -o smtpd_tls_wrappermode=no -o smtpd_tls_security_level=encrypt for port {port} in master.cf",
        ),
        "tls_failed": ("Postfix: postconf smtpd_tls_chain_files smtpd_tls_cert_file, and what its log says of them",),
        "tls_old": ("Postfix: smtpd_tls_mandatory_protocols = >=TLSv1.2, smtpd_tls_protocols = >=TLSv1.2",),
        "no_starttls": (
            "Postfix: -o smtpd_tls_security_level=encrypt for {service} in master.cf, and smtpd_tls_chain_files in main.cf",
            "publish port 465 with socket_type SSL if that is open",
        ),
        "starttls_failed": ("Postfix: its log says what is wrong with the certificate or the key (smtpd_tls_chain_files)",),
        "login_before_tls": ("Postfix: smtpd_tls_auth_only = yes",),
        "no_tls": ("publish socket_type STARTTLS or SSL", "Postfix: -o smtpd_tls_security_level=encrypt in master.cf"),
        "authentication": (
            "Postfix: -o smtpd_sasl_auth_enable=yes for the service {service} in master.cf, with smtpd_sasl_type=dovecot and "
            "smtpd_sasl_path=private/auth",
            "Postfix with Dovecot: auth_mechanisms = plain login there, and no noplaintext in smtpd_sasl_tls_security_options",
        ),
        "authentication_encrypted": (
            "publish authentication password-cleartext: inside TLS nobody reads it, and passwords can be stored hashed then",
            "Postfix with Dovecot: auth_mechanisms = plain login cram-md5 there, which needs passwords stored in clear",
        ),
        "authentication_other": (
            "publish the authentication that is offered",
            "add the mechanism to what Postfix asks (smtpd_sasl_type)",
        ),
        "certificate": (
            "Postfix: smtpd_tls_chain_files = privkey.pem, fullchain.pem, both with the path /etc/letsencrypt/live/{host}/",
        ),
        "login_refused": (
            "Postfix asks Dovecot or Cyrus (smtpd_sasl_type): the same user name must work there; their logs say why not",
        ),
        "login_name": ("Postfix with Dovecot: auth_username_format there, so that it takes the published form too",),
    },
}


def cures(fault: str, protocol: str, host: str, port: int, names: t.Sequence[str] = ()) -> tuple[str, ...]:
    """What takes a fault away, the likeliest first; for a fault of the certificate what a new one needs too."""
    program = "dovecot" if protocol in _DOVECOT else "postfix"
    service = {465: "submissions", 587: "submission", 25: "smtp"}.get(port, f"of port {port}")
    own = _BY_PROGRAM[program]
    found: tuple[str, ...]
    if fault == "certificate_expired":
        found = ("certbot renew", _RELOAD[program])
    elif fault == "certificate_chain":
        found = ("use fullchain.pem rather than cert.pem", *own["certificate"])
    elif fault == "certificate_wrong_name":
        others = [name for name in names if not name.startswith("*")][:3]
        publish = (f"publish the hostname that the certificate names: {', '.join(others)}",) if others else ()
        found = (_CERTBOT, *own["certificate"], *publish)
    elif fault.startswith("certificate"):
        found = (_CERTBOT, *own["certificate"], _RELOAD[program])
    else:
        found = (*own.get(fault, ()), *_BOTH.get(fault, ()))
    words = {"host": host, "port": port, "protocol": protocol, "PROTOCOL": protocol.upper(), "service": service}
    # What is not ours is not a format: names of a certificate may have braces.
    return tuple(line if line.startswith("publish the hostname") else line.format(**words) for line in found)
