"""Checks of the PyPI client `momo-openapi`: the new platform, with Ugandan shillings."""

import os
from uuid import uuid4

import requests
from momo_openapi import AuthenticationError, Collection, MomoAPIError, MomoConfig

from results import check, equal, raised

CREDENTIALS = {
    "user_id": os.environ["MTN_USER_ID"],
    "credential_token": os.environ["MTN_CREDENTIAL_TOKEN"],
    "subscription_key": os.environ["MTN_SUBSCRIPTION_KEY"],
}
NOTES = {"payer_message": "Order 42", "payee_note": "Order 42"}


def client(**other: str) -> Collection:
    return Collection(
        MomoConfig(
            **{
                **CREDENTIALS,
                "target_environment": "mtnuganda",
                "base_url": f"{os.environ['SIMULATOR_URL']}/",
                "currency": "UGX",
                **other,
            }
        )
    )


collection = client()
reference = str(uuid4())


def pay() -> None:
    equal(collection.request_to_pay(5000, "256772123456", "42", reference_id=reference, **NOTES), reference)


def query() -> None:
    status = collection.get_transaction_status(reference)
    equal(status["status"], "SUCCESSFUL")
    equal(status["amount"], "5000")
    equal(status["payer"], {"partyIdType": "MSISDN", "partyId": "256772123456"})
    equal(collection.get_balance(), {"availableBalance": "5000", "currency": "UGX"})


def refused_credentials() -> None:
    error = raised(AuthenticationError, lambda: client(credential_token="wrong").get_access_token())
    equal((error.status_code, error.code), (401, "invalid_client"))


def refused_environment() -> None:
    error = raised(MomoAPIError, lambda: client(target_environment="mtnghana").get_access_token())
    equal((error.status_code, error.code), (400, "Invalid or missing X-Target-Environment header"))


def refused_duplicate() -> None:
    error = raised(MomoAPIError, pay)
    equal((error.status_code, error.code), (409, "RESOURCE_ALREADY_EXIST"))


def refused_note() -> None:
    error = raised(MomoAPIError, lambda: collection.request_to_pay(5000, "256772123456", "42"))
    equal((error.status_code, error.code), (500, "INTERNAL_PROCESSING_ERROR"))


def refused_reference() -> None:
    error = raised(MomoAPIError, lambda: collection.get_transaction_status(str(uuid4())))
    equal((error.status_code, error.code), (404, "RESOURCE_NOT_FOUND"))


def blocked_user_agent() -> None:
    other = client()
    send = other._session.request
    other._session.request = lambda method, url, headers, **rest: send(
        method, url, headers={**headers, "User-Agent": requests.utils.default_user_agent()}, **rest
    )
    error = raised(MomoAPIError, lambda: other.get_access_token())
    equal(error.status_code, 403)
    assert "403 Forbidden" in str(error), str(error)


check("pays", pay)
check("queries a payment and the balance", query)
check("is refused a wrong credential", refused_credentials)
check("is refused another target environment", refused_environment)
check("is refused a reference a second time", refused_duplicate)
check("is refused an empty note", refused_note)
check("is refused an unknown reference", refused_reference)
check("is blocked with the user agent of requests", blocked_user_agent)
