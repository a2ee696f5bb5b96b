"""What a pure test's code has logged, without pytest's plug-in, which looks at every phase of every test."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class Logged(logging.Handler):
    """Keeps the records that come to the root while it is there, as pytest's `caplog` does."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def __repr__(self) -> str:
        return f"<Logged {len(self.records)} records>"

    @property
    def messages(self) -> list[str]:
        return [record.message for record in self.records]

    def emit(self, record: logging.LogRecord) -> None:
        record.message = record.getMessage()
        self.records.append(record)

    @contextmanager
    def at_level(self, level: int, name: str = "") -> Iterator[None]:
        logger = logging.getLogger(name or None)
        before = logger.level
        logger.setLevel(level)
        try:
            yield
        finally:
            logger.setLevel(before)
