"""The EKS cluster: a new one, an existing one by name, or any cluster by its kubeconfig; its add-ons and identities."""
