"""The application for any WSGI server, gunicorn or granian say: ``web.server.wsgi:app``, told by the environment.

LAMPLIGHT_DB names the store; the other variables are those of ``lamplight serve``.
"""

import os

from web.server.app import create_app
from web.server.settings import settings_from

app = create_app(settings_from(os.environ, os.environ.get("LAMPLIGHT_DB", "sqlite:///lamplight.sqlite")))
