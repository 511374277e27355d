"""nginx on loopback, and the bench's clients, which talk to it."""
import glob
import json
import os
import re
import resource
import socket
import statistics
import subprocess
import sys
import time

from decode import COUNTED, lines, read_dump

sys.path.append("tests/check")
from processes import free_port  # noqa: E402

SELF = {"email": "prodavets@example.ru", "id": 94235311,
        "name": "Автозапчасти на Варшавке, склад и магазин", "phone": "+79210000000",
        "phones": ["+79210000000", "+79210000001"],
        "profile_url": "https://avito.ru/user/00000000000000000000000014dc9381/profile?src=api"}

CONF = """daemon off;
master_process off;
error_log {out}/nginx.log;
pid {out}/nginx.pid;
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    keepalive_timeout 600;
    open_file_cache max=100;
    client_body_temp_path {out}/tmp;
    proxy_temp_path {out}/tmp;
    fastcgi_temp_path {out}/tmp;
    uwsgi_temp_path {out}/tmp;
    scgi_temp_path {out}/tmp;
    default_type application/json;
    types {{ }}
    server {{
        listen 127.0.0.1:{plain} backlog=4096;
        listen 127.0.0.1:{tls} ssl backlog=4096;
        ssl_certificate {out}/server.pem;
        ssl_certificate_key {out}/server.key;
        ssl_protocols TLSv1.2;
        ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;
        ssl_session_cache shared:s:1m;
        location = /core/v1/accounts/self {{ alias {out}/self.json; }}
        location = /messenger/v2/accounts/94235311/chats {{ alias {out}/data/chats100.raw; }}
    }}
}}
"""


def certificates(out):
    """A CA and a server certificate for localhost, P-256."""
    if os.path.exists(out + "/server.pem"):
        return
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650"]
    quiet = dict(check=True, stderr=subprocess.DEVNULL)
    subprocess.run(["openssl", "req", "-x509", *curve, "-subj", "/CN=bench CA", "-keyout",
                    out + "/ca.key", "-out", out + "/ca.pem"], **quiet)
    subprocess.run(["openssl", "req", *curve, "-subj", "/CN=localhost", "-keyout",
                    out + "/server.key", "-out", out + "/server.csr"], **quiet)
    with open(out + "/server.ext", "w") as f:
        f.write("subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n"
                "basicConstraints=critical,CA:false\n")
    subprocess.run(["openssl", "x509", "-req", "-in", out + "/server.csr", "-CA", out + "/ca.pem",
                    "-CAkey", out + "/ca.key", "-CAcreateserial", "-days", "3650", "-extfile",
                    out + "/server.ext", "-out", out + "/server.pem"], **quiet)


class Network:
    """The server, started and stopped with `with`; clients keep to another core."""

    def __init__(self, out):
        self.out = os.path.abspath(out)
        self.plain, self.tls = free_port(), free_port()
        cores = sorted(os.sched_getaffinity(0))
        self.cores = (cores[0], cores[-1])

    def __enter__(self):
        certificates(self.out)
        os.makedirs(self.out + "/tmp", exist_ok=True)
        with open(self.out + "/self.json", "w") as f:
            f.write(json.dumps(SELF, ensure_ascii=False, separators=(",", ":")))
        with open(self.out + "/nginx.conf", "w") as f:
            f.write(CONF.format(out=self.out, plain=self.plain, tls=self.tls))
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.server = subprocess.Popen(
            ["nginx", "-p", self.out, "-c", self.out + "/nginx.conf", "-e", self.out + "/nginx.log"],
            preexec_fn=lambda: (os.sched_setaffinity(0, {self.cores[1]}),
                                resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))))
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.plain), 1).close()
                return self
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("nginx does not answer; see " + self.out + "/nginx.log")

    def __exit__(self, *_):
        self.server.terminate()
        self.server.wait(10)

    def command(self, client, what, n, tls=False, connections=0):
        """The command line of a client: ours, curl, fast (libcurl with the fastest decoder) or bare."""
        port = self.tls if tls else self.plain
        host = "localhost" if tls else "127.0.0.1"
        where = "%s://%s:%d" % ("https" if tls else "http", host, port)
        args = [self.out + "/net_" + client]
        if client != "bare":
            args.append(what)
        args += [str(n), where if client in ("curl", "fast") else str(port)]
        if connections:
            args.append(str(connections))
        return args + ([self.out + "/ca.pem"] if tls else [])

    def run(self, command, before=(), env=None):
        done = subprocess.run([*before, *command], stdout=subprocess.PIPE, text=True, check=True,
                              timeout=900, env={**os.environ, **(env or {})},
                              preexec_fn=lambda: os.sched_setaffinity(0, {self.cores[0]}))
        return lines(done.stdout)[0]

    def instructions(self, *args, n=30, **more):
        base = self.out + "/callgrind.net"
        for old in glob.glob(base + ".out*"):
            os.remove(old)
        row = self.run(self.command(*args, n, **more),
                       ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no",
                        "--callgrind-out-file=" + base + ".out"], COUNTED)
        for dump in glob.glob(base + ".out*"):
            label, total = read_dump(dump)
            if label == "requests":
                return total / row["requests"]
        raise RuntimeError("no dump of " + str(args))

    def syscalls(self, *args, few=20, lot=120, **more):
        """Per request, as the difference of two runs, so that start and end cancel out."""
        calls = []
        for n in (few, lot):
            log = self.out + "/strace.txt"
            self.run(self.command(*args, n, **more), ["strace", "-f", "-c", "-o", log])
            with open(log) as f:
                total = re.search(r"^\s*100\.00\s.*?(\d+)(?:\s+\d+)?\s+total$", f.read(), re.M)
            calls.append(int(total.group(1)))
        return (calls[1] - calls[0]) / (lot - few)

    def cpu(self, commands, rounds):
        """{name: (median CPU us per request, user part of it)}, and {name: median of the ratio to the
        first}. The clients take turns, so that a machine that slows down for a while slows all."""
        names, runs = list(commands), {name: [] for name in commands}
        for _ in range(rounds):
            for name in names:
                runs[name].append(self.run(commands[name]))
        us = {n: [r["cpu_us"] for r in runs[n]] for n in names}
        user = {n: sum(r["user_us"] for r in runs[n]) / sum(us[n]) for n in names}
        ratio = {n: statistics.median(a / b for a, b in zip(us[n], us[names[0]])) for n in names}
        return {n: (statistics.median(us[n]), statistics.median(us[n]) * user[n]) for n in names}, ratio
