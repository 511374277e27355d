"""The example server on real sockets, alone and behind nginx. Prints "ok - what" / "not ok - what"."""
import http.client
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
import time

from linked import LIBRARY, interface
from processes import free_port, processor_s
from telling import check, failures

SECRET = "/avito/0123456789abcdef0123456789abcdef"
SOURCE = "examples/12_webhook_server.c"


def build(directory):
    """Built by the line in its first comment, under the sanitizers and with LIBRARY."""
    line = open(SOURCE, encoding="utf-8").readline()
    command = re.match(r"/\* cc (.*)$", line).group(1).strip()
    program = os.path.join(directory, "webhook_server")
    command = re.sub(r"-o \S+", "-o " + shlex.quote(program), command)
    extra = os.environ.get("EXAMPLE_FLAGS", "")
    subprocess.run(f"{os.environ.get('CC', 'cc')} -g -Wall -Wextra -Wno-unused-function {extra} "
                   f"-fsanitize=address,undefined -fno-sanitize-recover=all -I{interface(directory)} {command} "
                   f"{LIBRARY} -lbearssl",
                   shell=True, check=True)
    return program


def event(text):
    """A notification as it is on the wire."""
    return json.dumps({
        "id": "64bff4ff-94e2-45a1-85e4-7e3f464c4c05", "version": "v3.0.0", "timestamp": 1754916287,
        "payload": {"type": "message", "value": {
            "id": "da47387aa97e86b10fdd51394262a819", "chat_id": "u2i-YvRi~Etf8Qn", "user_id": 350000001,
            "author_id": 120000001, "created": 1754916284, "type": "text", "chat_type": "u2i",
            "content": {"text": text}, "item_id": 7463793900,
            "published_at": "2025-08-11T12:44:44Z"}}},
        ensure_ascii=False, separators=(",", ":")).encode()


def post(body, path=SECRET, more=b""):
    return (b"POST " + path.encode() + b" HTTP/1.1\r\nHost: bot.example\r\n" + more +
            b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)


class Server:
    def __init__(self, program, port, output=None, descriptors=None):
        self.lines = []
        self.port = port
        limited = ["sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh"] if descriptors else []
        self.process = subprocess.Popen([*limited, program, str(port)], stdout=output or subprocess.PIPE,
                                        stderr=subprocess.PIPE if output or descriptors else None,
                                        env={**os.environ, "AVITO_WEBHOOK_PATH": SECRET})
        if not output:
            threading.Thread(target=self.read, daemon=True).start()
        wait_for_port(port)

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))

    def printed(self, text):
        """Waits until a line with `text` was printed; how many there are."""
        for _ in range(200):
            n = sum(text in line for line in self.lines)
            if n:
                return n
            time.sleep(0.01)
        return 0


def wait_for_port(port):
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.01)
    raise RuntimeError(f"nothing listens on {port}")


def talk(port, *pieces, half_close=False, pause=0.0, seconds=5, until=None):
    """Sends the pieces, then reads to the end, or until `until` answers came."""
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            s.sendall(piece)
            if pause:
                time.sleep(pause)
        if half_close:
            s.shutdown(socket.SHUT_WR)
        while until is None or got.count(b"HTTP/1.1 ") < until or not got.endswith(b"\r\n\r\n"):
            try:
                more = s.recv(65536)
            except socket.timeout:
                return got + b" TIMEOUT"
            if not more:
                break
            got += more
    return got


def statuses(answers):
    return re.findall(rb"HTTP/1\.1 (\d+)", answers)


def alone(server):
    port = server.port
    got = talk(port, post(event("первое 🚗")), until=1)
    check("a notification is answered with 200", statuses(got) == [b"200"], got)
    check("and printed", server.printed("u2i-YvRi~Etf8Qn 120000001: первое 🚗") == 1, server.lines)

    before = len(server.lines)
    got = talk(port, post(b"{}"), post(b" { } "), until=2)
    check("probes are answered with 200", statuses(got) == [b"200", b"200"], got)
    got = talk(port, post(event("x"), SECRET[:-1] + "0"), until=1)
    check("a wrong secret is 404", statuses(got) == [b"404"], got)
    got = talk(port, f"GET {SECRET} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), until=1)
    check("GET is 405 with Allow", statuses(got) == [b"405"] and b"\r\nAllow: POST\r\n" in got, got)
    got = talk(port, post(b"x" * 20000))
    check("a body that is too long is 413, then closed", statuses(got) == [b"413"], got)
    got = talk(port, b"POST " + SECRET.encode() + b" HTTP/1.1\nHost: x\n\n")
    check("bare line feeds are 400, then closed", statuses(got) == [b"400"], got)
    check("none of these is an event", len(server.lines) == before, server.lines[before:])

    got = talk(port, b"".join(post(event(f"pipelined {i}")) for i in range(30)), until=30)
    check("30 requests in one piece get 30 answers", statuses(got) == [b"200"] * 30, got)
    check("and are printed in order", server.printed("pipelined 29") == 1 and
          [l[-2:].strip() for l in server.lines if "pipelined" in l] == [str(i) for i in range(30)])
    got = talk(port, *[bytes([b]) for b in post(event("byte by byte"))], until=1)
    check("one byte at a time", statuses(got) == [b"200"] and server.printed("byte by byte") == 1, got)
    got = talk(port, post(event("half"), more=b"Connection: keep-alive\r\n"), half_close=True)
    check("a peer that shuts its side gets its answer", statuses(got) == [b"200"], got)
    expect = post(event("expected"), more=b"Expect: 100-continue\r\n")
    cut = expect.index(b"\r\n\r\n") + 4
    got = talk(port, expect[:cut], expect[cut:], pause=0.1, until=2)
    check("100-continue", statuses(got) == [b"100", b"200"], got)
    got = talk(port, post(event("gone"))[:-10])[:0] + talk(port, post(event("here")), until=1)
    check("a peer that leaves in the middle harms nobody", statuses(got) == [b"200"], got)
    got = talk(port, post(event("esc \x1b[31m\x07\x9b31m")), until=1)
    check("control characters do not reach the terminal", server.printed("esc  [31m  31m") == 1,
          server.lines[-1:])

    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(62)]
    for s in idle:
        s.sendall(b"POST ")
    started = time.monotonic()
    got = talk(port, post(event("among the slow")), until=1)
    check("62 slow senders do not delay another", statuses(got) == [b"200"] and time.monotonic() - started < 1)
    for s in idle:
        s.close()


