"""What all Specs share: the base model, how data becomes a Spec or one error, and the types of their fields.

A Spec says what is wanted: plain data, complete, validated, no clouds involved. Names are camelCase in YAML and
snake_case in Python.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from ipaddress import IPv4Network
from typing import Annotated, Any, TypeVar, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, model_validator
from pydantic.alias_generators import to_camel

from eksml._error_text import MEANINGS, as_given, path_of, problems_of
from eksml.errors import Problem, SpecError
from eksml.paths import Path

_WITHOUT_RULES = {"rules": False}


class _RaisesSpecError(type(BaseModel)):
    # Direct construction raises SpecError; the validation of nested data does not pass here, so paths stay whole.
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().__call__(*args, **kwargs)
        except ValidationError as error:
            raise SpecError(problems_of(cast("type[BaseModel]", cls), error, kwargs)) from None


class Spec(BaseModel, metaclass=_RaisesSpecError):
    """The base of every Spec: frozen, complete, and closed to unknown keys. Raises SpecError."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    def rules(self) -> Iterator[Problem]:
        """The rules across fields that do not hold. A Spec judges the fields that it owns, at any depth."""
        yield from ()

    @model_validator(mode="after")
    def _keep_rules(self, info: ValidationInfo) -> "Spec":
        if info.context != _WITHOUT_RULES and (problems := list(self.rules())):
            raise SpecError(problems)
        return self

    def without_effect(self, cause: str, *fields: str) -> Iterator[Problem]:
        """The problems of fields that are given, other than by default, and that another one leaves without effect."""
        for field in fields:
            default = type(self).model_fields[field].get_default(call_default_factory=True)
            if field in self.model_fields_set and getattr(self, field) != default:
                yield Problem((to_camel(field),), f"given, but has no effect with {cause}")

    def settings(self) -> dict[str, Any]:
        """The Spec as plain data, in the words of the stack file."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


SpecType = TypeVar("SpecType", bound=Spec)


def parse(spec_type: type[SpecType], data: Any) -> SpecType:
    """A Spec from data of a stack file, which may be anything.

    Raises SpecError with every problem at once: what is wrong with single fields, and which rules across the others do
    not hold. To find the latter, fields with a problem are left out and their defaults stand in.
    """
    remaining = deepcopy(dict(data)) if isinstance(data, Mapping) else data
    left_out, problems = set[Path](), list[Problem]()
    while True:
        try:
            spec = spec_type.model_validate(remaining, by_alias=True, by_name=False, context=_WITHOUT_RULES)
            break
        except ValidationError as error:
            # What shows up only once a field is left out is a consequence of that, not another problem.
            problems = problems or problems_of(spec_type, error, remaining)
            paths = {_to_leave_out(details, remaining) for details in error.errors()}
            if () in paths:
                raise SpecError(problems) from None
            _leave_out(remaining, paths)
            left_out |= {_before(left_out, path) for path in paths}
    for problem in _broken_rules(spec):
        path = _before(left_out, problem.path)
        if not _touches(path, left_out) and not (problem.depends_on and _touches(problem.depends_on, left_out)):
            problems.append(Problem(path, problem.text))
    if problems:
        raise SpecError(problems)
    return spec


def _to_leave_out(error: Any, data: Any) -> Path:
    path = path_of(error["loc"], data)
    return path[:-1] if error["type"] == "missing" else path


def _leave_out(data: Any, paths: set[Path]) -> None:
    # Backwards, so that an item of a list goes before those that stand in front of it.
    for *way, key in sorted(paths, key=lambda path: [f"{part:09}" if isinstance(part, int) else part for part in path])[
        ::-1
    ]:
        holder = data
        for step in way:
            holder = holder[as_given(step, holder)]
        del holder[as_given(key, holder)]


def _before(left_out: set[Path], path: Path) -> Path:
    """A path as it was before items were left out of lists."""
    whole: Path = ()
    for part in path:
        if isinstance(part, int):
            for gone in sorted(other[-1] for other in left_out if other[:-1] == whole and isinstance(other[-1], int)):
                part += gone <= part
        whole += (part,)
    return whole


def _touches(path: Path, others: set[Path]) -> bool:
    return any(path[: len(other)] == other or other[: len(path)] == path for other in others)


def _broken_rules(value: Any, path: Path = ()) -> Iterator[Problem]:
    if isinstance(value, Spec):
        yield from (problem.below(path) for problem in value.rules())
        for name, field in type(value).model_fields.items():
            yield from _broken_rules(getattr(value, name), (*path, field.alias or name))
    elif isinstance(value, Mapping):
        for key, member in value.items():
            yield from _broken_rules(member, (*path, key))
    elif isinstance(value, list | tuple):
        for index, member in enumerate(value):
            yield from _broken_rules(member, (*path, index))


def pattern(expression: str, meaning: str) -> Any:
    """What a text must look like, and how an error says so."""
    MEANINGS[expression] = meaning
    return Field(pattern=expression)


def _ipv4_range(text: str) -> str:
    try:
        IPv4Network(text)
    except ValueError as error:
        raise ValueError(f"must be an IPv4 range: {error}") from None
    return text


def _downwards(path: str) -> str:
    if {".", ".."} & set(path.split("/")):
        raise ValueError("must lead downwards: without . or .. between its slashes")
    return path


def _pinned_image(text: str) -> str:
    address, _, digest = text.partition("@")
    tag = address.rpartition("/")[2].partition(":")[2]
    if digest.startswith("sha256:") or (tag and tag != "latest"):
        return text
    raise ValueError("must be pinned: with a tag other than latest, or with a digest")


_LOWER_CASE = "lower-case letters, digits and hyphens, beginning with a letter and ending with a letter or digit"

Flag = Annotated[bool, Field(strict=True)]
PositiveCount = Annotated[int, Field(strict=True, ge=1, le=10_000)]
Name = Annotated[str, pattern(r"^[a-z][a-z0-9-]{0,30}[a-z0-9]$", f"2 to 32 {_LOWER_CASE}")]
ClusterName = Annotated[
    str,
    pattern(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$", "the name of an EKS cluster: letters, digits, hyphens, underscores"),
]
TeamName = Annotated[str, pattern(r"^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$", f"at most 30 {_LOWER_CASE}")]
PoolName = Annotated[str, pattern(r"^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", f"at most 20 {_LOWER_CASE}")]
ServerName = Annotated[str, pattern(r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$", f"at most 40 {_LOWER_CASE}")]
Region = Annotated[str, pattern(r"^[a-z]{2}(-[a-z]+)+-\d$", "an AWS region like us-west-2")]
Zone = Annotated[
    str,
    pattern(r"^([a-z]{3,4}\d-az\d|[a-z]{2}(-[a-z]+)+-\d[a-z])$", "a zone id like usw2-az1 or a name like us-west-2a"),
]
Cidr = Annotated[
    str, pattern(r"^\d{1,3}(\.\d{1,3}){3}/\d{1,2}$", "an IPv4 range like 10.0.0.0/16"), AfterValidator(_ipv4_range)
]
PrincipalArn = Annotated[
    str, pattern(r"^arn:aws[a-z-]*:iam::\d{12}:(role|user)/\S+$", "the ARN of an IAM role or user, arn:aws:iam::…")
]
PolicyArn = Annotated[
    str, pattern(r"^arn:aws[a-z-]*:iam::(\d{12}|aws):policy/\S+$", "the ARN of an IAM policy, arn:aws:iam::…:policy/…")
]
VpcId = Annotated[str, pattern(r"^vpc-[0-9a-f]{8,17}$", "the id of a VPC, vpc-…")]
SubnetId = Annotated[str, pattern(r"^subnet-[0-9a-f]{8,17}$", "the id of a subnet, subnet-…")]
ReservationId = Annotated[str, pattern(r"^cr-[0-9a-f]{8,17}$", "the id of a capacity reservation, cr-…")]
Registry = Annotated[
    str,
    pattern(
        r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d+)?(/[a-z0-9]([a-z0-9._-]*[a-z0-9])?)*$",
        "the address of a registry without https://, such as 123456789012.dkr.ecr.us-west-2.amazonaws.com",
    ),
]
PinnedImage = Annotated[
    str,
    pattern(r"^[a-z0-9][^\s]*$", "the address of an image, such as pytorch/pytorch:2.14.1-cuda13.0-cudnn9-runtime"),
    AfterValidator(_pinned_image),
]
OverlayAddress = Annotated[
    str,
    pattern(
        r"^(https|ssh)://[^/\s]+/\S+//\S+\?(\S+&)?ref=[^&\s]+\S*$",
        "an address of kustomize at a tag or commit, https://HOST/REPOSITORY//FOLDER?ref=TAG",
    ),
]
CertificateArn = Annotated[
    str,
    pattern(r"^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/\S+$", "the ARN of a certificate, arn:aws:acm:…"),
]
HostedZoneId = Annotated[str, pattern(r"^Z[A-Z0-9]{4,31}$", "the id of a hosted zone, Z…")]
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
HostName = Annotated[str, pattern(rf"^{_LABEL}(\.{_LABEL})+$", "a host name in lower case, such as models.example.com")]
HostPattern = Annotated[
    str, pattern(rf"^(\*\.)?{_LABEL}(\.{_LABEL})+$", "a host name in lower case, or *.DOMAIN for all below a domain")
]
HostDomain = Annotated[
    str, pattern(rf"^\*\.{_LABEL}(\.{_LABEL})+$", "*.DOMAIN in lower case, for all names below a domain")
]
Revision = Annotated[str, pattern(r"^[0-9a-f]{40}$", "the whole hash of a commit: 40 hexadecimal digits")]
EmailAddress = Annotated[str, pattern(r"^[^\s@]+@[^\s@]+\.[^\s@]+$", "an e-mail address")]
TopicArn = Annotated[str, pattern(r"^arn:aws[a-z-]*:sns:\S+:\d{12}:\S+$", "the ARN of an SNS topic, arn:aws:sns:…")]
HttpsUrl = Annotated[str, pattern(r"^https://[^\s/]+(/\S*)?$", "an address that begins with https://")]
UrlPath = Annotated[
    str, pattern(r"^(/[A-Za-z0-9._~-]+)+$", "a path that begins with / and does not end with one, such as /llama")
]
KeyArn = Annotated[str, pattern(r"^arn:aws[a-z-]*:kms:\S+:key/\S+$", "the ARN of a KMS key, arn:aws:kms:…:key/…")]
BucketName = Annotated[
    str,
    pattern(
        r"^[a-z0-9]([a-z0-9-]{1,61}[a-z0-9])$",
        "the name of a bucket: 3 to 63 lower-case letters, digits and hyphens, no hyphen at either end",
    ),
]
TagKey = Annotated[str, pattern(r"^[\w.:/=+\-@ ]+$", "letters, digits, spaces and _.:/=+-@"), Field(max_length=128)]
TagValue = Annotated[str, pattern(r"^[\w.:/=+\-@ ]*$", "letters, digits, spaces or _.:/=+-@"), Field(max_length=256)]
LabelKey = Annotated[
    str,
    pattern(
        r"^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$",
        "a Kubernetes label key",
    ),
]
LabelValue = Annotated[
    str,
    pattern(r"^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$", "a Kubernetes label value of at most 63 characters"),
]
Namespace = Annotated[
    str,
    pattern(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", "a namespace: at most 63 lower-case letters, digits and hyphens"),
]
ServiceAccountName = Annotated[
    str,
    pattern(
        r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$",
        "the name of a service account: lower-case letters, digits, hyphens and dots",
    ),
]
RelativePath = Annotated[
    str,
    pattern(r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", "a path of letters, digits and ._-/, not beginning with /"),
    AfterValidator(_downwards),
]
Port = Annotated[int, Field(strict=True, ge=1, le=65_535)]
ObjectName = Annotated[
    str,
    pattern(
        r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$",
        "the name of an object: lower-case letters, digits, hyphens and dots",
    ),
]
PriorityClassName = Annotated[
    str,
    pattern(
        r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$",
        "the name of a PriorityClass: lower-case letters, digits, hyphens and dots",
    ),
]
VariableName = Annotated[str, pattern(r"^[A-Za-z_][A-Za-z0-9_]*$", "the name of an environment variable")]
Reason = Annotated[str, pattern(r"^\s*\S[\s\S]{8,}\S\s*$", "a reason of at least ten characters")]
