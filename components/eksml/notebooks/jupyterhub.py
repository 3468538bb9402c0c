"""JupyterHub: notebooks for people, on the pools of the platform."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Annotated, Any, Literal

import pulumi
import pulumi_kubernetes as k8s
from pydantic import Field

from eksml import names
from eksml.cluster.pod_identity import PodIdentity, PodIdentitySpec
from eksml.component import Component, Tags
from eksml.controllers import operator_namespace
from eksml.errors import Problem, SpecError, listed, nearest, repetitions
from eksml.network.entry import ServiceRoutesSpec
from eksml.nodes.karpenter_pool import KarpenterPoolSpec
from eksml.nodes.managed_pool import ManagedPoolSpec
from eksml.nodes.pool import PoolSpec
from eksml.nodes.sharing import shares
from eksml.notebooks.authentication import (
    CLIENT_SECRET_VARIABLE,
    PASSWORD_VARIABLE,
    Authentication,
    CognitoAuthentication,
    DummyAuthentication,
    ExistingUserPoolSpec,
)
from eksml.notebooks.profiles import NotebookProfile, largest, profile_list, profile_problems, profiles_of
from eksml.notebooks.user_pool import UserPool
from eksml.notebooks.values import SPAWNER, hub_values, pod_monitor, proxy_values, singleuser_values
from eksml.service_access import ServiceAccess, port_forward
from eksml.spec import ObjectName, PoolName, PositiveCount, Spec, TeamName
from eksml.tenancy.network_policies import TeamEgress

_CHART = "jupyterhub"
_SECRET = "jupyterhub-sign-in"
_LOCAL_PORT = 8000
# The hub and its proxy, for a while twice, and what runs beside a server while it starts.
_OWN_VCPUS, _OWN_MEMORY_GIB = 2, 4
_HUB_DISK_GIB = 1

BACKEND = ServiceRoutesSpec(
    namespace=names.NOTEBOOK_NAMESPACE, service=names.NOTEBOOK_SERVICE, port=80, health_path="/hub/health"
)
"""What the platform's entry leads people to."""


class EbsHome(Spec):
    """Each person has a volume of their own. It stays in the zone where it was first used, and so do their servers."""

    kind: Literal["ebs"] = "ebs"
    size_gib: Annotated[int, Field(strict=True, ge=1, le=16_384)] = 20
    """Size of each volume, in GiB, paid for whether it is used or not."""
    storage_class: ObjectName = names.DEFAULT_STORAGE_CLASS
    """StorageClass of the volumes; gp3 is encrypted where a platform has made it."""


class EfsHome(Spec):
    """Each person has a directory on the platform's EFS file system, which nodes in every zone can mount."""

    kind: Literal["efs"] = "efs"
    size_gib: Annotated[int, Field(strict=True, ge=1, le=16_384)] = 20
    """What each home counts in the quota, in GiB; EFS itself sets no limit, and is paid for by what is stored."""


class JupyterHubSpec(Spec):
    """JupyterHub: what people can choose, how they sign in, and what they keep."""

    pools: tuple[PoolName, ...] = ()
    """Pools in which people can have a notebook; each makes one profile by its hardware."""
    profiles: dict[PoolName, NotebookProfile] = Field(default_factory=dict)
    """Profiles beside those of `pools`, by name; one with the name of a pool takes the place of the pool's own."""
    authentication: Authentication
    """How people sign in: github, cognito, openIdConnect, or dummy for development."""
    home: Annotated[EbsHome | EfsHome, Field(discriminator="kind")] = EbsHome()
    """Where each person's files are kept while no server of theirs runs: on ebs, or on efs."""
    homes: PositiveCount = 50
    """Homes that there may be at once; those of people who left count until somebody deletes them."""
    active_servers: PositiveCount = 20
    """Servers that may run at once, one for each person."""
    idle_minutes: Annotated[int, Field(strict=True, ge=5, le=10_080)] = 60
    """Minutes after which a server is stopped whose kernels compute nothing and whose page nobody uses."""
    most_hours: Annotated[int, Field(strict=True, ge=1, le=8760)] | None = None
    """Hours after which a server is stopped even if it is used; none given: as long as it is used."""
    egress: tuple[TeamEgress, ...] = ()
    """What notebooks may reach beside what speaks HTTPS, and the tracker, such as a database."""
    team: TeamName | None = None
    """The team that the notebooks are paid by: its name is on their pods and on what is made for them in AWS."""

    def rules(self) -> Iterator[Problem]:
        """There is something to choose."""
        yield from repetitions(("pools",), self.pools)
        if not (self.pools or self.profiles):
            yield Problem((), "has neither pools nor profiles: name the pools that notebooks run in")

    @property
    def secrets_needed(self) -> dict[str, str]:
        """By name without `eksml:`, the Pulumi secrets that it cannot do without, and what each is."""
        return self.authentication.secrets_needed

    def profiles_on(self, pools: Mapping[str, PoolSpec]) -> dict[str, NotebookProfile]:
        """Its profiles by name, those of its pools too."""
        return profiles_of(self.pools, self.profiles, pools)


