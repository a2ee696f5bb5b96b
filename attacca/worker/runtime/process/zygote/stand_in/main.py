"""What is imported in a rehearsal: see `rehearsal.py`."""


def handler(event: object, context: object) -> object:
    return event
