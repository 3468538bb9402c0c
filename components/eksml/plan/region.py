"""In which region a Plan is."""

import re
from collections.abc import Iterator

from eksml import catalog
from eksml.plan.model import Plan


def regions_named(plan: Plan) -> Iterator[str]:
    """The regions that a Plan says it is in, the plainest first: as its platform says, or what it makes there."""
    for platform in plan.of_type("eksml:platform:Platform"):
        if region := (platform.inputs.get("spec") or {}).get("region"):
            yield str(region)
    by_zone = {zone: name for name, region in catalog.regions().items() for zone in region.zones}
    for resource in plan.resources:
        if resource.package != "aws":
            continue
        if isinstance(region := resource.inputs.get("region"), str):
            yield region
        if (zone := str(resource.inputs.get("availabilityZoneId"))) in by_zone:
            yield by_zone[zone]
        if match := re.fullmatch(r"([a-z]{2}(?:-[a-z]+)+-\d)[a-z]", str(resource.inputs.get("availabilityZone"))):
            yield match[1]
        if match := re.match(r"com\.amazonaws\.([a-z]{2}(?:-[a-z]+)+-\d)\.", str(resource.inputs.get("serviceName"))):
            yield match[1]
