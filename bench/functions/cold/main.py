"""Gives back what it is sent."""


def handler(event: object, context: object) -> object:
    return event
