"""Ranges of IP addresses."""

from ipaddress import ip_network

# A wider range is as good as the whole internet, or a piece of it that others complete.
_WIDEST = 8

LINK_LOCAL = "169.254.0.0/16"
"""Where a node has its metadata and its credentials, which pods are kept from."""


def is_open(cidr: str) -> bool:
    """Whether a range is the whole internet, or as good as that; not where it is not known yet."""
    try:
        return ip_network(cidr).prefixlen < _WIDEST
    except ValueError:
        return False
