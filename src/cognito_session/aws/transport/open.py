"""open_wire(): chooses libcurl or botocore for the calls to AWS.

Rule: libcurl sends wherever it can. botocore sends for a session or clients of the caller, without pycurl, and where gevent
or eventlet has patched the sockets. Implementations are imported when they are chosen; importing this file loads none.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from cognito_session.aws.transport.endpoint import Endpoints, plain_http_hosts
from cognito_session.core.checks import setting
from cognito_session.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cognito_session.aws.transport.credentials import Credentials
    from cognito_session.aws.transport.interface import Wire

__all__ = ["open_wire"]


def open_wire(
    *,
    boto3_session: Any = None,
    clients: Mapping[str, Any] | None = None,
    region: str | None = None,
    regions: Mapping[str, str] | None = None,
    endpoints: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Wire:
    """Open libcurl's implementation if pycurl loads, else botocore's.

    botocore sends for a `boto3_session`, for injected `clients` (by service, like "dynamodb"), without pycurl, and if gevent
    or eventlet has patched the sockets. Access keys come from the environment. If it has none, botocore resolves and renews
    keys of containers, web identities, instances, profiles and SSO, whichever implementation sends. `regions` and
    `endpoints` are by service; `region` is for services without an entry, and wins over AWS_REGION and AWS_DEFAULT_REGION.
    Raises ConfigurationError if a package is missing.
    """
    from cognito_session.aws.transport.credentials import Credentials

    environ = os.environ if environ is None else environ
    credentials = Credentials(environ)
    _warn_of_plain_http(environ)

    def where(environ: Mapping[str, str]) -> Endpoints:
        return Endpoints(environ, region=region, regions=regions, addresses=endpoints)

    if boto3_session is not None or clients:
        return _botocore_wire(where(environ), environ, credentials, boto3_session, clients) or _refuse()
    if (patches := _patched_by()) is not None:
        return _cooperative_wire(patches, where, environ, credentials)
    wire = _curl_wire(where(environ), environ, credentials) if _has_credentials(environ) else None
    if wire is not None:
        return wire
    environ = _with_files(environ)  # without keys in the environment, botocore is loaded in any case
    found = where(environ)
    return _curl_wire(found, environ, credentials) or _botocore_wire(found, environ, credentials) or _refuse()


def _has_credentials(environ: Mapping[str, str]) -> bool:
    """Whether the environment holds AWS credentials, as in Lambda and most CI."""
    return bool(setting(environ, "AWS_ACCESS_KEY_ID") and setting(environ, "AWS_SECRET_ACCESS_KEY"))


def _with_files(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment, completed by the region, endpoints and authorities of the AWS configuration file.

    Raises ConfigurationError for a profile that cannot be read, and if botocore, which reads these files, is missing.
    """
    try:
        from cognito_session.aws.transport.botocore_chain import file_settings
    except ImportError:
        if _has_credentials(environ) or not _importable("pycurl"):
            _refuse()
        raise ConfigurationError(
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set: set them, or install botocore"
            " (cognito-session[boto3]), which also finds the credentials of profiles, roles and containers"
        ) from None
    from cognito_session.aws.transport.botocore_faults import translated

    found = translated("the AWS configuration", lambda: file_settings(environ))
    return {**found, **{name: value for name, value in environ.items() if value}} if found else environ


def _warn_of_plain_http(environ: Mapping[str, str]) -> None:
    """Log that plain http to other machines is allowed."""
    if hosts := plain_http_hosts(environ):
        from logging import getLogger

        getLogger("cognito_session").warning(
            "SESSION_PLAIN_HTTP_HOSTS is set: tokens and refresh tokens may go unencrypted to %s; never set it in production",
            ", ".join(sorted(hosts)),
        )


def _cooperative_wire(
    patches: str, where: Callable[[Mapping[str, str]], Endpoints], environ: Mapping[str, str], credentials: Credentials
) -> Wire:
    """The botocore implementation, on the patched sockets. Raises ConfigurationError if botocore is missing."""
    from logging import getLogger

    try:
        from cognito_session.aws.transport.botocore import BotocoreWire
    except ImportError:
        raise ConfigurationError(
            f"{patches} has patched this process's sockets, and libcurl would stop every greenlet while it waits: install"
            " botocore (cognito-session[boto3]), whose sockets are cooperative"
        ) from None
    getLogger("cognito_session").info("%s has patched the sockets: calls to AWS go through botocore, not libcurl", patches)
    environ = _with_files(environ)
    return BotocoreWire(where(environ), environ, credentials)


def _curl_wire(where: Endpoints, environ: Mapping[str, str], credentials: Credentials) -> Wire | None:
    """The libcurl implementation; None if pycurl is missing, too old, or does not load (a wheel for another glibc)."""
    try:
        from cognito_session.aws.transport.curl import CurlWire
    except ImportError:
        return None
    return CurlWire(where, environ, credentials)


def _botocore_wire(
    where: Endpoints,
    environ: Mapping[str, str],
    credentials: Credentials,
    session: Any = None,
    clients: Mapping[str, Any] | None = None,
) -> Wire | None:
    """The botocore implementation; None if botocore is missing."""
    try:
        from cognito_session.aws.transport.botocore import BotocoreWire
    except ImportError:
        return None
    return BotocoreWire(where, environ, credentials, session=session, clients=clients)


def _refuse() -> Wire:
    """Raise the ConfigurationError that names the packages to install."""
    raise ConfigurationError(
        "calls to AWS need pycurl or botocore: install cognito-session[curl] (pycurl, recommended)"
        " or cognito-session[boto3] (boto3 and botocore)"
    )


def _importable(package: str) -> bool:
    try:
        __import__(package)
    except ImportError:
        return False
    return True


def _patched_by() -> str | None:
    """The name of gevent or eventlet if it has patched `socket`, else None. Imports neither.

    libcurl waits in C, where no such patch reaches: one call would stop every greenlet of the worker.
    https://www.gevent.org/api/gevent.monkey.html
    """
    gevent = sys.modules.get("gevent.monkey")
    if gevent is not None and gevent.is_module_patched("socket"):
        return "gevent"
    eventlet = sys.modules.get("eventlet.patcher")
    if eventlet is not None and eventlet.is_monkey_patched("socket"):
        return "eventlet"
    return None
