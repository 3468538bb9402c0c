"""EC2 instance types: hardware, what a pod can use of a node, where EC2 offers them, and on-demand prices."""

from functools import cache
from typing import Any

from eksml.catalog._facts import Fact, load
from eksml.catalog._price_list import NO_PRICES, ListedPrice, PriceList, price_list


class Gpu(Fact):
    """The NVIDIA GPUs of an instance type."""

    model: str
    count: int
    """Whole GPUs; 0 for a type that has a fraction of one."""
    memory_gib: float
    """Memory of each GPU, in GiB."""
    fraction: float | None = None
    """The share of one GPU that a fractional type has."""


class Neuron(Fact):
    """The AWS Inferentia or Trainium devices of an instance type."""

    model: str
    count: int
    memory_gib: float


class Allocatable(Fact):
    """What the kubelet leaves to pods, as Karpenter's documentation lists it."""

    cpu: str
    memory: str
    pods: int


class Price(Fact):
    """An on-demand price in US dollars per hour, and the key of its source; `usd` is None where none was found."""

    usd: float | None
    source: str
    date: str = ""
    """The day or the month of its source; empty where it has none."""


class InstanceType(Fact):
    """One EC2 instance type."""

    vcpu: int
    memory_gib: float
    architecture: str
    """`amd64` or `arm64`, as Kubernetes names them."""
    gpu: Gpu | None = None
    neuron: Neuron | None = None
    efa_interfaces: int
    efa_first_card: int | None = 0
    """The first network card that has EFA; the others follow it. None: not known."""
    nvme_gb: int
    network_gbps: float | None
    """Baseline bandwidth in Gbit/s, not burst."""
    capacity_block: bool | None
    spot: bool | None
    allocatable: Allocatable | None
    regions: tuple[str, ...]
    """Regions where EC2 offers the type, of those that the catalog has prices for."""
    zones: dict[str, tuple[str, ...]] | None
    """Zone ids per region where EC2 offers the type; None: not known."""
    hardware_source: str
    on_demand_usd_per_hour: dict[str, Price]

    @property
    def accelerator(self) -> str:
        """`nvidia`, `neuron` or `none`."""
        if self.gpu:
            return "nvidia"
        return "neuron" if self.neuron else "none"

    @property
    def pod_millicpu(self) -> int:
        """Thousandths of a core that pods can use; all of them where it is not known what the kubelet keeps."""
        return int(self.allocatable.cpu.removesuffix("m")) if self.allocatable else self.vcpu * 1000

    @property
    def pod_memory_mib(self) -> int:
        """Memory that pods can use, in MiB; all of it where it is not known what the kubelet keeps."""
        return int(self.allocatable.memory.removesuffix("Mi")) if self.allocatable else int(self.memory_gib * 1024)

    @property
    def efa_layout(self) -> list[tuple[int, int]]:
        """Network card and device index of each EFA interface, beside the primary interface at (0, 0).

        Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa-acc-inst-types.html
        """
        first = self.efa_first_card or 0
        return [(card, 1 if card == 0 else 0) for card in range(first, first + self.efa_interfaces)]


@cache
def instance_types() -> dict[str, InstanceType]:
    """Every instance type of the catalog, by name."""
    entries = load("instance_types.json")["instanceTypes"]
    return {name: InstanceType.model_validate(_with_prices(name, entry)) for name, entry in entries.items()}


def on_demand_price(instance_type: str, region: str, listed: PriceList = NO_PRICES) -> Price | None:
    """The on-demand price of an instance type in a region; None where EC2 does not offer it.

    Arguments:
        instance_type: one of the catalog's.
        region: the AWS region.
        listed: prices that count before the catalog's own.
    """
    found = listed.instance_types.get(instance_type, {}).get(region)
    return _listed(found) if found else instance_types()[instance_type].on_demand_usd_per_hour.get(region)


def _with_prices(name: str, entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of the file with the dates of its prices, and those of the price list instead of others."""
    sources = load("instance_types.json")["sources"]
    dated = {
        region: {**price, "date": sources[price["source"]]["date"] or ""}
        for region, price in entry["onDemandUsdPerHour"].items()
    }
    listed = {region: _listed(price) for region, price in price_list().instance_types.get(name, {}).items()}
    return {**entry, "onDemandUsdPerHour": dated | listed}


def _listed(price: ListedPrice) -> Price:
    return Price(usd=price.usd, source=price.source, date=str(price.date))


def priced_regions() -> set[str]:
    """The regions whose offerings and prices the catalog knows."""
    return {region for instance_type in instance_types().values() for region in instance_type.regions}
