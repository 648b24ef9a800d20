# The control plane: Node and one bundle. From the checkout's root:
#   docker build -f deploy/control-plane.Dockerfile -t tulle/control-plane:0.1.0 .
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
LABEL org.opencontainers.image.title="tulle/control-plane" \
      org.opencontainers.image.description="Policy, certificates and injection of Tulle, a service mesh for Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /dist/control-plane.mjs /dist/control-plane.cdx.json /tulle/
COPY --from=build /dist/proto/ /tulle/proto/
COPY --from=build /dist/dashboard/ /tulle/dashboard/
USER 1337:1337
# Otherwise the heap's young generation grows to 130 MB while it reads a large cluster, and stays there.
ENTRYPOINT ["/usr/local/bin/node", "--max-semi-space-size=4", "/tulle/control-plane.mjs"]
