"""The nodes of a cluster: managed pools of a fixed size, and elastic pools that Karpenter fills."""
