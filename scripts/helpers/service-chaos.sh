#!/bin/sh
# service-chaos.sh restart --service NAME --delay SECS: breaks and mends a service of the system that is up.
# Arguments are those of `squall service`.
set -eu

self=$0
while [ -L "$self" ]; do
    link=$(readlink "$self")
    case $link in /*) self=$link ;; *) self=$(dirname "$self")/$link ;; esac
done
cd "$(dirname "$self")/../.."
. scripts/needs.sh

squall service "$@"
