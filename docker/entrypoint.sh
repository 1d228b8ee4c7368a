#!/bin/sh
# One image, one process a container: web, compute, governance, beat, or setup (once, before the others).
set -eu

case "${1:-web}" in
  web)
    export BIASGOV_SIDE=web
    python manage.py collectstatic --noinput --verbosity 0
    exec gunicorn biasgov.wsgi --bind 0.0.0.0:8000 --worker-class gthread --workers "${WEB_WORKERS:-2}" --threads 4 --timeout 60 ;;
  governance)
    export BIASGOV_SIDE=web
    exec celery --app biasgov worker --queues governance --concurrency 1 --loglevel INFO --hostname governance@%h ;;
  beat)
    export BIASGOV_SIDE=web
    exec celery --app biasgov beat --schedule /tmp/beat --loglevel INFO ;;
  compute)
    export BIASGOV_SIDE=compute
    exec celery --app biasgov worker --queues compute --concurrency "${COMPUTE_WORKERS:-1}" --loglevel INFO --hostname compute@%h ;;
  setup)
    export BIASGOV_SIDE=owner
    exec python manage.py setup_database ;;
  *)
    exec "$@" ;;
esac
