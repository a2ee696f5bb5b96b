"""How other platforms' clients ask. Each is a `gateway.http.handler.Handler` before attacca's own."""