class JupyterHub(Component):
    """JupyterHub's chart, with a namespace, limits, network policies, and an identity for notebooks.

    The secrets by which its parts know each other are made by the chart, and are in the cluster only. It needs CoreDNS,
    the driver of its volumes, and the Pod Identity agent.

    Arguments:
        spec: what people can choose, how they sign in, and what they keep.
        pools: the pools of the platform by name, among them those of the profiles.
        region: the AWS region.
        cluster_name: name of the EKS cluster; without it notebooks get nothing in AWS.
        policy: an IAM policy document as JSON: what notebooks may do in AWS.
        environment: variables of every notebook, such as MODEL_BUCKET and MLFLOW_TRACKING_URI. Beside them stand
            MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD and WANDB_API_KEY where the Secrets `mlflow` (username,
            password) and `wandb` (api-key) are in the namespace when a server starts.
        client_secret: that of the OAuth client; with dummy authentication and a new user pool there is none.
        password: the one password of dummy authentication.
        host: the host name by which people reach it; without one they do by `kubectl port-forward`.
        load_balancer_cidrs: the ranges from which load balancers reach its proxy.
        has_prometheus: whether there is a Prometheus to be measured by.
        image_registry: a registry that images and chart come from, instead of their own.
        tags: tags for every AWS resource.

    Attributes:
        namespace: the namespace, for what else belongs into it.
        access: how people reach it.
    """

    def __init__(
        self,
        name: str,
        spec: JupyterHubSpec,
        *,
        pools: Mapping[str, PoolSpec],
        region: str,
        cluster_name: pulumi.Input[str] | None = None,
        policy: pulumi.Input[str] | None = None,
        environment: Mapping[str, pulumi.Input[str]] | None = None,
        client_secret: pulumi.Input[str] | None = None,
        password: pulumi.Input[str] | None = None,
        host: str | None = None,
        load_balancer_cidrs: Sequence[str] = (),
        has_prometheus: bool = False,
        image_registry: str | None = None,
        tags: Tags | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        team_tag = {"eksml:team": spec.team} if spec.team else {}
        super().__init__("eksml:notebooks:JupyterHub", name, spec, opts, {**(tags or {}), **team_tag}, image_registry)
        self._spec, self._region = spec, region
        self._new_accounts: pulumi.Output[str] | None = None
        self._url = f"https://{host}" if host else f"http://localhost:{_LOCAL_PORT}"
        self.namespace = operator_namespace(self, names.NOTEBOOK_NAMESPACE, enforce="baseline")
        profiles = spec.profiles_on(pools)
        needs = [
            self._quota(profiles, pools),
            self._deny_all(),
            *self._identity(cluster_name, policy),
        ]
        hub_config, secret = self._sign_in(client_secret, password)
        needs.append(self._secret(secret))
        hub_config["KubeSpawner"] = SPAWNER
        if host:
            # Or the hub would believe whatever host name it is asked for by.
            hub_config["JupyterHub"]["public_url"] = f"{self._url}/"
        hub = hub_values(
            hub_config,
            environment=_from_secret(spec.authentication),
            extra_config=_extra_config(spec.authentication),
            active_servers=spec.active_servers,
            has_prometheus=has_prometheus,
        )
        singleuser = singleuser_values(
            profile_list(profiles, pools, image_registry),
            _home(spec.home),
            environment=_environment(region, environment or {}),
            labels={names.TEAM_LABEL: spec.team} if spec.team else {},
            egress=spec.egress,
        )
        values = {"hub": hub, "proxy": proxy_values(load_balancer_cidrs), "singleuser": singleuser, **_rest(spec)}
        release = self.helm_release(_CHART, values, depends_on=needs)
        if has_prometheus:
            self._pod_monitor(release)
        self.access = self._access(host)
        self.register_outputs({"url": self._url})

    def _metadata(self, name: str) -> k8s.meta.v1.ObjectMetaArgs:
        return k8s.meta.v1.ObjectMetaArgs(name=name, namespace=names.NOTEBOOK_NAMESPACE)

    def _inside(self, **options: Any) -> pulumi.ResourceOptions:
        return self.child(depends_on=[self.namespace], **options)

    def _quota(self, profiles: Mapping[str, NotebookProfile], pools: Mapping[str, PoolSpec]) -> pulumi.Resource:
        """Limits what notebooks may take together, however many people there are."""
        return k8s.core.v1.ResourceQuota(
            f"{self.resource_name}-quota",
            metadata=self._metadata("quota"),
            spec={"hard": _hard_limits(self._spec, profiles, pools)},
            opts=self._inside(),
        )

    def _deny_all(self) -> pulumi.Resource:
        """Whatever pod the chart has no policy for reaches nothing and is reached by nobody."""
        return k8s.networking.v1.NetworkPolicy(
            f"{self.resource_name}-deny-all",
            metadata=self._metadata("deny-all"),
            spec={"pod_selector": {}, "policy_types": ["Ingress", "Egress"]},
            opts=self._inside(),
        )

    def _identity(
        self, cluster_name: pulumi.Input[str] | None, policy: pulumi.Input[str] | None
    ) -> Iterator[pulumi.Resource]:
        yield k8s.core.v1.ServiceAccount(
            f"{self.resource_name}-service-account",
            metadata=self._metadata(names.NOTEBOOK_SERVICE_ACCOUNT),
            automount_service_account_token=False,
            opts=self._inside(),
        )
        if cluster_name is not None and policy is not None:
            yield PodIdentity(
                f"{self.resource_name}-notebook",
                PodIdentitySpec(namespace=names.NOTEBOOK_NAMESPACE, service_account=names.NOTEBOOK_SERVICE_ACCOUNT),
                cluster_name=cluster_name,
                policy=policy,
                tags=self.own_tags,
                opts=self.child(),
            )

    def _sign_in(
        self, client_secret: pulumi.Input[str] | None, password: pulumi.Input[str] | None
    ) -> tuple[dict[str, Any], pulumi.Input[str]]:
        """What the hub is told of signing in, and the secret that it needs for it."""
        authentication, callback_url = self._spec.authentication, f"{self._url}/hub/oauth_callback"
        if isinstance(authentication, DummyAuthentication):
            return authentication.hub_config(), _given("password", password)
        if not isinstance(authentication, CognitoAuthentication):
            return authentication.hub_config(callback_url), _given("client_secret", client_secret)
        if isinstance(authentication.user_pool, ExistingUserPoolSpec):
            domain, client_id = authentication.user_pool.domain, authentication.user_pool.client_id
            config = authentication.hub_config(callback_url, domain, client_id)
            return config, _given("client_secret", client_secret)
        users = UserPool(
            f"{self.resource_name}-users",
            authentication.user_pool,
            region=self._region,
            callback_urls=[callback_url],
            tags=self.own_tags,
            opts=self.child(),
        )
        self._new_accounts = pulumi.Output.concat(
            "Amazon Cognito, with an account that you make: aws cognito-idp admin-create-user --user-pool-id ",
            users.user_pool_id,
            " --username NAME --user-attributes Name=email,Value=ADDRESS",
        )
        return authentication.hub_config(callback_url, users.domain, users.client_id), users.client_secret

    def _secret(self, value: pulumi.Input[str]) -> pulumi.Resource:
        return k8s.core.v1.Secret(
            f"{self.resource_name}-sign-in",
            metadata=self._metadata(_SECRET),
            string_data={"secret": pulumi.Output.secret(value)},
            opts=self._inside(),
        )

    def _pod_monitor(self, release: pulumi.Resource) -> None:
        k8s.apiextensions.CustomResource(
            f"{self.resource_name}-metrics",
            api_version="monitoring.coreos.com/v1",
            kind="PodMonitor",
            metadata=self._metadata("hub"),
            spec=pod_monitor(),
            # The token is the chart's.
            opts=self.child(depends_on=[release]),
        )

    def _access(self, host: str | None) -> ServiceAccess:
        forward = port_forward(names.NOTEBOOK_NAMESPACE, names.NOTEBOOK_SERVICE, _LOCAL_PORT, 80)
        sign_in = self._new_accounts or _sign_in_text(self._spec.authentication)
        return ServiceAccess("JupyterHub", self._url, None if host else forward, sign_in)


def _given(argument: str, value: pulumi.Input[str] | None) -> pulumi.Input[str]:
    if value is None:
        raise SpecError([Problem(("authentication",), f"the argument {argument} is missing: nobody could sign in")])
    return value


def _from_secret(authentication: Authentication) -> dict[str, Any]:
    """The variable of the hub that the secret is in. The chart would keep what stands in its values in the open."""
    is_dummy = isinstance(authentication, DummyAuthentication)
    reference = {"secretKeyRef": {"name": _SECRET, "key": "secret"}}
    return {PASSWORD_VARIABLE if is_dummy else CLIENT_SECRET_VARIABLE: {"valueFrom": reference}}


def _extra_config(authentication: Authentication) -> dict[str, str]:
    return authentication.extra_config if isinstance(authentication, DummyAuthentication) else {}


def _environment(region: str, given: Mapping[str, pulumi.Input[str]]) -> dict[str, Any]:
    def secret(name: str, key: str) -> dict[str, Any]:
        return {"valueFrom": {"secretKeyRef": {"name": name, "key": key, "optional": True}}}

    def setting(name: str) -> dict[str, Any]:
        return {"valueFrom": {"configMapKeyRef": {"name": names.WANDB, "key": name, "optional": True}}}

    return {
        "AWS_REGION": region,
        **given,
        "MLFLOW_TRACKING_USERNAME": secret(names.MLFLOW_SECRET, "username"),
        "MLFLOW_TRACKING_PASSWORD": secret(names.MLFLOW_SECRET, "password"),
        "WANDB_API_KEY": secret(names.WANDB, names.WANDB_API_KEY),
        # Or the key of a server of one's own would go to the public one.
        **{name: setting(name) for name in ("WANDB_BASE_URL", "WANDB_ENTITY", "WANDB_PROJECT")},
    }


def _home(home: EbsHome | EfsHome) -> dict[str, Any]:
    is_ebs = isinstance(home, EbsHome)
    return {
        "capacity": f"{home.size_gib}Gi",
        "dynamic": {
            "storageClass": home.storage_class if isinstance(home, EbsHome) else names.EFS_STORAGE_CLASS,
            "storageAccessModes": ["ReadWriteOnce" if is_ebs else "ReadWriteMany"],
        },
    }


def _rest(spec: JupyterHubSpec) -> dict[str, Any]:
    """The values beside hub, proxy and servers."""
    return {
        "cull": {
            "enabled": True,
            "timeout": spec.idle_minutes * 60,
            "every": min(600, spec.idle_minutes * 60),
            "maxAge": (spec.most_hours or 0) * 3600,
        },
        "scheduling": {
            # Profiles choose their nodes; a scheduler of its own would only pack them closer.
            "userScheduler": {"enabled": False},
            "userPlaceholder": {"enabled": False},
            # Nodes have no labels of the chart's.
            "corePods": {"nodeAffinity": {"matchNodePurpose": "ignore"}},
            "userPods": {"nodeAffinity": {"matchNodePurpose": "ignore"}},
        },
        # It would fetch every image to every node without a taint, which are those without GPUs.
        "prePuller": {"hook": {"enabled": False}, "continuous": {"enabled": False}},
    }


def _hard_limits(
    spec: JupyterHubSpec, profiles: Mapping[str, NotebookProfile], pools: Mapping[str, PoolSpec]
) -> dict[str, str]:
    vcpus, memory_gib = largest(profiles, pools)
    used = {profile.pool for profile in profiles.values()}
    return {
        "requests.cpu": str(ceil(spec.active_servers * vcpus) + _OWN_VCPUS),
        "requests.memory": f"{spec.active_servers * memory_gib + _OWN_MEMORY_GIB}Gi",
        f"requests.{names.GPU_RESOURCE}": str(sum(_gpus(pools[pool]) for pool in used)),
        "persistentvolumeclaims": str(spec.homes + 1),
        "requests.storage": f"{spec.homes * spec.home.size_gib + _HUB_DISK_GIB}Gi",
        "services.loadbalancers": "0",
        "services.nodeports": "0",
        "count/ingresses.networking.k8s.io": "0",
    }


def _gpus(pool: PoolSpec) -> int:
    """GPUs of a pool, or shares of them, at most."""
    if isinstance(pool, ManagedPoolSpec):
        return pool.size * max(map(pool.gpus_of, pool.facts), default=0)
    limit = (pool.gpu_limit or 0) if isinstance(pool, KarpenterPoolSpec) else 0
    return limit * max((shares(pool.sharing, fact) for fact in pool.facts), default=1)


def _sign_in_text(authentication: Authentication) -> str:
    match authentication:
        case DummyAuthentication():
            return "any name, with the password in eksml:jupyterHubPassword; for development only"
        case _:
            return f"{authentication.title}, by the client whose secret is eksml:jupyterHubClientSecret"


def jupyterhub_problems(
    spec: JupyterHubSpec,
    pools: Mapping[str, PoolSpec],
    *,
    teams: Sequence[str],
    has_efs: bool,
    has_entry: bool,
    is_protected: bool = False,
) -> Iterator[Problem]:
    """What a platform does not have that its notebooks need; paths begin below `notebooks`."""
    yield from profile_problems(spec.pools, spec.profiles, pools)
    yield from _home_problems(spec, pools, has_efs=has_efs)
    if has_entry and isinstance(spec.authentication, DummyAuthentication):
        reason = "whoever reaches the entry would be everybody"
        right = "take github, cognito or openIdConnect, or leave out the entry and use kubectl port-forward"
        yield Problem(("authentication", "kind"), f"dummy given, but the platform has an entry: {reason}; {right}")
    if is_protected and isinstance(spec.authentication, DummyAuthentication):
        reason = "a cluster with deletionProtection is one that others rely on: take github, cognito or openIdConnect"
        yield Problem(("authentication", "kind"), f"dummy given, but {reason}")
    if spec.team is not None and spec.team not in teams:
        choices = nearest(spec.team, teams) or (f", there is {listed(teams)}" if teams else ", and there are none")
        yield Problem(("team",), f"'{spec.team}' is no team{choices}")


def _home_problems(spec: JupyterHubSpec, pools: Mapping[str, PoolSpec], *, has_efs: bool) -> Iterator[Problem]:
    if isinstance(spec.home, EfsHome):
        if not has_efs:
            yield Problem(("home", "kind"), "efs given, but the platform has none: add storage.efs, or take ebs")
        return
    used = {profile.pool: pools[profile.pool] for profile in spec.profiles_on(pools).values() if profile.pool in pools}
    zoned = {name: set(pool.zones) for name, pool in used.items() if pool.zones}
    apart = [(one, other) for one in zoned for other in zoned if one < other and not zoned[one] & zoned[other]]
    for one, other in apart:
        reason = f"the pools '{one}' and '{other}' have no zone in common, and a volume stays in its zone"
        yield Problem(("home", "kind"), f"ebs given, but {reason}: take efs")
