"""What happens on a whole server whose functions run in pods, whichever API server it has."""

from collections.abc import Callable
from pathlib import Path

from typer.testing import CliRunner

from attacca.cli.app import app
from tests.live.kubernetes.subject import IMAGE
from tests.live.whole import Whole, running, until

Names = Callable[[str], list[str]]  # of the things of a kind that the cluster has


def started(state: Path, kubeconfig: Path) -> Whole:
    return Whole(state, "--set", f"kubernetes.kubeconfig={kubeconfig}", "--set", "worker.templates=false")


def a_worker_that_is_killed(state: Path, kubeconfig: Path, names: Names, count: int = 1) -> None:
    """Its `count` pods go on until it is back, and are gone then; it makes others."""
    whole = started(state, kubeconfig)
    try:
        url = f"http://127.0.0.1:{whole.port}"
        words = ["deploy", IMAGE, "--runtime", "kubernetes", "--name", "shop", "--env", "DOING=echo", "--memory", "32"]
        told = CliRunner().invoke(app, [*words, "--url", url, "--json"])
        assert told.exit_code == 0, told.output
        assert whole.call("shop", {"word": "hello"}).value == {"word": "hello"}
        assert whole.get("/api/cluster")["workers"][0]["runtimes"]["an image in a Kubernetes cluster"] == "Kubernetes"
        if count > 1:
            answer = whole.ask("POST", "/api/functions/shop/prewarm", b'{"count": %d}' % (count - 1))
            assert answer.status < 300, answer
        until(lambda: len(names("pods")) == count, "the pod of the check is gone, and that of the call there")
        before = names("pods")
    finally:
        whole.kill()
    assert names("pods") == before
    assert len(names("configmaps")) == 1
    with running(state, "--set", f"kubernetes.kubeconfig={kubeconfig}") as whole:
        until(lambda: not set(before) & set(names("pods")), "what was left is gone")
        assert whole.call("shop", [1]).value == [1]
        (sandbox,) = whole.sandboxes("shop")
        assert whole.ask("DELETE", "/api/functions/shop").status == 204
        until(lambda: not names("pods"), f"{sandbox} is gone with its function")
    assert whole.process.returncode == 0, "it could not end by itself, and has left what the next one removes"
    assert {kind: names(kind) for kind in ("pods", "configmaps")} == {"pods": [], "configmaps": []}
    until(lambda: not names("networkpolicies"), "the cluster has collected what belonged to it")
