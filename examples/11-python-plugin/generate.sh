#!/bin/sh
# Makes the Python code of the contracts in the folder $1, with protoc (Debian: protobuf-compiler and libprotobuf-dev).
set -eu
protoc -I "$(dirname "$0")/../../proto" --python_out="$1" "$(dirname "$0")"/../../proto/cairn/v1/*.proto
