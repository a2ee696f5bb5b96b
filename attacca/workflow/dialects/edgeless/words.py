"""The messages of the dialect, made of `edgeless.proto` when somebody first needs them."""

import functools
from typing import Any

PROTO = "attacca/workflow/dialects/edgeless/edgeless.proto"


@functools.cache
def words() -> Any:
    import grpc

    return grpc.protos(PROTO)


def empty() -> Any:
    from google.protobuf.empty_pb2 import Empty

    return Empty
