# One for all services: docker build --build-arg SERVICE=payments .
ARG SERVICE=auth

# The manifests alone, so that installing is done again only when one of them has changed.
FROM node:24-bookworm-slim AS manifests
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY packages/kit/package.json packages/kit/
COPY packages/local/package.json packages/local/
COPY packages/testing/package.json packages/testing/
COPY services/auth/package.json services/auth/
COPY services/payments/package.json services/payments/

FROM manifests AS build
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts
COPY tsconfig.base.json ./
COPY packages/kit/tsconfig.build.json packages/kit/
COPY packages/kit/src packages/kit/src
ARG SERVICE
COPY services/$SERVICE/tsconfig.build.json services/$SERVICE/
COPY services/$SERVICE/src services/$SERVICE/src
# By its path: node_modules/.bin has a `node` of its own, a stub without its install script.
RUN node node_modules/typescript/bin/tsc -b services/$SERVICE/tsconfig.build.json && \
    find packages/kit/dist services/$SERVICE/dist -type f ! -name '*.js' -delete

# What the service needs while it runs, and nothing that only people, tests and compilers read.
FROM manifests AS production
ARG SERVICE
# npm never leaves out a workspace, not even as a development dependency: it is taken out by hand.
RUN --mount=type=cache,target=/root/.npm \
    npm pkg delete 'devDependencies.@malipo/testing' -w services/$SERVICE && \
    npm ci --ignore-scripts --omit=dev -w services/$SERVICE && \
    find node_modules -type f \( -name '*.map' -o -name '*.d.*ts' -o -name '*.md' \) -delete && \
    find node_modules -type d -regex '.*/node_modules/\(@[^/]*/\)?[^/]*/\(test\|benchmarks?\|examples?\)' \
      -prune -exec rm -r {} + && \
    rm -r node_modules/typescript node_modules/typeorm/browser node_modules/rxjs/src \
      node_modules/swagger-ui-dist/swagger-ui-es-bundle*.js && \
    mkdir -p /out/packages/kit /out/services/$SERVICE && \
    mv node_modules package.json /out/ && \
    mv packages/kit/package.json /out/packages/kit/ && \
    mv services/$SERVICE/* /out/services/$SERVICE/

# What the production tree holds, as CycloneDX, for `make release`. npm takes what only development needs for
# missing, so it reads manifests without it; typeorm's override names a dependency of the root's.
FROM production AS listed
ARG SERVICE
WORKDIR /out
RUN npm pkg set "dependencies.ioredis=$(npm pkg get devDependencies.ioredis | tr -d '"')" && \
    npm pkg delete devDependencies && \
    (cd services/$SERVICE && npm pkg delete devDependencies) && \
    npm sbom --sbom-format cyclonedx --sbom-type application >/sbom.json

FROM scratch AS sbom
COPY --from=listed /sbom.json /

# For `skaffold dev`: what the desk's own compiler wrote, in folders that can be written and with a shell
# and tar, by which changed files get into the running container. Nothing is compiled here; the sources
# are for debuggers.
FROM node:24-bookworm-slim AS dev
ARG SERVICE
RUN mkdir -p /nodejs/bin && ln -s "$(command -v node)" /nodejs/bin/node
WORKDIR /app/services/$SERVICE
COPY --from=production /out /app
COPY --chown=65532:65532 packages/kit/src /app/packages/kit/src
COPY --chown=65532:65532 packages/kit/dist /app/packages/kit/dist
COPY --chown=65532:65532 services/$SERVICE/src ./src
COPY --chown=65532:65532 services/$SERVICE/dist ./dist
# tar writes into the files that are there: Node loses sight of one in whose place another is put.
ENV TAR_OPTIONS=--overwrite
USER 65532:65532
ENTRYPOINT ["/nodejs/bin/node"]
CMD ["--watch-path=dist", "--watch-path=/app/packages/kit/dist", "dist/main.js"]

# Distroless: no shell and no package manager, as the user 65532. Nothing is written at run time.
FROM gcr.io/distroless/nodejs24-debian12:nonroot AS runtime
ARG SERVICE
ENV NODE_ENV=production
WORKDIR /app/services/$SERVICE
COPY --from=production /out /app
COPY --from=build /app/packages/kit/dist /app/packages/kit/dist
COPY --from=build /app/services/$SERVICE/dist ./dist
# A process is to stay under 200 MB of resident memory. The first limit is of objects that live on;
# without the second, new ones may take up to 128 MB beside them.
CMD ["--max-old-space-size=128", "--max-semi-space-size=8", "dist/main.js"]

FROM runtime AS auth
ENV PORT=3002
EXPOSE 3002

FROM runtime AS payments
ENV PORT=4000
EXPOSE 4000

FROM $SERVICE
ARG SERVICE
ARG VERSION=0.1.0
ARG REVISION=unknown
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 \
  CMD ["/nodejs/bin/node", "--eval", "fetch(`http://127.0.0.1:${process.env.PORT}/health/ready`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
LABEL org.opencontainers.image.title="malipo-$SERVICE" \
      org.opencontainers.image.description="The $SERVICE service of Malipo, a payment platform" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
