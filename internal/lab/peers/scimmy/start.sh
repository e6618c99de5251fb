#!/bin/bash
# scimmy SCIM 2.0 service provider, in memory. start.sh [PORT=18130]; base http://127.0.0.1:PORT/scim, bearer token labtoken
# needs the node packages (`lab.sh node`); PAGING=0: a service that gives the first twenty objects of a list only
HERE=$(cd "$(dirname "$0")" && pwd); . "$HERE/../common/lib.sh"
PORT=${1:-18130}
LAB_STATE=$LAB_STATE spawn scimmy node "$HERE/server.mjs" "$PORT"
waitport "$PORT" && echo "scimmy up $PORT"
