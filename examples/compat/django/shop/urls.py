"""The pages of the shop."""

from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path, reverse


def index(request):
    return HttpResponse(f"first: {reverse('item', args=[1])}")


def item(request, number):
    return JsonResponse({"number": number, "method": request.method, "q": request.GET.getlist("q")})


def lines(request):
    return StreamingHttpResponse((f"line {n}\n" for n in range(3)), content_type="text/plain")


urlpatterns = [
    path("", index),
    path("items/<int:number>", item, name="item"),
    path("lines", lines),
]
