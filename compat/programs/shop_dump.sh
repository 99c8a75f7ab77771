#!/bin/sh
# Dump and restore of a bookstore with the servers' own clients; prints TAP. Usage: shop_dump.sh HOST PORT USER PASSWORD FOLDER
# The schema `shop` is there already. What is compared are the checksums of every table before and after.
set -u
host=$1 port=$2 user=$3 password=$4 folder=$5
account="--no-defaults -h$host -P$port -u$user -p$password"
n=0 bad=0
check() { # name, command…
    n=$((n + 1)); name=$1; shift
    if said=$("$@" 2>&1); then echo "ok $n - $name"; else bad=1; echo "not ok $n - $name # because: $said" | tr '\n' ' '; echo; fi
}
tables() { mariadb $account -NBe "SELECT table_name FROM information_schema.tables WHERE table_schema='$1' AND table_type='BASE TABLE' ORDER BY 1"; }
sums() { for table in $(tables "$1"); do mariadb $account -NBe "CHECKSUM TABLE \`$1\`.\`$table\` EXTENDED" | sed "s/^$1\.//"; done; }
dump_and_restore() { # options of the dump
    mariadb-dump $account "$@" shop > "$folder/shop.sql" || return 1
    mariadb $account -e "DROP DATABASE IF EXISTS shop_copy; CREATE DATABASE shop_copy" || return 1
    mariadb $account shop_copy < "$folder/shop.sql" || return 1
    sums shop > "$folder/before" && sums shop_copy > "$folder/after" && [ -s "$folder/before" ] && diff "$folder/before" "$folder/after"
}
check "dump with locks, restore, checksums equal" dump_and_restore
check "dump in one transaction, restore, checksums equal" dump_and_restore --single-transaction --quick
check "dump without extended inserts, restore, checksums equal" dump_and_restore --single-transaction --skip-extended-insert --no-autocommit --tables
check "dump with hex blobs, routines, triggers, events" dump_and_restore --single-transaction --hex-blob --routines --triggers --events
tab() { rm -rf "$folder/tab"; mkdir -p "$folder/tab"; for table in $(tables shop); do
    mariadb $account --quick -NB shop -e "SELECT * FROM \`$table\`" | cksum > "$folder/tab/$table" || return 1; done; }
check "every table in batch mode, unbuffered" tab
load() { seq 1 20000 | awk '{print $1 "\t" "row " $1}' > "$folder/rows.tsv"
    mariadb $account --local-infile=1 shop_copy -e "CREATE OR REPLACE TABLE loaded (id INT PRIMARY KEY, text VARCHAR(40));
        LOAD DATA LOCAL INFILE '$folder/rows.tsv' INTO TABLE loaded" &&
    [ "$(mariadb $account -NBe 'SELECT COUNT(*), SUM(id) FROM shop_copy.loaded' | tr '\t' ' ')" = "20000 200010000" ]; }
check "LOAD DATA LOCAL INFILE" load
import() { mariadb $account -e "TRUNCATE shop_copy.loaded" && cp "$folder/rows.tsv" "$folder/loaded.txt" &&
    mariadb-import $account --local shop_copy "$folder/loaded.txt" >/dev/null &&
    [ "$(mariadb $account -NBe 'SELECT COUNT(*) FROM shop_copy.loaded')" = 20000 ]; }
check "mariadb-import" import
check "mariadb-check" mariadb-check $account shop_copy
check "mariadb-show" mariadb-show $account shop_copy
check "mariadb-admin ping" mariadb-admin $account ping
check "mariadb-admin status" mariadb-admin $account status
check "mariadb-admin version" mariadb-admin $account version
check "mariadb-slap" mariadb-slap $account --auto-generate-sql --concurrency=8 --iterations=2 --number-of-queries=400 --create-schema=slap
delimiters() { printf 'DELIMITER //\nCREATE OR REPLACE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END//\nCALL p()//\nDELIMITER ;\nSELECT 3;\n' |
    mariadb $account -NB shop_copy | tr '\n' ' ' | grep -qx '1 2 3 '; }
check "procedure by DELIMITER, two results" delimiters
echo "1..$n"
exit $bad
