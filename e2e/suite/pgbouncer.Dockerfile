# PgBouncer from Debian, for a cluster without a registry: the operator brings the rest of the pod along.
# 1.21 or newer is needed, for prepared statements in transaction mode.
FROM debian:forky-slim
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends pgbouncer \
 && rm -rf /var/lib/apt/lists/* \
 && ln -s /usr/sbin/pgbouncer /usr/bin/pgbouncer
USER 998:996
