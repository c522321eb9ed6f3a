#!/bin/sh
# deploy-validation.sh: may this be deployed? Every scenario at levels 1 to 3, until one is not passed.
# Arguments are those of `squall run`, besides the level.
set -eu

self=$0
while [ -L "$self" ]; do
    link=$(readlink "$self")
    case $link in /*) self=$link ;; *) self=$(dirname "$self")/$link ;; esac
done
cd "$(dirname "$self")/.."
. scripts/needs.sh

case " $* " in
*" --help "* | *" -h "*) exec scripts/test-chaos.sh --help ;;
esac
for level in 1 2 3; do
    if ! scripts/test-chaos.sh "$@" --difficulty "$level"; then
        printf '❌ Chaos testing failed at level %s\n' "$level"
        exit 1
    fi
done
printf '✅ All chaos tests passed - ready for deployment\n'
