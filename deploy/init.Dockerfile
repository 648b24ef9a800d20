# Sets a pod's redirect before anything else runs in it: iptables (nft), Node, one bundle. From the checkout's root:
#   docker build -f deploy/init.Dockerfile -t tulle/init:0.1.0 .
# With bundles that exist already (npm run build): --build-context build=.
# It runs as root, with NET_ADMIN and NET_RAW and nothing else: the kernel takes rules from no other user.
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
LABEL org.opencontainers.image.title="tulle/init" \
      org.opencontainers.image.description="Redirects a pod's connections to its sidecar, for Tulle, a service mesh for Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim" \
      org.opencontainers.image.version="${VERSION}"
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends iptables \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log
COPY --from=build /dist/init.mjs /dist/koffi.node /dist/init.cdx.json /tulle/
ENTRYPOINT ["/usr/local/bin/node", "/tulle/init.mjs"]
