"""Machine learning on Amazon EKS: Pulumi components, and a platform for three kinds of team.

Everything public is importable from here. Names are loaded on first use, so that importing the package stays cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eksml.accelerators.device_plugin import DevicePlugin, DevicePluginSpec
    from eksml.errors import EksmlError, InputError, SpecError
    from eksml.platform import Platform, PlatformSpec
    from eksml.profiles import platform_spec
    from eksml.profiles.stack import stack_spec

_HOME = {
    "DevicePlugin": "eksml.accelerators.device_plugin",
    "DevicePluginSpec": "eksml.accelerators.device_plugin",
    "EksmlError": "eksml.errors",
    "InputError": "eksml.errors",
    "Platform": "eksml.platform",
    "PlatformSpec": "eksml.platform",
    "SpecError": "eksml.errors",
    "platform_spec": "eksml.profiles",
    "stack_spec": "eksml.profiles.stack",
}

__all__ = [
    "DevicePlugin",
    "DevicePluginSpec",
    "EksmlError",
    "InputError",
    "Platform",
    "PlatformSpec",
    "SpecError",
    "platform_spec",
    "stack_spec",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'eksml' has no attribute '{name}'")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
