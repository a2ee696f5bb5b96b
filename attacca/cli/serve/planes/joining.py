"""How a domain joins a federation: whom it dials, and how it shows that it belongs there."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attacca.cli.serve.cluster import ClusterConfig, address, advertised, certificates, given_key, listened, ticket
from attacca.cli.serve.configuration import ServerConfig, default_state_dir
from attacca.cli.serve.planes.door import cannot_listen
from attacca.federation.code import Code
from attacca.federation.member import Member, Told
from attacca.federation.portal import Portal
from attacca.io.certificates import Certificates
from attacca.io.wire.peers import Peers
from attacca.io.wire.stream import StreamLink, only
from attacca.io.wire.tcp import Dialer, Dialers, Listener
from attacca.io.wire.types import Hello, Limits
from attacca.kernel.rand import Streams
from attacca.model.federation import BetweenPortals
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
    portal = _portal(workflows, config, hello, limits, certs, streams)
    member = Member(workflows, domain, make, dial, lambda send: Code(directory, send), url, portal)
    if certs is not None:
        workflows.attendants.append(Renewing(certs))
    workflows.attendants.append(member)


class Renewing:
    """A `workflow.driver.Attendant`: certificates that are made anew are used at once."""

    def __init__(self, certs: Certificates) -> None:
        self._certs = certs
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Renewing {self._certs!r}>"

    def open(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._certs.keep())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


def _portal(
    workflows: Workflows,
    config: ServerConfig,
    hello: Hello,
    limits: Limits,
    certs: Certificates | None,
    streams: Streams,
) -> Portal:
    """
    Raises:
        BadConfig: it would be reached by others than those of this machine, and what passes read by everybody.
    """
    asked = config.federation
    here = ClusterConfig(listen=asked.portal, advertise=asked.advertise, certs=asked.certs)
    host, port = listened(here)
    peers: Peers[Any] = Peers()

    listener = Listener(lambda: StreamLink(peers, hello, BetweenPortals, limits, has_dialed=False))

    async def listen() -> str:
        try:
            await listener.open(host, port, None if certs is None else certs.to_listen)
        except OSError as error:
            raise cannot_listen(host, port, error) from None
        return advertised(here, host, listener.port)

    def make(domain: str) -> StreamLink:
        return StreamLink(peers, hello, BetweenPortals, limits, has_dialed=True, admit=only(domain))

    dialers = Dialers(make, None if certs is None else certs.to_dial, streams.stream("portals"))
    return Portal(workflows, config.workflows.domain, peers, listener, dialers, listen)
