{{/* Alerts of payments only, in the short form of the library's `service.rules`. */}}
{{- define "payments.alerts" -}}
{{- $series := include "service.series" . -}}
{{- $window := .Values.monitoring.rules.window -}}
{{- $thresholds := .Values.monitoring.thresholds -}}
- alert: PaymentsStuck
  severity: ticket
  summary: "A payment has been PENDING for <duration> without a provider webhook"
  expr: max by (namespace, release) (payments_open_oldest_seconds{ {{- $series }},status="PENDING"}) > {{ int64 $thresholds.pendingSeconds }}
- alert: PaymentsNotStarted
  severity: ticket
  summary: "<value> payments created between an hour and a day ago are still INITIATED"
  expr: max by (namespace, release) (payments_open{ {{- $series }},status="INITIATED",age="1h"}) > {{ $thresholds.notStarted }}
- alert: PaymentTotalsBehind
  severity: ticket
  summary: "Payment totals are <duration> behind"
  expr: |
    max by (namespace, release) (payment_totals_lag_seconds{ {{- $series }}}) > {{ $thresholds.totalsLagSeconds }}
    or absent(payment_totals_lag_seconds{ {{- $series }}}) * Inf
- alert: WebhooksRejected
  severity: ticket
  summary: "<percent> of webhooks are rejected: invalid signature or unknown payment"
  expr: |
    sum by (namespace, release) (increase(webhooks_total{ {{- $series }},outcome=~"bad_signature|unknown_payment"}[{{ $window }}]))
    / (sum by (namespace, release) (increase(webhooks_total{ {{- $series }}}[{{ $window }}])) > {{ $thresholds.minWebhooks }})
    > {{ $thresholds.webhooksRejectedRatio }}
- alert: WebhookConflicts
  severity: ticket
  for: 0s
  summary: "<value> webhooks reused the id of an earlier webhook with different content"
  expr: sum by (namespace, release) (increase(webhooks_total{ {{- $series }},outcome="conflict"}[{{ $window }}])) > {{ $thresholds.webhookConflicts }}
- alert: ProviderDown
  severity: page
  for: 5m
  summary: "<account>: calls to the provider fail, so that payments are not sent or stay PENDING"
  # The circuit stays open without calls, as at night: only an account whose calls still fail is down.
  expr: |
    max by (namespace, release, account) (provider_circuit_open{ {{- $series }}}) > 0
    and on (namespace, release, account) sum by (namespace, release, account) (
      increase(provider_calls_total{ {{- $series }},result=~"may_have_happened|not_sent|no_news"}[15m])
    ) > 0
- alert: ProviderAccessRefused
  severity: page
  for: 5m
  summary: "<account>: no access token can be had, or the provider rejects the credentials"
  # During a rotation the newest credentials may be refused while the previous ones work: then calls have results.
  expr: |
    sum by (namespace, release, account) (
      increase(provider_calls_total{ {{- $series }},call="grant",result=~"refused|unavailable"}[15m])
      or increase(provider_readings_flagged_total{ {{- $series }},flag="configuration"}[15m])
    ) > 0
    unless on (namespace, release, account) sum by (namespace, release, account) (
      increase(provider_calls_total{ {{- $series }},result=~"pending|succeeded|declined|unknown_there"}[15m])
    ) > 0
- alert: ProviderCredentialsUnreadable
  severity: ticket
  summary: "<account>: <value> pods can't read a file of the credentials and keep using the previous ones"
  expr: sum by (namespace, release, account) (provider_credentials_unreadable{ {{- $series }}}) > 0
- alert: ProviderCallsOverdue
  severity: page
  summary: "<account>: a <call> has been due for <duration>, and no replica makes it"
  # While the circuit is open, calls wait on purpose.
  expr: |
    max by (namespace, release, account, call) (attempts_oldest_due_seconds{ {{- $series }}}) > {{ $thresholds.callsOverdueSeconds }}
    unless on (namespace, release, account) max by (namespace, release, account) (provider_circuit_open{ {{- $series }}}) > 0
