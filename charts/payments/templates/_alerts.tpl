{{/* Alerts of payments alone, in few words; see the library's `service.rules`. */}}
{{- define "payments.alerts" -}}
{{- $series := include "service.series" . -}}
{{- $window := .Values.monitoring.rules.window -}}
{{- $most := .Values.monitoring.thresholds -}}
- alert: PaymentsStuck
  severity: ticket
  summary: "A payment has been PENDING for <duration>, and no provider’s news came of it"
  expr: max by (namespace, release) (payments_open_oldest_seconds{ {{- $series }},status="PENDING"}) > {{ int64 $most.pendingSeconds }}
- alert: PaymentsNotStarted
  severity: ticket
  summary: "<value> payments were made between an hour and a day ago, and nothing became of them"
  expr: max by (namespace, release) (payments_open{ {{- $series }},status="INITIATED",age="1h"}) > {{ $most.notStarted }}
- alert: PaymentTotalsBehind
  severity: ticket
  summary: "Totals of money lack what happened <duration> ago"
  expr: |
    max by (namespace, release) (payment_totals_lag_seconds{ {{- $series }}}) > {{ $most.totalsLagSeconds }}
    or absent(payment_totals_lag_seconds{ {{- $series }}}) * Inf
- alert: WebhooksRefused
  severity: ticket
  summary: "<percent> of the webhooks are refused: a signature that is not valid, or no such payment"
  expr: |
    sum by (namespace, release) (increase(webhooks_total{ {{- $series }},outcome=~"bad_signature|unknown"}[{{ $window }}]))
    / (sum by (namespace, release) (increase(webhooks_total{ {{- $series }}}[{{ $window }}])) > {{ $most.webhooks }})
    > {{ $most.webhooksRefused }}
- alert: WebhookConflicts
  severity: ticket
  for: 0s
  summary: "<value> webhooks came with the id of another one and another content"
  expr: sum by (namespace, release) (increase(webhooks_total{ {{- $series }},outcome="conflict"}[{{ $window }}])) > {{ $most.webhookConflicts }}
- alert: TokenCacheMisses
  severity: ticket
  summary: "Only <percent> of the token checks are answered without asking auth"
  expr: |
    sum by (namespace, release) (rate(token_checks_total{ {{- $series }},outcome=~"hit|stale"}[{{ $window }}]))
    / (sum by (namespace, release) (rate(token_checks_total{ {{- $series }},outcome=~"hit|stale|miss"}[{{ $window }}])) > {{ $most.tokenChecksPerSecond }})
    < {{ $most.tokenCacheHits }}
- alert: TokensUnchecked
  severity: page
  summary: "<percent> of the token checks find neither an answer nor auth: their callers are told 503"
  expr: |
    sum by (namespace, release) (rate(token_checks_total{ {{- $series }},outcome="unavailable"}[{{ $window }}]))
    / (sum by (namespace, release) (rate(token_checks_total{ {{- $series }}}[{{ $window }}])) > 0)
    > {{ $most.tokensUnchecked }}
- alert: RevokedTokenAccepted
  severity: page
  for: 0s
  summary: "<pod> accepted a token <duration> after its session was revoked"
  # It tells the longest since its start: what counts is that it grew.
  expr: |
    token_revocation_staleness_seconds{ {{- $series }}} > {{ $most.revocationSeconds }}
    and changes(token_revocation_staleness_seconds{ {{- $series }}}[{{ $window }}]) > 0
{{- end }}
