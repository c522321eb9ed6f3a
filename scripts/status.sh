#!/bin/sh
# status.sh: what is up, and how each of its services is. Arguments are those of `squall status`.
set -eu

self=$0
while [ -L "$self" ]; do
    link=$(readlink "$self")
    case $link in /*) self=$link ;; *) self=$(dirname "$self")/$link ;; esac
done
cd "$(dirname "$self")/.."
. scripts/needs.sh

squall status "$@"
