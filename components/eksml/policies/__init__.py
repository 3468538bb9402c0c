"""A Pulumi policy pack: the checks of `eksml check`, on `pulumi preview` and `pulumi up --policy-pack`.

This folder is the pack. It has no rule of its own, and needs the extra `policies`.
"""
