"""An HTTPS service that answers what a test makes up: what the simulator, which answers as Avito does, would not."""
import http.server
import json
import os
import ssl
import threading

CERTS = "build/certs"


class MadeUp:
    """with MadeUp({"path": answer}) as service: an answer is JSON, or bytes; of (bytes, size) only the bytes come."""

    def __init__(self, answers):
        self.answers = {"/token": {"access_token": "t", "expires_in": 86400, "token_type": "Bearer"},
                        "/core/v1/accounts/self": {"id": 1, "name": "n"}, **answers}
        self.closing = threading.Event()
        self.posted = []  # (path, body)
        self.keeps = True  # connections, after an answer

    def __enter__(self):
        made_up = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                if self.command == "POST":
                    made_up.posted.append((self.path, body))
                answer = made_up.answers.get(self.path.partition("?")[0])
                body, size = answer if isinstance(answer, tuple) else (answer, None)
                body = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(404 if answer is None else 200)
                self.send_header("Content-Length", str(size or len(body)))
                if not made_up.keeps:
                    self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(body)
                if size:
                    made_up.closing.wait()

            do_GET = do_POST = answer

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{CERTS}/ec.crt", f"{CERTS}/ec.key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self.server.shutdown()

    def url(self, path):
        return f"https://localhost:{self.server.server_port}{path}"

    def environment(self, **more):
        return {**os.environ, "AVITO_HOST": "localhost", "AVITO_PORT": str(self.server.server_port), "AVITO_CA_FILE": f"{CERTS}/roots.pem",
                "AVITO_CLIENT_ID": "id", "AVITO_CLIENT_SECRET": "secret", **more}
