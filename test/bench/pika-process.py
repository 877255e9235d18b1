"""The vendor's pattern: pika's SelectConnection and a pool of ten threads, as in container-service-extension.

Acknowledges on arrival and publishes without confirm, as the original does. Does what `hello` does, with no sandbox.
Arguments: broker URL, queue. Prints "ready"; ends with its standard input.
"""

import base64
import functools
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

import pika

THREADS = 10
PREFETCH = 256

pool = ThreadPoolExecutor(THREADS)


def handle(http, security):
    if http["body"]:
        base64.b64decode(http["body"])
    name = parse_qs(http["queryString"] or "").get("name", ["world"])[0]
    return {"hello": name, "backwards": name[::-1], "org": security["org"]}


def process(channel, properties, body):
    http, security = json.loads(body.decode())[:2]
    reply = json.dumps(handle(http, security))
    message = {
        "id": http["id"],
        "headers": {"Content-Type": "application/json", "Content-Length": len(reply)},
        "statusCode": 200,
        "body": base64.b64encode(reply.encode()).decode(),
        "request": False,
    }
    publish = functools.partial(
        channel.basic_publish,
        exchange=properties.headers["replyToExchange"],
        routing_key=properties.reply_to,
        body=json.dumps([message]),
        properties=pika.BasicProperties(correlation_id=properties.correlation_id),
    )
    channel.connection.ioloop.add_callback_threadsafe(publish)


def on_message(channel, deliver, properties, body):
    channel.basic_ack(deliver.delivery_tag)
    pool.submit(process, channel, properties, body)


def on_channel(channel):
    def consume(_):
        channel.basic_consume(sys.argv[2], on_message)
        print("ready", flush=True)

    channel.basic_qos(prefetch_count=PREFETCH, callback=consume)


def end_with_parent():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_parent, daemon=True).start()
connection = pika.SelectConnection(
    pika.URLParameters(sys.argv[1]),
    on_open_callback=lambda opened: opened.channel(on_open_callback=on_channel),
)
connection.ioloop.start()
