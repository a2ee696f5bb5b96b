"""What a server that cannot tell its owner from its functions may not take."""

from attacca.errors import Forbidden


def refuse_host_network(*, has_token: bool) -> Forbidden | None:
    """Why a function may not have the host's network on a server that is an ordinary user."""
    if has_token:
        return None
    return Forbidden(
        'this server runs as an ordinary user, and so would a function with network = "host": it could use the '
        "admin API, which asks nothing of that user as long as there is no token",
        "make a token with `attacca token create` and set ATTACCA_TOKEN, then deploy again; or run the server as root",
    )


def refuse_source_builds() -> Forbidden:
    """What a server that takes only wheels says to who asks for more."""
    return Forbidden(
        "this server takes only wheels: building runs the packages' own code with the server's rights",
        "deploy without --allow-source-builds, or start the server with --set control.allow_source_builds=true",
    )
