"""Who may say what to control: a gateway what gateways say, a worker what workers say, and each in its own name."""

from collections.abc import Callable
from typing import Any, Final

from attacca.model.doors import DoorsKnown
from attacca.model.endpoints import AskEndpoints, EndpointsKnown, Loads, SandboxDown, Sandboxes, SandboxUp
from attacca.model.events import (
    Carried,
    Handed,
    InstanceDown,
    Instances,
    InstanceUp,
    Samples,
    StateSynced,
    Strayed,
    Torn,
)
from attacca.model.federation import (
    DomainJoined,
    DomainSeen,
    StateCopied,
    WorkflowBegun,
    WorkflowEnded,
    WorkflowRefused,
)
from attacca.model.history import HistoryTold
from attacca.model.journals import AskCall, AskMinding, AsyncTold, CallTold
from attacca.model.looks import LoadsTold
from attacca.model.messages import (
    AskCatalogue,
    CallsTold,
    Checked,
    GatewayJoined,
    Heartbeat,
    Held,
    Known,
    Logged,
    StoryTold,
    ToControl,
    Viewed,
    WorkerJoined,
)
from attacca.model.supplies import AskPiece, AskSecrets, Stock

Name = Callable[[Any], str]
OF_BOTH: Final[dict[type, Name | None]] = {
    AskCatalogue: None, StoryTold: None, Known: lambda message: str(message.peer),
}  # fmt: skip
SPEAKERS: Final[dict[str, dict[type, Name | None]]] = {  # by plane; of what is said in a name, which that is
    "gateway": {
        **OF_BOTH,
        GatewayJoined: lambda message: str(message.name),
        AskEndpoints: None,
        EndpointsKnown: None,
        Loads: None,
        DoorsKnown: lambda message: str(message.peer),
        CallsTold: None,
        HistoryTold: None,
        AsyncTold: None,
        AskCall: None,
        CallTold: None,
        AskMinding: None,
    },
    "worker": {
        **OF_BOTH,
        WorkerJoined: lambda message: str(message.view.name),
        Heartbeat: lambda message: str(message.view.name),
        Held: lambda message: str(message.worker),
        SandboxUp: lambda message: str(message.worker),
        SandboxDown: lambda message: str(message.worker),
        Sandboxes: lambda message: str(message.worker),
        InstanceUp: lambda message: str(message.worker),
        InstanceDown: lambda message: str(message.worker),
        StateSynced: lambda message: str(message.worker),
        Instances: lambda message: str(message.worker),
        Strayed: lambda message: str(message.worker),
        Handed: lambda message: str(message.worker),
        Samples: lambda message: str(message.worker),
        Carried: lambda message: str(message.source),
        Torn: lambda message: str(message.source),
        AskPiece: None,
        AskSecrets: None,
        Stock: lambda message: str(message.worker),
        Checked: None,
        LoadsTold: None,
        Viewed: None,
        Logged: None,
    },
    "domain": {  # of a federation
        AskPiece: None,
        DomainJoined: lambda message: str(message.domain),
        DomainSeen: lambda message: str(message.domain),
        WorkflowBegun: lambda message: str(message.domain),
        WorkflowRefused: lambda message: str(message.domain),
        WorkflowEnded: lambda message: str(message.domain),
        StateCopied: lambda message: str(message.domain),
    },
}


def foreign(plane: str, peer: str, message: ToControl) -> str:
    """Why a plane of this kind and name may not say it; empty: it may."""
    kind, words = type(message), SPEAKERS.get(plane, {})
    if kind not in words:
        return f"a {plane} does not say {kind.__name__}"
    name = words[kind]
    if name is not None and name(message) != peer:
        return f"it says {kind.__name__} in the name of {name(message)[:80]!r}"
    return ""
