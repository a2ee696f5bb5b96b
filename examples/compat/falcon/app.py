"""A Falcon application."""

import falcon


class Quote:
    def on_get(self, request, response):
        response.media = {"quote": "less is more", "lang": request.get_param("lang")}

    def on_post(self, request, response):
        response.status = falcon.HTTP_201
        response.media = request.media


app = falcon.App()
app.add_route("/quote", Quote())
