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
