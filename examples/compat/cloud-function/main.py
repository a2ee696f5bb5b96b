"""A Google Cloud Function as tutorials have it: a plain function that takes a request of Flask."""

from flask import make_response, render_template_string
from markupsafe import escape


def hello_http(request):
    name = request.form.get("name") or request.args.get("name", "World")
    response = make_response(render_template_string("<h1>{{ name }}</h1>", name=escape(name)))
    response.set_cookie("seen", "1")
    return response
