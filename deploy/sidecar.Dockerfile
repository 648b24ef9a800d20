# The sidecar: Node, its bundle, the Redis client for those that need it, and the binary that reads where redirected connections were dialled. From the checkout's root:
#   docker build -f deploy/sidecar.Dockerfile -t tulle/sidecar:0.1.0 .
# With bundles that exist already (npm run build): --build-context build=.
FROM node:24-bookworm-slim AS node

FROM node AS build
WORKDIR /source
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund --loglevel=error
COPY . .
RUN node deploy/build.ts && mv dist /dist

FROM debian:bookworm-slim
# Comes first, so that all images share it.
COPY --from=node /usr/local/bin/node /usr/local/bin/node
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="tulle/sidecar" \
      org.opencontainers.image.description="The proxy beside each workload of Tulle, a service mesh for Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /dist/sidecar.mjs /dist/drain.mjs /dist/redis-client.mjs /dist/koffi.node /dist/sidecar.cdx.json /tulle/
COPY --from=build /dist/proto/ /tulle/proto/
# V8's compiled code of the bundle, cached once for all starts. It is valid for this Node, these flags and this user, who can
# only read it afterwards. Outside a pod the sidecar simply exits.
ENV NODE_COMPILE_CACHE=/tulle/compile-cache
RUN install -d -o 1337 "$NODE_COMPILE_CACHE" \
 && (setpriv --reuid 1337 --regid 1337 --clear-groups \
      /usr/local/bin/node --max-semi-space-size=2 /tulle/sidecar.mjs 2>/dev/null || true) \
 && chown -R 0:0 "$NODE_COMPILE_CACHE" && chmod -R a+rX "$NODE_COMPILE_CACHE" \
 && ls "$NODE_COMPILE_CACHE"/*/*
USER 1337:1337
ENTRYPOINT ["/usr/local/bin/node", "--max-semi-space-size=2", "/tulle/sidecar.mjs"]
