# PgBouncer from Debian, for a cluster without a registry; the operator adds the rest of the pod. Needs 1.21 or newer
# for prepared statements in transaction mode.
FROM debian:forky-slim
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends pgbouncer \
 && rm -rf /var/lib/apt/lists/* \
 && ln -s /usr/sbin/pgbouncer /usr/bin/pgbouncer
USER 998:996
