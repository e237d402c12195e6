"""The proxy for an address, from the variables that libcurl and Python's urllib read.

Rule: only https uses a proxy. Plain http never does, because a proxy would carry clear text off this machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["no_proxy", "proxies", "proxy"]


def proxy(environ: Mapping[str, str]) -> str:
    """The proxy for https, or "": from https_proxy, HTTPS_PROXY, all_proxy or ALL_PROXY, in libcurl's order."""
    get = environ.get
    return get("https_proxy") or get("HTTPS_PROXY") or get("all_proxy") or get("ALL_PROXY") or ""


def no_proxy(environ: Mapping[str, str]) -> str:
    """The hosts that are reached without a proxy, separated by commas; "*" means all hosts."""
    return environ.get("no_proxy") or environ.get("NO_PROXY") or ""


def proxies(address: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The value of botocore's `proxies` for an address; empty if it is reached without a proxy."""
    found = proxy(environ)
    if not found or not address.startswith("https://"):
        return {}
    from urllib import request
    from urllib.parse import urlsplit

    bypass: Any = vars(request)["proxy_bypass_environment"]  # its type is published on Windows and macOS only
    direct = bypass(urlsplit(address).netloc, {"no": no_proxy(environ)})
    return {} if direct else {"https": found}