class SlowSender(threading.Thread):
    """Sends a byte each second, and waits for the answer that ends it."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port = port
        self.got, self.waited = b"", 0.0
        self.start()

    def run(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as s:
            started = time.monotonic()
            while not self.got and time.monotonic() - started < 20:
                s.sendall(b"P")
                try:
                    self.got = s.recv(200)
                except socket.timeout:
                    pass
            self.waited = time.monotonic() - started


def full_disk(program):
    """A notification that cannot be written out ends the server: it acknowledges no more."""
    with open("/dev/full", "wb") as disk:
        server = Server(program, free_port(), output=disk)
        got = talk(server.port, post(event("nobody sees it")), until=1)
        try:
            said = server.process.communicate(timeout=5)[1].decode()
        except subprocess.TimeoutExpired:
            server.process.kill()
            said = "still runs"
        check("a full disk ends the server, and it says so",
              server.process.returncode == 1 and "No space left" in said, (got, said))


def few_descriptors(program):
    """More connections than the system gives descriptors for: those in the queue wait, and nothing spins."""
    server = Server(program, free_port(), descriptors=12)
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
    waiting = socket.create_connection(("127.0.0.1", server.port), timeout=5)
    waiting.sendall(post(event("from the queue")))
    time.sleep(0.3)
    before = processor_s(server.process.pid)
    time.sleep(2)
    spent = processor_s(server.process.pid) - before
    check("without descriptors left, the server waits", spent < 0.2, f"{spent} s of 2 s")
    for s in idle:
        s.close()
    try:
        got = waiting.recv(1000)
    except socket.timeout:
        got = b"TIMEOUT"
    check("who waited is served when others have ended", statuses(got) == [b"200"], got)
    waiting.close()
    server.process.terminate()
    said = server.process.communicate()[1].decode()
    check("and it says once why it waited", said.count("accept: Too many open files") == 1, said)


NGINX = """
daemon off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/error.log; user root;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {dir}/a; proxy_temp_path {dir}/b; fastcgi_temp_path {dir}/c;
    uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e;
    upstream bot {{ server 127.0.0.1:{back}; keepalive 8; }}
    server {{
        listen 127.0.0.1:{front};
        location = {secret} {{ proxy_pass http://127.0.0.1:{back}; client_max_body_size 64k; access_log off; }}
    }}
    server {{
        listen 127.0.0.1:{front2};
        location / {{
            proxy_pass http://bot; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_request_buffering off;
        }}
    }}
}}
"""


def storm(server, front, name, threads=16, each=25):
    """Many senders at once; every notification is answered with 200 and printed once."""
    answers = []

    def send(who):
        connection = http.client.HTTPConnection("127.0.0.1", front, timeout=20)
        for i in range(each):
            body = event(f"{name} {who}-{i};")
            if (who + i) % 2:
                connection.request("POST", SECRET, iter([body[:100], body[100:]]),
                                   encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
            else:
                connection.request("POST", SECRET, body)
            answer = connection.getresponse()
            answer.read()
            answers.append(answer.status)

    senders = [threading.Thread(target=send, args=(n,)) for n in range(threads)]
    for t in senders:
        t.start()
    for t in senders:
        t.join()
    time.sleep(0.3)
    seen = [l.split(name)[1] for l in server.lines if f": {name} " in l]
    check(f"{name}: {threads * each} notifications from {threads} senders are answered",
          answers == [200] * (threads * each), sorted(set(answers)))
    check(f"{name}: and each is printed once",
          len(seen) == threads * each == len(set(seen)), (len(seen), len(set(seen))))


def behind_nginx(server, directory):
    front, front2 = free_port(), free_port()
    path = os.path.join(directory, "nginx.conf")
    text = NGINX.format(dir=directory, back=server.port, front=front, front2=front2, secret=SECRET)
    if os.geteuid() != 0:
        text = text.replace(" user root;", "")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    nginx = subprocess.Popen(["/usr/sbin/nginx", "-p", directory, "-c", path, "-e", directory + "/error.log"])
    try:
        wait_for_port(front)
        storm(server, front, "as in the comment")
        storm(server, front2, "kept alive and unbuffered")
        got = talk(front2, post(event("x"), "/avito/guess"), until=1)
        check("a wrong secret is 404 through nginx too", statuses(got) == [b"404"], got)
    finally:
        nginx.terminate()
        nginx.wait()


def main():
    with tempfile.TemporaryDirectory() as directory:
        program = build(directory)
        full_disk(program)
        few_descriptors(program)
        server = Server(program, free_port())
        try:
            slow = SlowSender(server.port)
            alone(server)
            storm(server, server.port, "alone")
            behind_nginx(server, directory)
            slow.join(20)
            check("a slow sender gets 408 at its deadline",
                  statuses(slow.got) == [b"408"] and 9 < slow.waited < 13, (slow.got, slow.waited))
            check("the server still runs", server.process.poll() is None, server.process.poll())
        finally:
            server.process.terminate()
            server.process.wait()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
