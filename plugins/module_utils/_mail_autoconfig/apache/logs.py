r"""What our sites write into logs: everything but mail addresses.

PRIVATE to the collection. Apache opens an error log once, however many virtual hosts name it (server/log.c, ap_open_logs), but
an access log once for each ``CustomLog`` (mod_log_config.c, init_config_log). So there is one ``CustomLog`` in each virtual
host, and its format has the path from a variable. ``SetEnvIf`` sets that after the request was read; requests that Apache
answers before (``Expect: x``: 417) are logged as ``-``. Of a path that Apache calls malformed (``/../user@server.tld``) it
writes a line into the error log by itself, which nothing can change but a ``LogLevel`` that hides too much else.
"""

from __future__ import annotations

from .directives import Expanding, Node, directive
from .routes import JSON_FILE_PATTERN, ROUTES

_PATH = "MAIL_AUTOCONFIG_PATH"
# The format "common" with another path, and without the user, who is a mail address where somebody logs in.
_FORMAT = '%h %l {user} %t "%m {path} %H" %>s %O'
_ANSWERED = "|".join([*(route.pattern for route in ROUTES.values()), JSON_FILE_PATTERN])
# Apache's own without the referrer, which holds the address that somebody typed into the setup page.
_ERROR_FORMAT = r"[%{u}t] [%-m:%l] [pid %P:tid %T] %7F: %E: [client\ %a] %M"


def logs(directory: str, name: str, queries: bool) -> list[Node]:
    """The directives of a virtual host.

    :arg directory: empty for the distribution's ``${APACHE_LOG_DIR}``
    :arg name: what the files begin with
    :arg queries: whether everything is logged as it was asked
    """
    make = str if directory else Expanding
    prefix = f"{directory or '${APACHE_LOG_DIR}'}/{name}"
    error_log = directive("ErrorLog", make(f"{prefix}-error.log"))
    access_log = make(f"{prefix}-access.log")
    if queries:
        return [error_log, directive("CustomLog", access_log, _FORMAT.format(user="%u", path="%U%q"))]
    return [
        error_log,
        directive("ErrorLogFormat", _ERROR_FORMAT),
        directive("SetEnvIf", "Request_URI", "^[^@%]*$", f"{_PATH}=$0"),
        # Anything may be encoded, also twice.
        directive("SetEnvIf", "Request_URI", "^([^@%]*/)[^@%/]*[@%]", f"{_PATH}=$1..."),
        # Some clients put the address behind the path.
        directive("SetEnvIf", "Request_URI", f"^(/(?:{_ANSWERED})/)", f"{_PATH}=$1..."),
        directive("CustomLog", access_log, _FORMAT.format(user="-", path=f"%<{{{_PATH}}}e")),
    ]
