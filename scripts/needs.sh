#!/bin/sh
# What the scripts beside this one need, installed only where it is missing. Sourced, not run.

say() { printf 'squall: %s\n' "$*" >&2; }

# Ends with "environment" (3): what is missing, and what to do about it.
stop() {
    say "$1"
    shift
    for line in "$@"; do printf '  %s\n' "$line" >&2; done
    exit 3
}

# System files name programs in `target`, wherever this user's builds usually go.
CARGO_TARGET_DIR=target
export CARGO_TARGET_DIR

have() { command -v "$1" >/dev/null 2>&1; }

# Where PostgreSQL's server programs may be, besides PATH. The same places squall looks in.
: "${PG_ROOTS:=/usr/lib/postgresql /usr/local/lib/postgresql /opt/homebrew/opt /usr/pgsql}"

have_postgres() {
    if [ -n "${SQUALL_PG_BIN:-}" ]; then
        [ -x "$SQUALL_PG_BIN/initdb" ] && [ -x "$SQUALL_PG_BIN/postgres" ]
        return
    fi
    have initdb && have postgres && return
    for root in $PG_ROOTS; do
        for bin in "$root"/*/bin "$root"/bin; do
            [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ] && return
        done
    done
    return 1
}

need_cargo() {
    have cargo || [ ! -x "$HOME/.cargo/bin/cargo" ] || PATH="$HOME/.cargo/bin:$PATH"
    have cargo || stop "Rust's cargo is missing; squall is built with it." \
        "Install it from https://rustup.rs (or your system's packages), open a new shell, and try again."
    have cc || install "a C compiler (Rust needs its linker)" \
        "build-essential" "gcc" "build-base" "base-devel" ""
}

# squall ARGUMENTS: becomes squall, built from what is here. SQUALL_BIN names one that is built already.
squall() {
    if [ -z "${SQUALL_BIN:-}" ]; then
        need_cargo
        SQUALL_BIN=target/release/squall
        # The first build takes minutes, and shows that it goes on; later there is nothing to see.
        quiet=
        if [ -x "$SQUALL_BIN" ]; then quiet=--quiet; fi
        # shellcheck disable=SC2086  # no word at all when it is empty
        cargo build --release --locked $quiet -p squall >&2 || stop "squall could not be built; see above." \
            "Its oldest Rust is named in Cargo.toml (rust-version); rustup update gets a newer one."
    fi
    exec "$SQUALL_BIN" "$@"
}

need_postgres() {
    have_postgres && return
    [ -z "${SQUALL_PG_BIN:-}" ] || stop "SQUALL_PG_BIN=$SQUALL_PG_BIN has no initdb and postgres." \
        "Name the folder with PostgreSQL's server programs, or unset SQUALL_PG_BIN."
    install "PostgreSQL (its server programs, for throw-away databases)" \
        "postgresql" "postgresql-server" "postgresql" "postgresql" "postgresql"
    have_postgres || stop "PostgreSQL was installed, but initdb and postgres were not found." \
        "Name their folder: SQUALL_PG_BIN=/path/to/bin $0"
}

# chromedriver and a browser, for the test that looks at the HTML report. All other tests do without.
need_browser() {
    have chromedriver && return
    debian="chromium chromium-driver"
    if grep -qs '^ID=ubuntu' /etc/os-release; then debian="chromium-browser chromium-chromedriver"; fi
    (install "a browser with its driver (a test looks at the HTML report)" \
        "$debian" "chromium chromedriver" "chromium chromium-chromedriver" "chromium" "chromedriver") \
        || say "going on without a browser: the test that looks at the HTML report can't pass"
}

# Clients of Toxiproxy, each with a test that fails where it can't be tried: those whose language is missing are excused,
# for nothing else needs it.
excuse_clients() {
    SQUALL_SKIP_CLIENTS=${SQUALL_SKIP_CLIENTS:-}
    have go || excuse_client go "no go"
    python3 -m pip --version >/dev/null 2>&1 || excuse_client python3 "no python3 with pip"
    export SQUALL_SKIP_CLIENTS
}

excuse_client() {
    say "Toxiproxy's client is not tried: $2"
    SQUALL_SKIP_CLIENTS="$SQUALL_SKIP_CLIENTS $1"
}

# Faults that squall says this machine can't be made to feel: tests that try one fail, unless it is excused.
excuse_faults() {
    SQUALL_SKIP_FAULTS=${SQUALL_SKIP_FAULTS:-}
    for fault in $(cargo run --locked --quiet -p squall -- doctor --json | impossible); do
        say "\`$fault\` is not tried: squall doctor says why, and what would help"
        SQUALL_SKIP_FAULTS="$SQUALL_SKIP_FAULTS $fault"
    done
    export SQUALL_SKIP_FAULTS
}

# The faults that the table, as JSON, says can't be put in force on processes.
impossible() {
    awk -F'"' '/"fault":/ { fault = $4 } /"(attached|process)": [{]/ { world = $2 }
        /"possible": false/ && world == "process" { print fault }'
}

# install WHAT-FOR DEBIAN FEDORA ALPINE ARCH HOMEBREW: the packages' names there; says first what it does.
install() {
    what=$1
    if have apt-get; then
        packages=$2 update='apt-get update -q' tool='env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends'
    elif have dnf; then
        packages=$3 update=: tool='dnf install -qy'
    elif have apk; then
        packages=$4 update=: tool='apk add -q'
    elif have pacman; then
        packages=$5 update=: tool='pacman -S --needed --noconfirm'
    elif have brew; then
        packages=$6 update=: tool='brew install'
    else
        stop "$what is missing, and no package manager known here was found." "Install it and try again."
    fi
    sudo=
    if ! have brew && [ "$(id -u)" -ne 0 ]; then
        have sudo || stop "$what is missing; installing it needs root, and there is no sudo." \
            "As root: ${tool#env DEBIAN_FRONTEND=noninteractive } $packages"
        sudo=sudo
    fi
    say "$what is missing; installing $packages: ${sudo:+$sudo }${tool#env DEBIAN_FRONTEND=noninteractive } $packages"
    case " $packages " in *" postgresql "*) have apt-get && no_system_cluster ;; esac
    # Output only when it fails: it is long, and no news to who reads it here.
    # shellcheck disable=SC2086  # several words on purpose
    if ! log=$( { $sudo $update && $sudo $tool $packages; } 2>&1); then
        printf '%s\n' "$log" | tail -n 20 >&2
        stop "$packages could not be installed." "Install it by hand and try again."
    fi
}

# Debian's package would make and start a database of its own: squall wants the programs only.
no_system_cluster() {
    file=${PG_CREATECLUSTER:-/etc/postgresql-common/createcluster.d/squall.conf}
    [ -e "$file" ] && return
    # shellcheck disable=SC2016  # expanded by the inner shell
    $sudo sh -c 'mkdir -p "${1%/*}" && echo "create_main_cluster = false" >"$1"' sh "$file" \
        || stop "$file could not be written." "Without it the package would start a database nobody asked for."
}
