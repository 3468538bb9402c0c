"""By which certificates a client knows a database of Amazon RDS."""

from functools import cache

from eksml.catalog._facts import load


@cache
def rds_certificates(region: str) -> str | None:
    """The root certificates of the databases of a region, as PEM; None: they are not known."""
    roots = load("rds_certificates.json")["regions"].get(region)
    return "".join(f"{certificate}\n" for certificate in roots.values()) if roots else None
