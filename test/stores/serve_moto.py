"""Serves moto's DynamoDB on a free port of this machine, which it prints. One call at a time: moto checks and writes without a lock."""

import os

os.environ["MOTO_ACCOUNT_ID"] = "123456789012"

from moto.server import create_backend_app  # noqa: E402  (moto reads its environment when it is imported)
from werkzeug.serving import make_server  # noqa: E402

server = make_server("127.0.0.1", 0, create_backend_app("dynamodb"), threaded=False)
print(server.port, flush=True)
server.serve_forever()
