"""Ends with 0 while the service of this container is ready. Standard library only, no shell."""  # noqa: INP001

import http.client
import os
import sys

connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["PORT"]), timeout=4)  # noqa: TID251
try:
    connection.request("GET", "/readyz")
    sys.exit(connection.getresponse().status != http.HTTPStatus.OK)
except OSError as error:
    sys.exit(f"not reachable: {error}")
