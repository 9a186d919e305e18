"""Checks of the PyPI client `mtn-momo-client`: MTN's sandbox, and Airtel's unsigned payments."""

import os
from uuid import uuid4

from momo_api.airtel import AirtelCollectionApi, AirtelConfig
from momo_api.exceptions import ConflictException, InternalServerErrorException, MomoException, ResourceNotFoundException
from momo_api.models.config import Config
from momo_api.models.payment_request import PaymentRequest
from momo_api.products.collection import CollectionApi
from momo_api.products.sandbox import SandboxApi

from results import check, equal, raised

URL = f"{os.environ['SIMULATOR_URL']}/"
KEY = "another subscription"


def payment(phone: str = "256772123456") -> PaymentRequest:
    return PaymentRequest.make("50", phone, "42", payer_message="Order 42", payee_note="Order 42")


def provision() -> CollectionApi:
    sandbox, user = SandboxApi(KEY, URL), str(uuid4())
    sandbox.create_api_user(user, "localhost")
    equal(
        sandbox.get_api_user(user),
        {"providerCallbackHost": "localhost", "targetEnvironment": "sandbox"},
    )
    api_key = sandbox.create_api_key(user)
    return CollectionApi(Config.collection(KEY, user, api_key), URL, "sandbox")


collection = provision()
reference = str(uuid4())


def pay() -> None:
    equal(collection.request_to_pay(payment(), reference), reference)


def query() -> None:
    transaction = collection.get_payment_status(reference)
    assert transaction.is_successful(), transaction
    equal((transaction.amount, transaction.currency, transaction.payer), ("50", "EUR", "256772123456"))
    assert collection.check_account_holder("256772123456")


def declined() -> None:
    transaction = collection.get_payment_status(collection.request_to_pay(payment("46733123452")))
    assert transaction.is_failed() and transaction.reason.code == "EXPIRED", transaction.raw


def refused_duplicate() -> None:
    equal(raised(ConflictException, pay).code, "RESOURCE_ALREADY_EXIST")


def refused_callback() -> None:
    config = collection.config.with_callback_uri("https://other.example/callback")
    other = CollectionApi(config, URL, "sandbox")
    error = raised(InternalServerErrorException, lambda: other.request_to_pay(payment()))
    equal(error.code, "INVALID_CALLBACK_URL_HOST")


def refused_reference() -> None:
    error = raised(ResourceNotFoundException, lambda: collection.get_payment_status(str(uuid4())))
    equal(error.code, "RESOURCE_NOT_FOUND")


airtel = AirtelCollectionApi(
    AirtelConfig.collection(
        os.environ["AIRTEL_CLIENT_ID"], os.environ["AIRTEL_CLIENT_SECRET"], country="UG", currency="UGX"
    ),
    URL,
)


def airtel_pay() -> None:
    """Sends the amount 5000.0 and an id with hyphens."""
    before = int(airtel.get_balance().available_balance)
    airtel.request_to_pay("5000", "+256 752 123456", "Order 42")
    equal(int(airtel.get_balance().available_balance) - before, 5000)


def airtel_hyphens() -> None:
    external_id = airtel.request_to_pay("5000", "752123456", "Order 42")
    error = raised(MomoException, lambda: airtel.get_payment_status(external_id))
    equal(error.reason.code, "ESB000008")


check("pays", pay)
check("queries a payment and an account holder", query)
check("reads the failure of a payment that expires", declined)
check("is refused a reference a second time", refused_duplicate)
check("is refused a callback to another host", refused_callback)
check("is refused an unknown reference", refused_reference)
check("pays Airtel without a signature", airtel_pay)
check("is refused the query of an Airtel id with hyphens", airtel_hyphens)
