# In the guest's root: fills the cluster with the guest's own PostgreSQL at this machine's speed, and stops it cleanly.
# Wants DATABASE, ROLE, PASSWORD, PGBENCH_SCALE, ORDER_ROWS; prints one line "query<TAB>answer" per check.
binaries=/usr/lib/postgresql/15/bin
data=/var/lib/postgresql/15/main
mkdir -p /run/postgresql /run/load
chown postgres /run/postgresql /run/load
# Only this socket, in a private /run, and nobody else to ask: no password while loading.
echo 'local all all trust' > /run/load/pg_hba.conf

# A power cut now costs a rebuild, never data, so nothing waits for the disk.
options="-c config_file=/etc/postgresql/15/main/postgresql.conf -c hba_file=/run/load/pg_hba.conf -c listen_addresses="
options="$options -c unix_socket_directories=/run/load -c fsync=off -c full_page_writes=off -c wal_level=minimal"
options="$options -c max_wal_senders=0 -c max_wal_size=128MB -c autovacuum=off"
options="$options -c maintenance_work_mem=256MB -c shared_buffers=256MB"
setpriv --reuid postgres --regid postgres --init-groups \
  "$binaries/pg_ctl" -s -w -t 300 -D "$data" -l /run/load/log -o "$options" start || { cat /run/load/log >&2; exit 1; }

export PGHOST=/run/load PGOPTIONS='-c client_min_messages=warning'
ask() { setpriv --reuid postgres --regid postgres --init-groups psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
ask -U postgres -d postgres -v role="$ROLE" -v password="$PASSWORD" -v database="$DATABASE" <<'SQL'
create role :"role" login password :'password';
create database :"database" owner :"role";
SQL
setpriv --reuid postgres --regid postgres --init-groups "$binaries/pgbench" -i -q -s "$PGBENCH_SCALE" -U "$ROLE" "$DATABASE"
ask -U "$ROLE" -d "$DATABASE" -v rows="$ORDER_ROWS" -f /run/steps/orders.sql
# Frozen and analysed now, else the guest's autovacuum rewrites these pages at its first idle minute.
ask -U postgres -d "$DATABASE" -c 'vacuum (freeze, analyze)'

while read -r query; do
  printf '%s\t%s\n' "$query" "$(ask -U "$ROLE" -d "$DATABASE" -c "$query")"
done < /run/steps/checks.txt
setpriv --reuid postgres --regid postgres --init-groups "$binaries/pg_ctl" -s -w -t 300 -D "$data" -m fast stop
rm -f /var/log/postgresql/*
