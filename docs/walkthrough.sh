#!/usr/bin/env bash
# Two payments from a new user's registration to SUCCESS, by curl alone: a webhook settles the first, a
# provider the second. It ends with an error at the first answer that is not as expected. Run it, or paste
# everything from the parenthesis on: the parentheses keep your own shell open whatever happens inside.
#
#   AUTH_URL=http://127.0.0.1:3002 PAYMENTS_URL=http://127.0.0.1:4000 docs/walkthrough.sh
(
set -eu
AUTH=${AUTH_URL:-http://127.0.0.1:3002}
PAYMENTS=${PAYMENTS_URL:-http://127.0.0.1:4000}
JSON='Content-Type: application/json'
new() { od -An -N8 -tu8 /dev/urandom | tr -d ' \n' | tail -c "$1"; }
field() { sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p'; }
expect() { [ "$2" = "$3" ] || { echo "FAILED: $1 should be $2 and is '$3'" >&2; exit 1; }; }
api() {
  ANSWER=$(curl --silent --show-error --fail-with-body --max-time 30 "$@") || {
    echo "FAILED: $ANSWER" >&2
    exit 1
  }
  echo "$ANSWER"
}

echo '== Register: a phone that is new each time'
PHONE=+25677$(new 7)
PASSWORD="a-long-pass-phrase-$(new 6)"
USER=$(api "$AUTH/api/auth/register" -H "$JSON" \
  -d '{"phone":"'"$PHONE"'","email":"user'"$(new 12)"'@example.com","password":"'"$PASSWORD"'"}')
echo "$USER"
expect 'the phone' "$PHONE" "$(echo "$USER" | field phone)"

echo '== Log in: the token stays in $TOKEN'
TOKEN=$(api "$AUTH/api/auth/login" -H "$JSON" \
  -d '{"phone":"'"$PHONE"'","password":"'"$PASSWORD"'"}' | field access_token)
expect 'the first part of the token' eyJ "$(echo "$TOKEN" | cut -c1-3)"
BEARER="Authorization: Bearer $TOKEN"

echo '== Create a payment of 5000 UGX; the same Idempotency-Key never makes a second one'
PAYMENT=$(api "$PAYMENTS/api/payments" -H "$BEARER" -H "$JSON" -H "Idempotency-Key: $(new 18)" \
  -d '{"amount":5000,"currency":"UGX","paymentMethod":"MOBILE_MONEY","customerPhone":"'"$PHONE"'",
       "customerEmail":"customer@example.com","description":"School fees"}')
echo "$PAYMENT"
expect 'its status' INITIATED "$(echo "$PAYMENT" | field status)"
expect 'its amount' 5000 "$(echo "$PAYMENT" | field amount)"
REFERENCE=$(echo "$PAYMENT" | field reference)

echo "== Read it: $REFERENCE"
PAYMENT=$(api "$PAYMENTS/api/payments/$REFERENCE" -H "$BEARER")
expect 'its status' INITIATED "$(echo "$PAYMENT" | field status)"

echo '== Move it to PENDING'
PAYMENT=$(api "$PAYMENTS/api/payments/$REFERENCE/status" -H "$BEARER" -H "$JSON" \
  -d '{"status":"PENDING"}')
expect 'its status' PENDING "$(echo "$PAYMENT" | field status)"

echo '== The provider says by webhook that it was paid'
PAYMENT=$(api "$PAYMENTS/api/payments/webhook/provider" -H "$BEARER" -H "$JSON" \
  -d '{"webhookId":"wh-'"$(new 12)"'","reference":"'"$REFERENCE"'","status":"SUCCESS",
       "providerTransactionId":"MTN-'"$(new 9)"'","timestamp":"'"$(date -u +%Y-%m-%dT%H:%M:%SZ)"'"}')
echo "$PAYMENT"
expect 'its status' SUCCESS "$(echo "$PAYMENT" | field status)"

echo '== List what happened to it'
EVENTS=$(api "$PAYMENTS/api/payments/$REFERENCE/events" -H "$BEARER")
echo "$EVENTS"
expect 'the way to PENDING' 1 "$(echo "$EVENTS" | grep -c '"to":"PENDING"')"
expect 'the way to SUCCESS' 1 "$(echo "$EVENTS" | grep -c '"to":"SUCCESS"')"

echo '== Create a payment through a provider, the simulator of MTN: the payer approves after 2 s'
PAYMENT=$(api "$PAYMENTS/api/payments" -H "$BEARER" -H "$JSON" -H "Idempotency-Key: $(new 18)" \
  -d '{"amount":5000,"currency":"UGX","paymentMethod":"MOBILE_MONEY","provider":"mtn-ug-sim",
       "customerPhone":"'"$PHONE"'","customerEmail":"customer@example.com"}')
echo "$PAYMENT"
REFERENCE=$(echo "$PAYMENT" | field reference)

echo "== Wait until it is settled: $REFERENCE"
PAYMENT=$(api "$PAYMENTS/api/payments/$REFERENCE?wait=25" -H "$BEARER")
echo "$PAYMENT"
expect 'its status' SUCCESS "$(echo "$PAYMENT" | field status)"
echo '== Done: INITIATED, PENDING, SUCCESS'
)
