#!/bin/sh
# Starts koor in the container. A server there listens on every address, so it never runs without a token: if none is
# given, one is made on the first start and kept beside the data, in koor-token.
set -eu

if [ "${1:-}" = serve ] && [ -z "${KOOR_AUTH_TOKEN:-}${KOOR_AUTH_TOKEN_FILE:-}${KOOR_INSECURE:-}" ]; then
    given=no
    for word in "$@"; do
        case $word in --auth-token | --auth-token=* | --auth-token-file | --auth-token-file=* | --insecure) given=yes ;; esac
    done
    if [ $given = no ]; then
        token=${KOOR_DATA_DIR:-.}/koor-token
        if ! [ -s "$token" ]; then
            (umask 077 && head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' > "$token.new" && mv "$token.new" "$token")
            echo "koor: made a token for this server: it is in $token" >&2
        fi
        export KOOR_AUTH_TOKEN_FILE="$token"
    fi
fi
exec koor "$@"
