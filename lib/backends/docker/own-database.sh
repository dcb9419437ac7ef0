# Makes ($1 is `create`) or takes away (`drop`) the database $3, in the container of postgres or mysql ($2). The name
# is ours (lib/stack/database.ts): letters, digits and `_`.
postgres() {
  PGPASSWORD="${POSTGRES_PASSWORD:-}" psql -v ON_ERROR_STOP=1 -q -U "${POSTGRES_USER:-postgres}" -d postgres "$@"
}
mysql_root() {
  MYSQL_PWD="${MYSQL_ROOT_PASSWORD:-${MARIADB_ROOT_PASSWORD:-}}" "$(command -v mariadb || command -v mysql)" -u root -e "$1"
}
case $1-$2 in
  create-postgres)
    postgres -tAc "SELECT 1 FROM pg_database WHERE datname='$3'" | grep -q 1 || postgres -c "CREATE DATABASE $3" ;;
  drop-postgres) postgres -c "DROP DATABASE IF EXISTS $3 WITH (FORCE)" ;;
  create-mysql)
    user=${MYSQL_USER:-${MARIADB_USER:-}}
    mysql_root "CREATE DATABASE IF NOT EXISTS $3" && { [ -z "$user" ] || mysql_root "GRANT ALL ON $3.* TO '$user'@'%'"; } ;;
  drop-mysql) mysql_root "DROP DATABASE IF EXISTS $3" ;;
esac