- alert: CallbacksLost
  severity: ticket
  summary: "<account>: <percent> of the payments that the provider ended within an hour had a callback"
  expr: |
    sum by (namespace, release, account) (
      increase(callbacks_total{ {{- $series }},outcome="stored"}[1h])
      or increase(attempts_concluded_total{ {{- $series }},cause="webhook"}[1h])
    )
    / (sum by (namespace, release, account) (increase(attempts_concluded_total{ {{- $series }},cause=~"query|callback|webhook"}[1h])) > {{ $thresholds.minSettled }})
    < {{ $thresholds.callbacksRatio }}
    and on (namespace, release, account) provider_account_info{ {{- $series }},callbacks="yes"}
- alert: PaymentsNeedAttention
  severity: ticket
  summary: "<account>: <value> payments wait for an operator, because the provider does not decide them"
  # Every replica reports the counts of the database. Other alerts have the reasons that are excluded here.
  expr: |
    sum by (namespace, release, account) (
      max by (namespace, release, account, reason) (attempts_needing_attention{ {{- $series }},reason=~"deadline|vanished|no_reference"})
    ) > {{ $thresholds.attemptsNeedingAttention }}
- alert: PaymentConflicts
  severity: ticket
  for: 0s
  summary: "<account>: <value> payments on which the provider contradicts what is known (<reason>)"
  expr: |
    max by (namespace, release, account, reason) (
      attempts_needing_attention{ {{- $series }},reason!~"deadline|vanished|no_reference|late_success"}
    ) > 0
- alert: LateSuccess
  severity: ticket
  for: 0s
  summary: "<account>: <value> payments are FAILED, and the provider now says that they were paid"
  expr: max by (namespace, release, account) (attempts_needing_attention{ {{- $series }},reason="late_success"}) > 0
- alert: ProvidersFileRejected
  severity: ticket
  summary: "<value> pods reject the changed PROVIDERS_FILE and keep using the previous accounts: they will not survive a restart"
  expr: sum by (namespace, release) (provider_accounts_rejected{ {{- $series }}}) > 0
- alert: CallbackKeysUnreadable
  severity: ticket
  summary: "<value> pods can't read the current callback keys and keep using the previous ones: they will not survive a restart"
  expr: sum by (namespace, release) (callback_keys_unreadable{ {{- $series }}}) > 0
- alert: EncryptionKeysUnreadable
  severity: ticket
  summary: "<value> pods can't read the current encryption keys of webhook endpoints and keep using the previous ones: they will not survive a restart"
  expr: sum by (namespace, release) (webhook_encryption_keys_unreadable{ {{- $series }}}) > 0
- alert: NotificationsLate
  severity: page
  for: 5m
  summary: "A notification has been due for <duration>, although its endpoint works: no replica tries to deliver it"
  # While a replica makes tries at the endpoint, its speed determines how long its other notifications wait.
  expr: max by (namespace, release) (deliveries_oldest_due_seconds{ {{- $series }},endpoints="idle"}) > {{ int64 $thresholds.notificationLateSeconds }}
- alert: NotificationsFailing
  severity: page
  for: 10m
  summary: "Only <percent> of the tries to deliver notifications succeed, and several merchants are affected"
  # A merchant whose server is down fails alone. Endpoints that have been down for days do not count.
  expr: |
    sum by (namespace, release) (increase(delivery_tries_total{ {{- $series }},outcome="delivered"}[15m]))
    / (sum by (namespace, release) (increase(delivery_tries_total{ {{- $series }},outcome=~"delivered|rejected|failed|gone|unsigned"}[15m])) > 0)
    < {{ $thresholds.notificationsDeliveredRatio }}
    and on (namespace, release) max by (namespace, release) (webhook_merchants_failing{ {{- $series }}}) > {{ $thresholds.merchantsFailing }}
- alert: NotificationsUnsigned
  severity: ticket
  for: 0s
  summary: "<value> tries to deliver notifications within an hour were not made: the secrets of the endpoints can't be read with the encryption keys"
  # An endpoint that is deleted while its notification is claimed has no secrets either.
  expr: sum by (namespace, release) (increase(delivery_tries_total{ {{- $series }},outcome="unsigned"}[1h])) > {{ $thresholds.notificationsUnsigned }}
