# The balancer's image, compiled in the container: one static binary, no shell, no root.
#
#   docker build -t chef/balancer:dev -f compose/balancer.Dockerfile .      context: the repository
#
# The last stage is repeated in prebuilt.Dockerfile, which needs no registry. Needs neither BuildKit nor buildx.

# The same words as in kitchen-agent.Dockerfile, so the second image finds this stage made.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
ENV RUSTFLAGS="-C target-feature=+crt-static"
RUN target=$(rustc -vV | sed -n 's/^host: //p') \
    && cargo build --release --locked --target "$target" -p balancer -p kitchen-agent \
    && mkdir -p /out/data \
    && cp "target/$target/release/balancer" "target/$target/release/kitchen-agent" /out/ \
    && strip --strip-debug /out/balancer /out/kitchen-agent \
    && rm -rf target

FROM scratch
# Beyond loopback the balancer starts only with INSECURE_LAB=true, which whoever runs the image must say.
ENV LISTEN=0.0.0.0:8080 DATA_DIR=/data
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/balancer"]
# Empty; a new volume on /data inherits its owner.
COPY --from=build --chown=65532:65532 /out/data /data
COPY --from=build /out/balancer /balancer
