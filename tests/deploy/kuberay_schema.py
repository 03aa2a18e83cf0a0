"""Fields of ray.io/v1 RayCluster that the manifest may use (KubeRay API reference, v1.6).

Pod templates are checked apart, against Kubernetes' own schemas.
"""

from typing import Any, Final

__all__ = ["RAY_CLUSTER"]

_TEXTS: Final = {"type": "object", "additionalProperties": {"type": "string"}}


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": required,
        "additionalProperties": False,
        "properties": properties,
    }


_GROUP: Final = {
    "rayStartParams": _TEXTS,
    "resources": _TEXTS,
    "labels": _TEXTS,
    "template": {"type": "object"},
}
RAY_CLUSTER: Final = _object(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayCluster"},
    metadata={"type": "object", "required": ["name"]},
    spec=_object(
        ["headGroupSpec"],
        rayVersion={"type": "string"},
        suspend={"type": "boolean"},
        authOptions=_object(
            [], mode={"enum": ["disabled", "token"]}, secretName={"type": "string"}
        ),
        enableInTreeAutoscaling={"type": "boolean"},
        autoscalerOptions=_object(
            [],
            version={"enum": ["v1", "v2"]},
            idleTimeoutSeconds={"type": "integer", "minimum": 0},
            upscalingMode={"enum": ["Default", "Aggressive", "Conservative"]},
            resources={"type": "object"},
            securityContext={"type": "object"},
            image={"type": "string"},
            env={"type": "array"},
            envFrom={"type": "array"},
        ),
        headGroupSpec=_object(
            ["template"],
            serviceType={"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
            enableIngress={"type": "boolean"},
            **_GROUP,
        ),
        workerGroupSpecs={
            "type": "array",
            "items": _object(
                ["groupName", "template"],
                groupName={"type": "string", "maxLength": 63},
                replicas={"type": "integer", "minimum": 0},
                minReplicas={"type": "integer", "minimum": 0},
                maxReplicas={"type": "integer", "minimum": 0},
                numOfHosts={"type": "integer", "minimum": 1},
                idleTimeoutSeconds={"type": "integer"},
                suspend={"type": "boolean"},
                **_GROUP,
            ),
        },
    ),
)
