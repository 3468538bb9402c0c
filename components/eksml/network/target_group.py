"""What a load balancer knows of the pods that it sends requests to."""

from typing import Any


def target_group(health_path: str, codes: str, drain_seconds: int) -> dict[str, Any]:
    """The properties of a target group: pods by their addresses, asked for their health, drained before they go.

    Arguments:
        health_path: what they are asked.
        codes: the answers by which they are healthy, such as 200 or 200-299.
        drain_seconds: how long requests have to end.
    """
    attributes = {
        "deregistration_delay.timeout_seconds": str(drain_seconds),
        # Requests to models differ in length by far.
        "load_balancing.algorithm.type": "least_outstanding_requests",
    }
    return {
        "targetType": "ip",
        "protocol": "HTTP",
        "protocolVersion": "HTTP1",
        "healthCheckConfig": {**_health(health_path), "matcher": {"httpCode": codes}},
        "targetGroupAttributes": [{"key": key, "value": value} for key, value in attributes.items()],
    }


def grpc_target_group(drain_seconds: int) -> dict[str, Any]:
    """The same for gRPC, where any answer is one of a healthy pod: not every engine knows gRPC's health protocol.

    That a pod is ready is asked by Kubernetes.
    """
    health = {**_health("/AWS.ALB/healthcheck"), "matcher": {"grpcCode": "0-99"}}
    return {**target_group("/", "200", drain_seconds), "protocolVersion": "GRPC", "healthCheckConfig": health}


def _health(path: str) -> dict[str, Any]:
    return {
        "healthCheckProtocol": "HTTP",
        "healthCheckPath": path,
        "healthCheckInterval": 10,
        "healthCheckTimeout": 5,
        "healthyThresholdCount": 2,
        "unhealthyThresholdCount": 3,
    }
