#!/bin/sh
# task-flood.sh --count N --delay SECS --auth TOKEN: creates tasks. Arguments are those of `squall flood`.
set -eu

self=$0
while [ -L "$self" ]; do
    link=$(readlink "$self")
    case $link in /*) self=$link ;; *) self=$(dirname "$self")/$link ;; esac
done
cd "$(dirname "$self")/../.."
. scripts/needs.sh

squall flood "$@"
