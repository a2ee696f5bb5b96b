"""What a worker is told of a container's end."""

import os

from attacca.worker.core.reports import SandboxFailed, SandboxGone, TemplateFailed, TemplateGone
from attacca.worker.runtime.container.sandbox import Container

SERVE = "its program is to listen on $PORT, or to ask for events at $AWS_LAMBDA_RUNTIME_API"


def report(container: Container, why: str, said: str) -> SandboxFailed | SandboxGone | TemplateFailed | TemplateGone:
    """`said` are its last words."""
    code, message = container.failure
    if container.is_ready:
        code, message = code or "sandbox_lost", message or why
        gone = TemplateGone(container.name, message) if container.is_template else None
        return gone or SandboxGone(container.name, code, message)
    traceback = ""
    if not code:
        code, message = "bad_function", f"{why} before it listened: {SERVE}"
        traceback = said or message
    elif code == "bad_function":
        traceback = said
    if container.is_template:
        return TemplateFailed(container.name, code, message, traceback)
    return SandboxFailed(container.name, code, message, traceback)


def ended(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"its process was killed by signal {os.WTERMSIG(status)}"
    return f"its process exited with status {os.WEXITSTATUS(status)}"
