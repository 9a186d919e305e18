# Builds each service: docker build --build-arg SERVICE=payments .
ARG SERVICE=auth

# Manifests only, so that the install layers are rebuilt only when a manifest changes.
FROM node:24-bookworm-slim AS manifests
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY packages/kit/package.json packages/kit/
COPY packages/local/package.json packages/local/
COPY packages/testing/package.json packages/testing/
COPY services/auth/package.json services/auth/
COPY services/payments/package.json services/payments/
COPY services/simulator/package.json services/simulator/

FROM manifests AS compiled
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts
COPY tsconfig.base.json ./
COPY packages/kit/tsconfig.build.json packages/kit/
COPY packages/kit/src packages/kit/src
ARG SERVICE
COPY services/$SERVICE/tsconfig.build.json services/$SERVICE/
COPY services/$SERVICE/src services/$SERVICE/src
# Called by path: `node` in node_modules/.bin is a stub, since install scripts are disabled.
RUN node node_modules/typescript/bin/tsc -b services/$SERVICE/tsconfig.build.json

FROM compiled AS build
RUN find packages/kit/dist services/$SERVICE/dist -type f ! -name '*.js' -delete

FROM manifests AS installed
ARG SERVICE
# npm does not omit workspaces that are dev dependencies, so @malipo/testing is removed from the manifest.
RUN --mount=type=cache,target=/root/.npm \
    npm pkg delete 'devDependencies.@malipo/testing' -w services/$SERVICE && \
    npm ci --ignore-scripts --omit=dev -w services/$SERVICE

# Runtime dependencies, without files for documentation, tests and compilers.
FROM installed AS production
RUN find node_modules -type f \( -name '*.map' -o -name '*.d.*ts' -o -name '*.md' \) -delete && \
    find node_modules -type d -regex '.*/node_modules/\(@[^/]*/\)?[^/]*/\(test\|benchmarks?\|examples?\)' \
      -prune -exec rm -r {} + && \
    rm -r node_modules/typescript node_modules/typeorm/browser node_modules/rxjs/src \
      node_modules/swagger-ui-dist/swagger-ui-es-bundle*.js && \
    mkdir -p /out/packages/kit /out/services/$SERVICE && \
    mv node_modules package.json /out/ && \
    mv packages/kit/package.json /out/packages/kit/ && \
    mv services/$SERVICE/* /out/services/$SERVICE/

# SBOM of the production dependencies as CycloneDX, for `make release`. `npm sbom` reports omitted dev dependencies
# as missing, so they are removed from the manifests. The override for typeorm refers to the root's ioredis, so that
# one becomes a dependency.
FROM production AS listed
ARG SERVICE
WORKDIR /out
RUN npm pkg set "dependencies.ioredis=$(npm pkg get devDependencies.ioredis | tr -d '"')" && \
    npm pkg delete devDependencies && \
    (cd services/$SERVICE && npm pkg delete devDependencies) && \
    npm sbom --sbom-format cyclonedx --sbom-type application >/sbom.json

FROM scratch AS sbom
COPY --from=listed /sbom.json /

# For `skaffold dev`: skaffold copies changed sources into the running container with tar, the compiler in it writes
# JavaScript, and Node.js restarts the service. The compiler runs only beside the service, not beside its migrations.
FROM node:24-bookworm-slim AS dev
ARG SERVICE
RUN mkdir -p /nodejs/bin && ln -s "$(command -v node)" /nodejs/bin/node
WORKDIR /app/services/$SERVICE
COPY --from=installed /app /app
COPY --from=compiled /app/node_modules/@types /app/node_modules/@types
COPY --from=compiled /app/tsconfig.base.json /app/
COPY --from=compiled --chown=65532:65532 /app/packages/kit /app/packages/kit
COPY --from=compiled --chown=65532:65532 /app/services/$SERVICE ./
# tar overwrites files in place: a program stops watching a file that is replaced.
ENV TAR_OPTIONS=--overwrite TSC="node /app/node_modules/typescript/bin/tsc -b tsconfig.build.json"
USER 65532:65532
ENTRYPOINT ["/bin/sh", "-c", "case \"$*\" in *dist/main.js) $TSC --watch --preserveWatchOutput & esac; exec node \"$@\"", "node"]
CMD ["--watch-path=dist", "--watch-path=/app/packages/kit/dist", "dist/main.js"]

# Distroless: no shell, no package manager, user 65532. The service writes no files.
FROM gcr.io/distroless/nodejs24-debian12:nonroot AS runtime
ARG SERVICE
ENV NODE_ENV=production
WORKDIR /app/services/$SERVICE
COPY --from=production /out /app
COPY --from=build /app/packages/kit/dist /app/packages/kit/dist
COPY --from=build /app/services/$SERVICE/dist ./dist
# Keeps the resident memory below 200 MB. The first limit is for the old generation; without the second, the young
# generation may take up to 128 MB in addition.
CMD ["--max-old-space-size=128", "--max-semi-space-size=8", "dist/main.js"]

FROM runtime AS auth
ENV PORT=3002
EXPOSE 3002

FROM runtime AS payments
ENV PORT=4000
EXPOSE 4000

FROM runtime AS simulator
ENV PORT=4100
EXPOSE 4100

# checkov:skip=CKV_DOCKER_7: the name of a stage above, which has no tag
FROM $SERVICE
ARG SERVICE
ARG VERSION=0.1.0
ARG REVISION=unknown
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 \
  CMD ["/nodejs/bin/node", "--eval", "fetch(`http://127.0.0.1:${process.env.PORT}/health/ready`).then((response) => process.exit(response.ok ? 0 : 1), () => process.exit(1))"]
LABEL org.opencontainers.image.title="malipo-$SERVICE" \
      org.opencontainers.image.description="The $SERVICE service of Malipo, a payment platform" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
