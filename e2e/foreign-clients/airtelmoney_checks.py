"""Checks of the PyPI client `airtelmoney-py`: signed payments, and the hash of a callback."""

import json
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from threading import Thread
from uuid import uuid4

from airtelmoney import AirtelAPIError, AirtelAuthError, AirtelMoney
from airtelmoney.resources.collection import CollectionAPI

from results import check, equal, raised

received: "Queue[bytes]" = Queue()


class Callbacks(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        received.put(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


server = HTTPServer(("127.0.0.1", int(os.environ["CALLBACK_PORT"])), Callbacks)
Thread(target=server.serve_forever, daemon=True).start()


def client(secret: str = os.environ["AIRTEL_CLIENT_SECRET"]) -> AirtelMoney:
    return AirtelMoney(os.environ["AIRTEL_CLIENT_ID"], secret, base_url=f"{os.environ['SIMULATOR_URL']}/")


airtel = client()
reference = uuid4().hex


def payment(id: str, msisdn: str = "752123456", **rest: object) -> dict:
    return airtel.collection.payment(reference="Order 42", msisdn=msisdn, amount=5000, transaction_id=id, **rest)


def pay() -> None:
    response = payment(reference)
    equal(response["data"]["transaction"], {"id": reference, "status": "SUCCESS"})
    equal(response["status"]["response_code"], "DP00800001006")


def query() -> None:
    response = airtel.collection.enquiry(reference)
    equal(response["data"]["transaction"]["status"], "TS")
    equal(response["status"]["response_code"], "DP00800001001")
    equal(airtel.kyc.user_enquiry("752123456")["data"]["is_barred"], False)


def callback() -> None:
    body = json.loads(received.get(timeout=10))
    equal((body["transaction"]["id"], body["transaction"]["status_code"]), (reference, "TS"))
    assert CollectionAPI.verify_callback_hash(body, os.environ["AIRTEL_CALLBACK_KEY"])
    assert not CollectionAPI.verify_callback_hash(body, "another key")


def declined() -> None:
    id = uuid4().hex
    payment(id, msisdn="752900002")
    response = airtel.collection.enquiry(id)
    equal(response["data"]["transaction"]["status"], "TF")
    equal(response["status"]["response_code"], "DP00800001007")


def refused_secret() -> None:
    error = raised(AirtelAuthError, lambda: client("wrong").account.balance())
    equal(str(error), "Invalid client authentication")


def refused_signature() -> None:
    error = raised(AirtelAPIError, lambda: payment(uuid4().hex, sign=False))
    equal((error.status_code, error.response_code), (403, "DP00800001026"))


def refused_duplicate() -> None:
    equal(payment(reference)["status"]["result_code"], "ESB000041")


def refused_msisdn() -> None:
    error = raised(AirtelAPIError, lambda: payment(uuid4().hex, msisdn="256752123456"))
    equal(error.payload["status"]["result_code"], "ESB000033")


check("pays with a signed request", pay)
check("queries a payment and a subscriber", query)
check("verifies the hash of a callback", callback)
check("reads the failure of a payer without enough money", declined)
check("is refused a wrong secret", refused_secret)
check("is refused a request without a signature", refused_signature)
check("is refused an id a second time", refused_duplicate)
check("is refused a number with a country code", refused_msisdn)
