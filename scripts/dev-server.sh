#!/bin/sh
# dev-server.sh [PORT]: starts taskhub on port 3000 or another, waits until it is healthy, and returns.
# `squall down` stops it. Other arguments are those of `squall up`.
set -eu

self=$0
while [ -L "$self" ]; do
    link=$(readlink "$self")
    case $link in /*) self=$link ;; *) self=$(dirname "$self")/$link ;; esac
done
cd "$(dirname "$self")/.."
. scripts/needs.sh

need_postgres
port=${PORT:-3000}
case ${1:-} in
[0-9]*)
    port=$1
    shift
    ;;
esac
squall up --detach --port "$port" "$@"