- alert: NotificationWorkersFailing
  severity: ticket
  summary: "<percent> of the runs of <worker> fail, or no pod runs it"
  {{- $workers := "deliveries|delivery_counts_read|endpoint_care|notifications_sweep" }}
  expr: |
    sum by (namespace, release, worker) (increase(worker_runs_total{ {{- $series }},worker=~"{{ $workers }}",outcome="failed"}[15m]))
    / (sum by (namespace, release, worker) (increase(worker_runs_total{ {{- $series }},worker=~"{{ $workers }}"}[15m])) > 0)
    > {{ $thresholds.workerFailedRatio }}
    or sum by (namespace, release, worker) (increase(worker_runs_total{ {{- $series }},worker="deliveries"}[15m])) == 0
    or absent(worker_runs_total{ {{- $series }},worker="deliveries"})
- alert: NotificationBacklog
  severity: ticket
  summary: "<value> notifications are due, and their number does not fall"
  # Every replica reports the count of the database. A backlog that falls needs no action.
  expr: |
    max by (namespace, release) (avg_over_time(deliveries_pending{ {{- $series }},state="due"}[10m])) > {{ int64 $thresholds.notificationsDue }}
    and max by (namespace, release) (avg_over_time(deliveries_pending{ {{- $series }},state="due"}[10m]))
    >= max by (namespace, release) (avg_over_time(deliveries_pending{ {{- $series }},state="due"}[10m] offset 30m))
- alert: WebhookEndpointsDisabled
  severity: ticket
  for: 0s
  summary: "<value> more webhook endpoints than an hour ago are disabled (<state>)"
  expr: |
    max by (namespace, release, state) (webhook_endpoints{ {{- $series }},state=~"disabled_(gone|failing)"})
    - max by (namespace, release, state) (webhook_endpoints{ {{- $series }},state=~"disabled_(gone|failing)"} offset 1h)
    > {{ $thresholds.endpointsDisabled }}
- alert: TokenCacheMisses
  severity: ticket
  summary: "Only <percent> of token checks are served from a cache"
  expr: |
    sum by (namespace, release) (rate(token_checks_total{ {{- $series }},outcome=~"hit|stale"}[{{ $window }}]))
    / (sum by (namespace, release) (rate(token_checks_total{ {{- $series }},outcome=~"hit|stale|miss"}[{{ $window }}])) > {{ $thresholds.minTokenChecksPerSecond }})
    < {{ $thresholds.tokenCacheHitRatio }}
- alert: RedisEvicting
  severity: ticket
  summary: "Redis evicted <value> keys within {{ $window }}: auth validates their tokens again"
  # Every pod reports the count of the same server.
  expr: max by (namespace, release) (increase(redis_evicted_keys{ {{- $series }}}[{{ $window }}])) > 0
- alert: TokenChecksUnavailable
  severity: page
  summary: "<percent> of token checks fail with 503: no cached result, and auth is unavailable"
  expr: |
    sum by (namespace, release) (rate(token_checks_total{ {{- $series }},outcome="unavailable"}[{{ $window }}]))
    / (sum by (namespace, release) (rate(token_checks_total{ {{- $series }}}[{{ $window }}])) > 0)
    > {{ $thresholds.tokenChecksUnavailableRatio }}
- alert: TokenCacheForged
  severity: page
  for: 0s
  summary: "<value> cache entries in Redis are not signed by payments: another program writes token entries, or a key was rotated in the wrong order"
  expr: sum by (namespace, release) (increase(token_cache_forgeries_total{ {{- $series }}}[{{ $window }}])) > 0
- alert: TokenCacheKeysUnreadable
  severity: ticket
  summary: "<value> pods can't read the current token cache keys and keep using the previous ones: they will not survive a restart"
  expr: sum by (namespace, release) (token_cache_keys_unreadable{ {{- $series }}}) > 0
- alert: RevokedTokenAccepted
  severity: page
  for: 0s
  summary: "<pod> accepted a token <duration> after its session was revoked"
  # The metric is the maximum since the pod's start, so only an increase within the window counts.
  expr: |
    token_revocation_staleness_seconds{ {{- $series }}} > {{ $thresholds.revocationSeconds }}
    and changes(token_revocation_staleness_seconds{ {{- $series }}}[{{ $window }}]) > 0
{{- end }}
