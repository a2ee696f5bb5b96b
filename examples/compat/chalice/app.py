"""A Chalice application."""

from chalice import Chalice, NotFoundError

app = Chalice(app_name="cities")
CITIES = {"brno": "CZ", "graz": "AT"}


@app.route("/")
def index():
    return {"cities": sorted(CITIES)}


@app.route("/cities/{name}", methods=["GET", "PUT"])
def city(name):
    if app.current_request.method == "PUT":
        CITIES[name] = app.current_request.json_body["country"]
    if name not in CITIES:
        raise NotFoundError(name)
    return {"country": CITIES[name]}
