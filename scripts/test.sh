#!/bin/sh
# The tests: everything `cargo test --workspace` needs, then that. Arguments go to cargo test.
set -eu

self=$0
while [ -L "$self" ]; do
    link=$(readlink "$self")
    case $link in /*) self=$link ;; *) self=$(dirname "$self")/$link ;; esac
done
cd "$(dirname "$self")/.."
. scripts/needs.sh

need_cargo
need_postgres
need_browser
excuse_clients
# Tests start the programs as a user would.
cargo build --release --locked -p taskhub
cargo build --locked -p errands -p defects
excuse_faults
exec cargo test --locked --workspace "$@"
