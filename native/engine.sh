#!/bin/sh
# engine.sh VENV VERSION: see that the engine in a virtual environment can use this processor's matrix tiles.
#
# pip's cache may give a wheel that was compiled without native/tiles.h. It is right, and several times slower than
# need be on a processor with AMX; one that is compiled here once is kept beside pip's own cache.
set -eu
venv=$1 version=$2
mark=linnet_tiles_are_whole
grep -qw amx_tile /proc/cpuinfo 2>/dev/null || exit 0
for library in "$venv"/lib/python*/site-packages/llama_cpp/lib/libggml-cpu.so; do
    grep -q "$mark" "$library" && exit 0
done
kept=${XDG_CACHE_HOME:-$HOME/.cache}/linnet/wheels
if ! ls "$kept/llama_cpp_python-$version-"*.whl >/dev/null 2>&1; then
    echo "Compiling llama.cpp for this processor's matrix tiles, once; that takes some minutes."
    made=$(mktemp -d)
    trap 'rm -rf "$made"' EXIT
    "$venv/bin/pip" wheel --quiet --no-cache-dir --no-deps --no-binary llama-cpp-python \
        --wheel-dir "$made" "llama-cpp-python==$version" || {
        echo "llama.cpp could not be compiled for matrix tiles; it goes on without them, and slower." >&2
        exit 0
    }
    mkdir -p "$kept"
    mv "$made"/*.whl "$kept/"
fi
"$venv/bin/pip" install --quiet --force-reinstall --no-deps "$kept/llama_cpp_python-$version-"*.whl
