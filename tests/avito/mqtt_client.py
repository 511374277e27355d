"""A small MQTT 5 client for judges. Its session persists, it acknowledges a message once that is noted, it
gives user properties, and it can be away. It has a thread of its own, and reconnects by itself."""
import socket
import struct
import threading
import time

SIZES = {0x01: 1, 0x02: 4, 0x23: 2}  # sizes of a PUBLISH's properties; texts and data have their length before them


def text(value):
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(data)) + data


def packet(first, body):
    head, size = bytes([first]), len(body)
    while True:
        size, low = size >> 7, size & 0x7f
        head += bytes([low | (0x80 if size else 0)])
        if not size:
            return head + body


def length_at(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7f) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:
            return value, at


def pairs_of(data):
    """User properties of a publication."""
    pairs, at = {}, 0
    while at < len(data):
        kind, at = data[at], at + 1
        if kind in SIZES:
            at += SIZES[kind]
        elif kind == 0x0b:
            _, at = length_at(data, at)
        else:
            words = []
            for _ in range(2 if kind == 0x26 else 1):
                size = struct.unpack_from(">H", data, at)[0]
                words.append(data[at + 2:at + 2 + size].decode("utf-8", "replace"))
                at += 2 + size
            if kind == 0x26:
                pairs[words[0]] = words[1]
    return pairs


class Client(threading.Thread):
    """on_message(topic, payload, retained, pairs) is called before the PUBACK leaves."""

    def __init__(self, port, name, topics, on_message):
        super().__init__(daemon=True)
        self.port, self.client_id, self.topics, self.on_message = port, name, topics, on_message
        self.away = self.over = False
        self.socket, self.lock = None, threading.Lock()
        self.last_id, self.answers = 0, {}
        self.ready = threading.Event()

    def run(self):
        while not self.over:
            if self.away:
                time.sleep(0.1)
                continue
            try:
                self.serve()
            except (OSError, IndexError, struct.error):
                pass
            self.ready.clear()
            time.sleep(0.1)

    def serve(self):
        with socket.create_connection(("127.0.0.1", self.port), 3) as s:
            s.settimeout(1)
            s.sendall(packet(0x10, text("MQTT") + b"\x05\x00\x00\x3c" + b"\x08\x11" + struct.pack(">I", 86400) + b"\x21\x00\x64" +
                             text(self.client_id)))
            self.socket, data, pinged = s, b"", time.time()
            while not self.over and not self.away:
                try:
                    got = s.recv(65536)
                    if not got:
                        return
                    data += got
                except socket.timeout:
                    pass
                if time.time() - pinged > 5:
                    pinged = time.time()
                    self.send(b"\xc0\x00")
                data = self.read(data)

    def read(self, data):
        at = 0
        while len(data) - at >= 2:
            try:
                size, body = length_at(data, at + 1)
            except IndexError:
                break
            if body + size > len(data):
                break
            self.take(data[at], data[body:body + size])
            at = body + size
        return data[at:]

    def send(self, data):
        with self.lock:
            self.socket.sendall(data)

    def take(self, first, body):
        kind = first >> 4
        if kind == 2:
            if self.topics:
                self.send(packet(0x82, b"\x00\x01\x00" + b"".join(text(t) + b"\x01" for t in self.topics)))
            else:
                self.ready.set()
        elif kind == 9:
            self.ready.set()
        elif kind == 4:
            self.answers[struct.unpack_from(">H", body)[0]] = body[2] if len(body) > 2 else 0
        elif kind == 3:
            self.publication(first, body)

    def publication(self, first, body):
        size = struct.unpack_from(">H", body)[0]
        topic, at, number = body[2:2 + size].decode(), 2 + size, None
        if first & 6:
            number, at = struct.unpack_from(">H", body, at)[0], at + 2
        count, at = length_at(body, at)
        self.on_message(topic, body[at + count:].decode("utf-8", "replace"), bool(first & 1), pairs_of(body[at:at + count]))
        if number is not None:
            self.send(packet(0x40, struct.pack(">H", number)))

    def publish(self, topic, payload, seconds=3):
        """Publishes with QoS 1. Returns the reason code of its PUBACK; None: it is not known whether the
        broker has it."""
        if not self.ready.wait(seconds):
            return None
        self.last_id = self.last_id % 60000 + 1
        number = self.last_id
        self.answers.pop(number, None)
        try:
            self.send(packet(0x32, text(topic) + struct.pack(">H", number) + b"\x00" + payload.encode()))
        except OSError:
            return None
        end = time.time() + seconds
        while time.time() < end and number not in self.answers and self.ready.is_set():
            time.sleep(0.005)
        return self.answers.get(number)
