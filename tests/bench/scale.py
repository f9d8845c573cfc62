"""What many domains cost: a whole ansible-playbook, Apache, and a rehearsal."""

from __future__ import annotations

import contextlib
import statistics
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from tests.bench.publishing import private_apache, provider
from tests.bench.serving import add_plain_site, compare, resident
from tests.conftest import Playbook
from tools.private_apache import PrivateApache

ROUNDS = 3
MANY_DOMAINS = 10_000
MANY_PROVIDERS = 1_000
LOOPED = 100
LOOPED_SITE = """\
<VirtualHost *:{{ http_port }}>
    ServerName autoconfig.{{ item }}
    ServerAlias autodiscover.{{ item }}
    Alias /mail/config-v1.1.xml /var/www/autoconfig/{{ item }}/config-v1.1.xml
    Alias /autodiscover/autodiscover.xml /var/www/autoconfig/{{ item }}/Autodiscover.xml
</VirtualHost>
"""
# Short ones: what a loop costs is the tasks.
LOOPED_DOCUMENTS = {
    "config-v1.1.xml": """\
<clientConfig version="1.1"><emailProvider id="{{ item }}"><domain>{{ item }}</domain>
<incomingServer type="imap"><hostname>mail.{{ item }}</hostname><port>993</port></incomingServer>
</emailProvider></clientConfig>
""",
    "Autodiscover.xml": """\
<Autodiscover><Response><Account><Protocol><Type>IMAP</Type><Server>mail.{{ item }}</Server></Protocol></Account></Response>
</Autodiscover>
""",
}


class Host:
    """An Apache of its own, and the playbook of an administrator for it: the role, with its variables in a file beside it.

    :arg through: as for a playbook
    """

    def __init__(self, apache: PrivateApache, through: Sequence[str] = ()) -> None:
        self.apache = apache
        self._playbook = Playbook(apache.directory, apache.environment, through)

    def seconds(
        self, variables: Mapping[str, Any], *, changed: bool, rehearsed: bool | None = None, group: bool = False
    ) -> float:
        """What ansible-playbook needs, from its start to its end, for a run that changes something or nothing.

        :arg rehearsed: what the run must tell of it, if that matters
        :arg group: the variables are in ``group_vars``, which Ansible reads once, not in ``vars_files``, which it reads often
        """
        options = {**self.apache.module_options(), **variables}
        file = self.apache.directory / ("group_vars/all.yml" if group else "variables.yml")
        file.parent.mkdir(exist_ok=True)
        (self.apache.directory / "group_vars/all.yml").unlink(missing_ok=True)
        file.write_text(yaml.safe_dump({f"mail_autoconfig_{name}": value for name, value in options.items()}))
        play: dict[str, Any] = {"hosts": "localhost", "gather_facts": False, "vars_files": [] if group else [str(file)]}
        play["roles"] = ["mailops.autoconfig.mail_autoconfig"]
        expected = "mail_autoconfig_result.rehearsed" if rehearsed else "not mail_autoconfig_result.rehearsed"
        if rehearsed is not None:
            play["post_tasks"] = [{"ansible.builtin.assert": {"that": [expected]}}]
        return self._time([play], changed)

    def loop_seconds(self, names: list[str], *, changed: bool, documents: Mapping[str, str] | None = None) -> float:
        """What ansible-playbook needs for a site from a template and a link for each of the names.

        :arg documents: templates by name, of which each of the names has its own file, too
        """
        sites = f"{self.apache.config_directory}/sites"
        texts = {f"{sites}-available/loop-{{{{ item }}}}.conf": LOOPED_SITE}
        for name, text in (documents or {}).items():
            texts[f"{self.apache.directory}/{{{{ item }}}}-{name}"] = text
        tasks: list[dict[str, Any]] = []
        for number, (target, text) in enumerate(texts.items()):
            template = self.apache.directory / f"loop-{number}.j2"
            template.write_text(text)
            tasks.append({"ansible.builtin.template": {"src": str(template), "dest": target, "mode": "0644"}})
        link = {"src": "../sites-available/loop-{{ item }}.conf", "dest": f"{sites}-enabled/loop-{{{{ item }}}}.conf"}
        tasks.append({"ansible.builtin.file": {**link, "state": "link"}})
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "vars": {"http_port": self.apache.http_port},
            "tasks": [{**task, "loop": names} for task in tasks],
        }
        return self._time([play], changed)

    def _time(self, play: list[dict[str, Any]], changed: bool) -> float:
        begun = time.perf_counter()
        output = self._playbook.run(play)
        took = time.perf_counter() - begun
        if ("changed=0 " in output) is changed:
            raise RuntimeError(output)
        return took


@contextlib.contextmanager
def host() -> Iterator[Host]:
    """An Apache without any site."""
    with private_apache() as apache:
        yield Host(apache)


def domains(count: int) -> list[str]:
    """So many mail domains."""
    return [f"d{number}.tld" for number in range(count)]


def median(measure: Callable[[], float]) -> float:
    """The median of some rounds."""
    return statistics.median(measure() for _round in range(ROUNDS))


def show(name: str, many: float, one: float, unit: str = "s") -> None:
    """Print a ratio, and what it was made of."""
    print(f"  {name:<70} {many / one:6.2f} times ({many:.2f} to {one:.2f} {unit})", flush=True)


