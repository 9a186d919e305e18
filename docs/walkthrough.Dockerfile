# For `skaffold verify`: the walk-through, with the curl that it needs.
FROM debian:bookworm-slim
RUN apt-get update -qq && \
    apt-get install -y -qq --no-install-recommends curl && \
    rm -rf /var/lib/apt/lists/*
COPY walkthrough.sh /
USER 65532:65532
# A network policy takes a moment to learn of a new pod: until then its calls are refused.
ENTRYPOINT ["bash", "-c", "curl --silent --retry 60 --retry-delay 1 --retry-connrefused --output /dev/null \"$AUTH_URL/health/ready\" --output /dev/null \"$PAYMENTS_URL/health/ready\" && exec /walkthrough.sh"]
