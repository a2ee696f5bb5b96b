"""A Bottle application: the default one, that its decorators fill."""

import bottle
from bottle import request, response, route


@route("/hello/<name>")
def hello(name):
    response.set_header("X-Name", name)
    return {"hello": name}


@route("/form", method="POST")
def form():
    return request.forms.get("a")


application = bottle.default_app()
