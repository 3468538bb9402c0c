"""The platform of the selected stack: `pulumi up` builds it, `eksml preview STACK` shows it offline."""

import pulumi

from eksml import Platform, stack_secrets, stack_spec

spec = stack_spec()
platform = Platform(spec.name, spec, secrets=stack_secrets())
for name, value in platform.exports.items():
    pulumi.export(name, value)
