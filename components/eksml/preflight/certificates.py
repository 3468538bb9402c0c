"""Certificates and hosted zones that a Plan names: there, valid, and for the right hosts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from eksml import catalog
from eksml.account import Account
from eksml.preflight.basis import Basis
from eksml.preflight.finding import Answer, Question, error, ok, warning

_CERTIFICATE = r"^(arn:[\w-]+:acm:[\w-]+:\d{12}:certificate/[\w-]+)$"
_ZONE = r"(?:^|--zone-id-filter=)(Z[A-Z0-9]{4,31})$"
_SOON = timedelta(days=30)


def questions(basis: Basis) -> Iterator[Question]:
    """Whether each certificate and each hosted zone is there and fits."""
    for arn in basis.named(_CERTIFICATE):
        yield Question(f"the certificate {arn}", partial(_certificate, arn, sorted(_hosts(basis, "arn", arn))))
    for zone in basis.named(_ZONE):
        yield Question(f"the hosted zone {zone}", partial(_zone, zone, sorted(_hosts(basis, "zoneId", zone))))


def _hosts(basis: Basis, key: str, value: str) -> set[str]:
    """The hosts of the load balancers whose TLS names a certificate or a zone."""
    return {
        str(spec["host"])
        for resource in basis.whole.resources
        if resource.package == "eksml"
        for spec in _mappings(resource.inputs.get("spec"))
        if isinstance(tls := spec.get("tls"), Mapping) and tls.get(key) == value and spec.get("host")
    }


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
        for item in value.values():
            yield from _mappings(item)


def _certificate(arn: str, hosts: list[str], account: Account) -> Iterator[Answer]:
    answer = account.find("acm", "describe_certificate", "ResourceNotFoundException", CertificateArn=arn)
    if answer is None:
        yield error(f"is not in {account.region} of this account", "look at `aws acm list-certificates`")
        return
    found = answer["Certificate"]
    covered = {found["DomainName"], *found.get("SubjectAlternativeNames", ())}
    bare = [host for host in hosts if not any(_covers(name, host) for name in covered)]
    if found["Status"] != "ISSUED":
        yield error(f"is {found['Status']}", "finish its validation, or take one that is ISSUED")
    if bare:
        yield error(f"is for {', '.join(sorted(covered))}, not for {', '.join(bare)}", "take one for these hosts")
    if _ends_soon(found):
        yield warning(f"ends on {found['NotAfter']:%Y-%m-%d}", "have it renewed")
    elif found["Status"] == "ISSUED" and not bare:
        yield ok(f"issued for {', '.join(sorted(covered))}")


def _covers(name: str, host: str) -> bool:
    """Whether a certificate's name is that of a host; a star stands for one label."""
    return name == host or (name.startswith("*.") and host.partition(".")[2] == name[2:])


def _ends_soon(certificate: Mapping[str, Any]) -> bool:
    end = certificate.get("NotAfter")
    return isinstance(end, datetime) and end.date() < catalog.today() + _SOON


def _zone(zone: str, hosts: list[str], account: Account) -> Iterator[Answer]:
    answer = account.find("route53", "get_hosted_zone", "NoSuchHostedZone", Id=zone)
    if answer is None:
        yield error("is not in this account", "look at `aws route53 list-hosted-zones`")
        return
    found = answer["HostedZone"]
    domain = found["Name"].rstrip(".")
    outside = [host for host in hosts if host != domain and not host.endswith(f".{domain}")]
    is_private = bool((found.get("Config") or {}).get("PrivateZone"))
    if outside:
        yield error(f"is of {domain}, not of {', '.join(outside)}", "take the zone that these hosts are in")
    if is_private and hosts:
        yield error("is private: a certificate cannot be proven in it", "take the public zone of the domain")
    if not outside and not (is_private and hosts):
        yield ok(f"is of {domain}")
