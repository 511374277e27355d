"""What many would write first: Avito to MQTT in Python (Debian's requests and paho). `make gateway-bench` compares
the gateway with it. It promises nothing: a crash loses or repeats messages, a send without an answer is forgotten.

gateway_bridge.py BROKER_PORT API_PORT CA ACCOUNTS POLL_SECONDS"""
import json
import sys
import threading
import time

import paho.mqtt.client as mqtt
import requests

port, api, ca, accounts, poll = int(sys.argv[1]), f"https://localhost:{sys.argv[2]}", sys.argv[3], int(sys.argv[4]), float(sys.argv[5])
CREDENTIALS = {"grant_type": "client_credentials", "client_id": "client-id-for-tests",
               "client_secret": "client-secret-for-tests-0123456789abcdef"}


class Account:
    def __init__(self, name):
        self.name, self.http, self.seen, self.first = name, requests.Session(), set(), True
        self.http.verify, self.http.trust_env = ca, False
        token = self.http.post(f"{api}/token", data=CREDENTIALS, timeout=30).json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
        self.user = self.http.get(f"{api}/core/v1/accounts/self", timeout=30).json()["id"]

    def poll(self):
        chats = self.http.get(f"{api}/messenger/v2/accounts/{self.user}/chats", params={"limit": 10}, timeout=30).json()
        for chat in chats["chats"]:
            if chat["last_message"]["id"] in self.seen:
                continue
            url = f"{api}/messenger/v3/accounts/{self.user}/chats/{chat['id']}/messages/"
            messages = self.http.get(url, params={"limit": 20}, timeout=30).json()
            for m in reversed(messages["messages"] if isinstance(messages, dict) else messages):
                if m["id"] not in self.seen and not self.first:
                    client.publish(f"avito/{self.name}/messages/{chat['id']}", json.dumps(m, ensure_ascii=False), qos=1)
                self.seen.add(m["id"])
        self.first = False


def send(_client, _userdata, message):
    _, name, _, chat = message.topic.split("/")
    account = all_accounts[name]
    account.http.post(f"{api}/messenger/v1/accounts/{account.user}/chats/{chat}/messages", timeout=30,
                      json={"message": {"text": message.payload.decode()}, "type": "text"})


client = mqtt.Client(protocol=mqtt.MQTTv5)
client.on_message = send
client.connect("127.0.0.1", port)
all_accounts = {f"a{i}": Account(f"a{i}") for i in range(accounts)}
client.subscribe("avito/+/send/+", qos=1)
threading.Thread(target=client.loop_forever, daemon=True).start()
print("ready", flush=True)
while True:
    began = time.time()
    for one in all_accounts.values():
        one.poll()
    time.sleep(max(0, poll - (time.time() - began)))
