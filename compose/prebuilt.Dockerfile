# Both images from static binaries that were built outside: compose/build-images, --target balancer or kitchen-agent.
# Context: a directory with `balancer`, `kitchen-agent` and an empty `data`. Pulls nothing.
#
# Each stage is the last stage of balancer.Dockerfile or kitchen-agent.Dockerfile, with the same reasons. It is no target
# of theirs: without BuildKit every stage is built, and then the compiler's image would be pulled here too.

FROM scratch AS balancer
ENV LISTEN=0.0.0.0:8080 DATA_DIR=/data
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/balancer"]
COPY --chown=65532:65532 data /data
COPY balancer /balancer

FROM scratch AS kitchen-agent
USER 65532:65532
STOPSIGNAL SIGTERM
ENTRYPOINT ["/kitchen-agent"]
COPY kitchen-agent /kitchen-agent
