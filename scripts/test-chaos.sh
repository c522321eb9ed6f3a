#!/bin/sh
# The main job: builds squall and runs scenarios. Flags and environment are those of `squall run`:
# by default every scenario at level 1. Installs PostgreSQL first where it is missing.
set -eu

# Symbolic links to this script work, too.
self=$0
while [ -L "$self" ]; do
    link=$(readlink "$self")
    case $link in /*) self=$link ;; *) self=$(dirname "$self")/$link ;; esac
done
cd "$(dirname "$self")/.."
. scripts/needs.sh

case " $* " in
*" --help "* | *" -h "*) ;;
*) need_postgres ;;
esac
squall run "$@"
