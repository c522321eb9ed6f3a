#!/bin/sh
# test-server.sh [PORT]: waits until the system there (3000) is ready, at most 30 s, and looks at its health.
# Other arguments are those of `squall verify`.
set -eu

self=$0
while [ -L "$self" ]; do
    link=$(readlink "$self")
    case $link in /*) self=$link ;; *) self=$(dirname "$self")/$link ;; esac
done
cd "$(dirname "$self")/.."
. scripts/needs.sh

case ${1:-} in
[0-9]*)
    port=$1
    shift
    squall verify --quick localhost "$port" "$@"
    ;;
*) squall verify --quick "$@" ;;
esac
