"""What training and serving with Ray share: the fields of a Ray cluster that are the same in both."""

from __future__ import annotations

from typing import Annotated, Any

from eksml.catalog import images
from eksml.secret_key import SecretKey
from eksml.spec import Spec, pattern

RAY_API_VERSION = "ray.io/v1"


class GcsRedis(Spec):
    """A Redis that keeps the state of the head, so that the cluster outlives it."""

    address: Annotated[str, pattern(r"^[A-Za-z0-9.-]+:\d+$", "host and port, such as redis.vision:6379")]
    """Host and port."""
    password: SecretKey | None = None
    """Where its password is; none given: it has none."""


def ray_version(image_reference: str) -> dict[str, str]:
    """The version of Ray in an image of the catalog, as a field of a cluster; of other images it is not known."""
    image = next((image for image in images().values() if image.reference == image_reference), None)
    return {"rayVersion": image.tag.partition("-")[0]} if image else {}


def fault_tolerance(redis: GcsRedis | None) -> dict[str, Any]:
    """The field of a cluster by which its head's state outlives it."""
    if redis is None:
        return {}
    secret = {"redisPassword": redis.password.as_value()} if redis.password else {}
    return {"gcsFaultToleranceOptions": {"redisAddress": redis.address, **secret}}
