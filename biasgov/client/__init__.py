"""What a serving gateway needs: the signed status of a model kept fresh, and incoming webhooks checked.

The standard library and `cryptography` only; nothing of the server is loaded. `docs/responses.md` says how to use it
and `docs/examples/gateway.py` is a gateway that does.
"""

from biasgov.client.gateway import Answer, Failing, StatusClient
from biasgov.client.status import Restriction, Status, StatusError, public_key, verify

__all__ = ["Answer", "Failing", "Restriction", "Status", "StatusClient", "StatusError", "public_key", "verify"]
