"""How a domain joins a federation: whom it dials, and how it shows that it belongs there."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attacca.cli.serve.cluster import ClusterConfig, address, certificates, given_key, ticket
from attacca.cli.serve.configuration import ServerConfig, default_state_dir
from attacca.federation.code import Code
from attacca.federation.member import Member, Told
from attacca.io.wire.peers import Peers
from attacca.io.wire.stream import StreamLink
from attacca.io.wire.tcp import Dialer
from attacca.io.wire.types import Limits
from attacca.kernel.rand import Streams
from attacca.workflow.driver import Workflows

DOMAIN = "domain"


def federation_dir(environ: Any) -> Path:
    """Where `attacca federation` keeps its state unless it is told."""
    return default_state_dir(environ).with_name("attacca-federation")


def join(workflows: Workflows, config: ServerConfig, streams: Streams, url: Callable[[], str]) -> None:
    """Nothing, where there is no federation to join. `url`: of the domain's admin API.

    Raises:
        BadConfig: there is no join token, or the link would pass through a network as it is.
        StateUnavailable: the token cannot be read.
    """
    asked = config.federation
    if not asked.join:
        return
    of_link = ClusterConfig(control=tuple(asked.addresses), certs=asked.certs, join_token_file=asked.join_token_file)
    certs = certificates(of_link)
    key = given_key(of_link, os.environ, federation_dir(os.environ))
    domain = config.workflows.domain
    hello = ticket(DOMAIN, domain, key).hello()
    limits = Limits(message_bytes=config.wire.message_bytes)

    def make(peers: Peers[Any]) -> StreamLink:
        return StreamLink(peers, hello, Told, limits, has_dialed=True)

    def dial(made: Callable[[], StreamLink]) -> Dialer:
        context = None if certs is None else certs.to_dial
        return Dialer(made, [address(one) for one in asked.addresses], context, streams.stream("federation"))

    directory = config.control.state_dir
    member = Member(workflows, domain, make, dial, lambda send: Code(directory, send), url)
    workflows.attendants.append(member)
