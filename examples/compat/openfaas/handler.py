"""An OpenFaaS function of the classic template: the body as a text goes in, a text comes out."""


def handle(req):
    """handle a request to the function
    Args:
        req (str): request body
    """
    words = req.split()
    return f"{len(words)} words, {len(req)} characters"
