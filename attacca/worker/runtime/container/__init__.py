"""Container images as a worker's runtime: started by crun or runc, asked over HTTP from within their own network."""
