#!/bin/sh
# auth-helper.sh --prefix TEXT: registers somebody new and logs them in; standard output is one JSON object with
# `token` and `user_id`. Arguments are those of `squall auth`.
set -eu

self=$0
while [ -L "$self" ]; do
    link=$(readlink "$self")
    case $link in /*) self=$link ;; *) self=$(dirname "$self")/$link ;; esac
done
cd "$(dirname "$self")/../.."
. scripts/needs.sh

squall auth "$@"
