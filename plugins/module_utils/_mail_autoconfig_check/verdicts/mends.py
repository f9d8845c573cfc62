"""What takes a fault away, in words that an administrator can follow: records, commands, variables of the role. Pure.

PRIVATE to the collection.
"""

from __future__ import annotations

ROLE = "mailops.autoconfig.mail_autoconfig"


def certificate(host: str, domain: str) -> tuple[str, ...]:
    """A certificate that names a host."""
    names = " ".join(f"-d {name}" for name in dict.fromkeys((host, f"autoconfig.{domain}", f"autodiscover.{domain}")))
    if host == domain:
        names = f"-d {host}"
    root = "/var/www/html" if host == domain else "/var/www/autoconfig"
    return (
        f"certbot certonly --cert-name {domain} --expand --webroot -w {root} {names}, then run the role again",
        "or name one that you have: mail_autoconfig_certificate_file and mail_autoconfig_certificate_key_file",
    )


def renewal(host: str, domain: str) -> tuple[str, ...]:
    """A certificate that was not renewed, or is not served although it was."""
    return (
        f"certbot renew --cert-name {domain}; systemctl list-timers certbot.timer shows whether it runs by itself",
        f"if the file is new already, {host} still serves the old one: systemctl reload apache2, best in a --deploy-hook",
    )


def publish(domain: str) -> tuple[str, ...]:
    """Documents that are not there."""
    return (f"run the role {ROLE} with {domain} among its domains",)


def own_site(domain: str) -> tuple[str, ...]:
    """Documents on the site of the domain itself."""
    return (
        f"mail_autoconfig_well_known: true, if the site of {domain} is on the Apache that the role works on",
        f"else answer 404 below https://{domain}/autodiscover/ and https://{domain}/.well-known/autoconfig/",
    )


def record(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Records to be added."""
    return (f"add to the zone: {'; '.join(lines)}",) if lines else ()
