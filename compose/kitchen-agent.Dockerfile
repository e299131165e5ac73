# The kitchen agent's image, compiled in the container: one static binary, no shell, no root, nothing to write.
#
#   docker build -t chef/kitchen-agent:dev -f compose/kitchen-agent.Dockerfile .      context: the repository
#
# The last stage is repeated in prebuilt.Dockerfile, which needs no registry. Needs neither BuildKit nor buildx.

# The same words as in balancer.Dockerfile, so the second image finds this stage made.
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
# No EXPOSE: the agent calls the balancer, nobody calls the agent.
USER 65532:65532
STOPSIGNAL SIGTERM
ENTRYPOINT ["/kitchen-agent"]
COPY --from=build /out/kitchen-agent /kitchen-agent
