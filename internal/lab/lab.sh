#!/usr/bin/env bash
# The real servers and clients that the tests behind the build tag `lab` talk to. Debian 12, root, loopback only.
#   lab.sh install [GROUP...]   apt packages of the groups (default: all): base samba postgres browser aws xml krb5 slapd saml
#   lab.sh up [samba] [postgres]  start them (default: both); starting twice is harmless
#   lab.sh node                 the node packages (playwright-core, the small SAML peers, scimmy), without install scripts
#   lab.sh env                  the variables for the tests: eval "$(lab.sh env)"
#   lab.sh down                 end what `up` started, and nothing else
# State: ADFEDKIT_LAB_DIR (default ~/.cache); Samba's path may not be long, so it stays in adlab below it.
set -euo pipefail
HERE=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
TOP=${ADFEDKIT_LAB_DIR:-${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}}
SAMBA_STATE=$TOP/adlab PEERS_STATE=$TOP/adpeers PG_DIR=$TOP/adpg PG_PORT=${ADFEDKIT_PG_PORT:-15432}
PG_BIN=/usr/lib/postgresql/15/bin

packages() {
  case $1 in
  base) echo ca-certificates curl gcc libc6-dev openssl procps iproute2 util-linux perl python3 ;;
  samba) echo samba samba-ad-dc samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind krb5-user ldap-utils ldb-tools smbclient \
      libsasl2-modules libsasl2-modules-gssapi-mit python3-samba iproute2 openssl procps ;;
  postgres) echo postgresql-15 ;;
  browser) echo chromium nodejs npm ;;
  aws) echo awscli ;;
  xml) echo xmlsec1 libxml2-utils openjdk-17-jdk-headless opensaml-schemas xmltooling-schemas ;;
  krb5) echo krb5-kdc krb5-admin-server krb5-user apache2 libapache2-mod-auth-gssapi curl ;;
  slapd) echo slapd ldap-utils ;;
  saml) echo simplesamlphp php-cli php-xml php-mbstring php-sqlite3 php-curl python3-pysaml2 ;;
  *) echo "unknown group $1" >&2; exit 2 ;;
  esac
}

missing() { # those of the named packages that are not installed
  local p; for p in "$@"; do [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || echo "$p"; done
}

install() {
  local want=() g p made=0 rc=0 pol=/usr/sbin/policy-rc.d
  [ $# -gt 0 ] || set -- base samba postgres browser aws xml krb5 slapd saml
  for g in "$@"; do for p in $(packages "$g"); do want+=("$p"); done; done
  mapfile -t want < <(missing "${want[@]}" | sort -u)
  [ ${#want[@]} -gt 0 ] || return 0
  # a program that node's packages did not bring may already stand on PATH (an own node, for instance)
  if command -v node >/dev/null && command -v npm >/dev/null; then mapfile -t want < <(printf '%s\n' "${want[@]}" | grep -vxE 'nodejs|npm'); fi
  [ ${#want[@]} -gt 0 ] || return 0
  mkdir -p "$TOP"
  [ -e $pol ] || { printf '#!/bin/sh\nexit 101\n' >$pol; chmod +x $pol; made=1; } # packages start no service of their own
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${want[@]}"; } >"$TOP/apt.log" 2>&1 </dev/null || rc=$?
  [ $made = 0 ] || rm -f $pol
  [ $rc = 0 ] || { tail -20 "$TOP/apt.log" >&2; echo "apt failed for: ${want[*]}" >&2; exit 1; }
  # the packages' own cluster is not ours: nothing was started, and nothing shall be
}

as_pg() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --init-groups env HOME="$PG_DIR" "$@"; else "$@"; fi; }

pg_up() {
  mkdir -p "$PG_DIR"
  [ "$(id -u)" = 0 ] && chown postgres "$PG_DIR"
  chmod 700 "$PG_DIR"
  reachable
  [ -f "$PG_DIR/data/PG_VERSION" ] || as_pg $PG_BIN/initdb -D "$PG_DIR/data" -U adfedkit --auth=trust -E UTF8 --locale=C >"$TOP/pg-init.log" 2>&1 </dev/null || { cat "$TOP/pg-init.log" >&2; exit 1; }
  as_pg $PG_BIN/pg_ctl -D "$PG_DIR/data" status >/dev/null 2>&1 && return 0
  as_pg $PG_BIN/pg_ctl -D "$PG_DIR/data" -w -t 60 -l "$PG_DIR/log" \
    -o "-c listen_addresses=127.0.0.1 -c port=$PG_PORT -c unix_socket_directories=$PG_DIR -c fsync=off -c max_connections=200" start >/dev/null </dev/null ||
    { tail -20 "$PG_DIR/log" >&2; exit 1; }
  as_pg $PG_BIN/createdb -h 127.0.0.1 -p "$PG_PORT" -U adfedkit adfedkit 2>/dev/null || true # exists already
  as_pg $PG_BIN/psql -h 127.0.0.1 -p "$PG_PORT" -U adfedkit -tAc 'select 1' adfedkit </dev/null >/dev/null
}

reachable() { # the server's user must be able to pass through the folders above its data
  local d=$PG_DIR
  while d=$(dirname "$d") && [ "$d" != / ]; do setpriv --reuid=postgres --regid=postgres --init-groups test -x "$d" 2>/dev/null || chmod o+x "$d"; done
}

samba() { LAB_STATE=$SAMBA_STATE bash "$HERE/samba/lab.sh" "$@"; }

env_out() {
  samba env
  echo "export ADFEDKIT_PG_DSN='postgres://adfedkit@127.0.0.1:$PG_PORT/adfedkit?sslmode=disable'"
  echo "export LAB_STATE=$PEERS_STATE LAB_PEERS=$HERE/peers ADFEDKIT_LAB=$HERE"
  echo "export CHROMIUM=${CHROMIUM:-/usr/bin/chromium} AWS_CLI=${AWS_CLI:-/usr/bin/aws}"
  echo "export PATH=\$PATH:/usr/sbin:/sbin"
}

node_peers() {
  mkdir -p "$PEERS_STATE/node"
  cp "$HERE/node/package.json" "$PEERS_STATE/node/"
  (cd "$PEERS_STATE/node" && npm install --ignore-scripts --no-audit --no-fund --silent)
  local p; for p in playwright-core scimmy-routers; do
    [ -d "$PEERS_STATE/node/node_modules/$p" ] || { echo "$p was not installed" >&2; exit 1; }
  done
}

cmd=${1:-}
[ $# = 0 ] || shift
case $cmd in
install) install "$@" ;;
node) node_peers ;;
up)
  [ $# -gt 0 ] || set -- samba postgres
  mkdir -p "$PEERS_STATE"
  for s in "$@"; do case $s in samba) samba up >/dev/null ;; postgres) pg_up ;; *) echo "unknown server $s" >&2; exit 2 ;; esac; done ;;
env) env_out ;;
down)
  samba down
  if [ -d "$PG_DIR/data" ]; then as_pg $PG_BIN/pg_ctl -D "$PG_DIR/data" -m fast -w stop >/dev/null 2>&1 || true; fi ;;
*) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
