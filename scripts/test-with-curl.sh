#!/bin/sh
# test-with-curl.sh [HOST] [PORT]: asks the system there (localhost 3000) for everything its API promises.
# Other arguments are those of `squall verify`.
set -eu

self=$0
while [ -L "$self" ]; do
    link=$(readlink "$self")
    case $link in /*) self=$link ;; *) self=$(dirname "$self")/$link ;; esac
done
cd "$(dirname "$self")/.."
. scripts/needs.sh

squall verify "$@"
