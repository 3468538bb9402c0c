"""What the engine starts: it serves the policies until the engine ends it."""

from pulumi_policy import PolicyPack

from eksml.policies.adapter import policies

if __name__ == "__main__":
    PolicyPack("eksml", policies())
