"""The second argument of handlers on other platforms, where it is not Lambda's."""

import logging
import os
import time
from typing import Any

DEADLINE_MS = 30_000  # DigitalOcean's own longest


class ActionContext:
    """Of DigitalOcean's `main(event, context)`."""

    api_host = api_key = namespace = ""

    def __init__(self) -> None:
        environment = os.environ.get
        self.function_name = environment("AWS_LAMBDA_FUNCTION_NAME", "")
        self.function_version = environment("AWS_LAMBDA_FUNCTION_VERSION", "")
        self.activation_id = self.request_id = os.urandom(16).hex()
        self._began, self.deadline = time.monotonic(), int(time.time() * 1000) + DEADLINE_MS

    def get_remaining_time_in_millis(self) -> int:
        return max(0, DEADLINE_MS - int((time.monotonic() - self._began) * 1000))


class NuclioLogger:
    """`logger.info("sold", ...)` and `logger.info_with("sold", item=3)`, or `("sold", "item", 3)`."""

    def __getattr__(self, name: str) -> Any:
        write = getattr(logging.getLogger("function"), name.removesuffix("_with"))
        if not name.endswith("_with"):
            return write
        return lambda message, *pairs, **fields: write(
            " ".join([str(message), *map(str, pairs), *(f"{key}={value}" for key, value in fields.items())])
        )


class NuclioContext:
    """Of Nuclio's `handler(context, event)`: Lambda's, with what Nuclio's has besides."""

    logger = NuclioLogger()

    def __init__(self, context: Any) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    @staticmethod
    def Response(  # noqa: N802 - it is called so
        body: Any = None, headers: Any = None, content_type: str = "text/plain", status_code: int = 200
    ) -> dict[str, Any]:
        return {"statusCode": status_code, "headers": {"content-type": content_type, **(headers or {})}, "body": body}
