"""Settings of the shop."""

import os

SECRET_KEY = os.environ.get("SECRET_KEY", "only-for-trying-out")
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "shop.urls"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
INSTALLED_APPS = []
WSGI_APPLICATION = "shop.wsgi.application"
USE_TZ = True