def main() -> None:
    """Print all ratios."""
    playbooks()
    loops()
    serving()
    rehearsals()


def playbooks() -> None:
    """A whole playbook with many domains, and with many providers, against one: the first run, and one that changes nothing."""
    print("ansible-playbook with the role, no certificate, relative to one domain of one provider:")
    sizes = {
        "one": [provider("d0.tld")],
        f"{MANY_DOMAINS} domains of one provider": [provider(*domains(MANY_DOMAINS))],
        f"{MANY_PROVIDERS} providers of one domain each": [provider(domain) for domain in domains(MANY_PROVIDERS)],
    }
    first, second, third = {}, {}, {}
    for name, providers in sizes.items():
        with host() as server:
            variables = {"providers": providers, "https": False}
            first[name] = server.seconds(variables, changed=True)
            second[name] = median(lambda server=server, variables=variables: server.seconds(variables, changed=False))
            third[name] = median(lambda server=server, variables=variables: server.seconds(variables, changed=False, group=True))
        if name != "one":
            show(f"first run, {name}", first[name], first["one"])
            show(f"second run, {name}, in vars_files", second[name], second["one"])
            show(f"second run, {name}, in group_vars", third[name], third["one"])


def loops() -> None:
    """A second run of the role for many domains, against one of the usual loop over templates and links."""
    names = domains(LOOPED)
    looped = {}
    for name, documents in {"a site and a link": {}, "a site, a link and two documents": LOOPED_DOCUMENTS}.items():
        with host() as server:
            server.loop_seconds(names, changed=True, documents=documents)
            looped[name] = server.loop_seconds(names, changed=False, documents=documents)
    with host() as server:
        for size, providers in {
            f"{LOOPED} providers": [provider(domain) for domain in names],
            f"{LOOPED} domains of one provider": [provider(*names)],
        }.items():
            variables = {"providers": providers, "https": False, "purge": True}
            server.seconds(variables, changed=True)
            ours = median(lambda variables=variables: server.seconds(variables, changed=False))
            for name, seconds in looped.items():
                show(f"a loop of {LOOPED} times {name} to the role with {size}", seconds, ours)


def serving() -> None:
    """Requests and reloads of an Apache with many domains of one provider, against one with one domain."""
    with host() as many, host() as one:
        for server, count in ((many, MANY_DOMAINS), (one, 1)):
            add_plain_site(server.apache, b"<x/>")
            server.seconds({"providers": [provider("server.tld", *domains(count - 1))], "https": False}, changed=True)
        for name, path, label, address in (
            ("Thunderbird's GET", "/mail/config-v1.1.xml", "autoconfig", ""),
            ("Outlook's POST", "/autodiscover/autodiscover.xml", "autodiscover", "user@server.tld"),
        ):
            there, here = (f"http://127.0.0.1:{server.apache.http_port}{path}" for server in (many, one))
            base = (here, f"{label}.server.tld", address)
            compare(f"{name}, the first of {MANY_DOMAINS} domains to one", (there, f"{label}.server.tld", address), base, 16)
            last = f"d{MANY_DOMAINS - 2}.tld"
            compare(f"{name}, the host of the last", (there, f"{label}.{last}", address and f"user@{last}"), base, 16)
        show("memory", resident(many.apache), resident(one.apache), "MiB")
        # Now and then the last of the old workers takes the connection, and ends a second later.
        reloads = [[reload_seconds(server) for _round in range(9)] for server in (many, one)]
        show("reload until a new worker answers", *map(statistics.median, reloads))


def reload_seconds(server: Host) -> float:
    """From the command to the first answer of a worker that has read the new configuration."""
    apache = server.apache
    mark = str(time.time_ns())
    (apache.config_directory / "conf-enabled/mark.conf").write_text(f'Header always set X-Mark "{mark}"\n')
    request = urllib.request.Request(f"http://127.0.0.1:{apache.http_port}/plain.xml", headers={"Host": "plain.tld"})
    begun = time.perf_counter()
    apache.command("apache2ctl", "graceful")
    while time.perf_counter() - begun < 120:
        with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=5) as answer:
            if answer.headers["X-Mark"] == mark:
                took = time.perf_counter() - begun
                apache.reload()
                return took
        time.sleep(0.005)
    raise RuntimeError("Apache does not answer with its new configuration")


def rehearsals() -> None:
    """A run that changes a site, with a rehearsal and without, and one that changes nothing; needs root and namespaces."""
    print("ansible-playbook with the role for one domain, relative to a run without changes:")
    with host() as server:
        base = {"domain": "server.tld", "https": False}
        server.seconds(base, changed=True)
        changing, flag = {True: [], False: []}, False
        for _round in range(ROUNDS):
            for rehearse in (True, False):
                flag = not flag
                variables = {**base, "log_queries": flag, "rehearse": rehearse}
                changing[rehearse].append(server.seconds(variables, changed=True, rehearsed=rehearse))
        nothing = median(lambda: server.seconds({**base, "log_queries": flag}, changed=False, rehearsed=False))
        for rehearse, name in ((True, "a changed site, rehearsed"), (False, "a changed site, not rehearsed")):
            show(name, statistics.median(changing[rehearse]), nothing)
        show("rehearsed to not rehearsed", statistics.median(changing[True]), statistics.median(changing[False]))
