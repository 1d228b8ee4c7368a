"""The WSGI application that gunicorn serves."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "biasgov.settings")
application = get_wsgi_application()

# A page makes tens of thousands of objects that live as long as it does, beside all that was loaded before. Looking
# through them after every few hundred took about a tenth of a large page's time.
gc.freeze()
gc.set_threshold(20_000, 20, 20)
